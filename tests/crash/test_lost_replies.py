"""A commit whose reply is lost: one event, the reply all the same, no false conflict (T5, P2)."""

import asyncio
import string
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from random import Random
from uuid import UUID, uuid4

import pytest
from eventsourcing.persistence import StoredEvent
from eventsourcing.postgres import PostgresDatastore
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.library import LogRecorder
from adapters.postgres.runner import catch_up
from aggregates.event import Event, Meta
from aggregates.lead.capture import Entry, capture
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.evolve import evolve
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.state import Lead
from aggregates.policy.book import Policies
from aggregates.policy.work import Pipeline
from commands.loop import CommandLoop, Intent, Reply, by_state
from tests.checker import Acknowledged, check
from tests.proxy import LossyProxy
from tests.seed import SEED
from tests.size import size

CUTS = size(20, 1_000)
COMPANY = 8
NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
Decide = Callable[[Lead], Sequence[Event]]
ENTRY = Entry(code="XLSH20240501001", details={"source": "展会"})
captured: Decide = partial(capture, now=NOW, entry=ENTRY, policies=Policies(), same={})


@pytest.fixture
def proxy(dsn: str) -> Iterator[LossyProxy]:
    with LossyProxy(dsn) as proxy:
        yield proxy


def test_commands_whose_reply_is_lost(dsn: str, proxy: LossyProxy) -> None:
    answers = asyncio.run(_commands(proxy, _rng()))
    catch_up(dsn)
    assert proxy.cuts == CUTS
    assert check(dsn, answers) == []


def test_saves_of_the_library_whose_reply_is_lost(dsn: str, proxy: LossyProxy) -> None:
    rng, stream = _rng(), uuid4()
    parts = {name: str(part or "") for name, part in conninfo_to_dict(proxy.dsn).items()}
    store = PostgresDatastore(
        parts["dbname"],
        parts["host"],
        parts["port"],
        parts["user"],
        parts.get("password", ""),
        schema="log",
    )
    with store, closing(LogRecorder(store)) as recorder:
        for version in range(1, CUTS + 1):
            _doom(proxy, rng, mark := _mark(rng))
            state = f'{{"stage": "{mark}"}}'.encode()
            saved = StoredEvent(stream, version, "lead.stage-changed", state)
            assert list(recorder.insert_events([saved]) or ()) == [version]
    catch_up(dsn)
    assert proxy.cuts == CUTS
    assert check(dsn) == []


async def _commands(proxy: LossyProxy, rng: Random) -> list[Acknowledged]:
    """One marked command after the other among others of their batch; each sent twice."""
    log = PostgresEventLog(proxy.dsn)
    loop = CommandLoop(log, Lead, evolve)
    leads = [uuid4() for _ in range(COMPANY)]
    await asyncio.gather(*(loop.run(_intent(lead, captured)) for lead in leads))
    answers = []
    for version in range(5, CUTS + 5):  # a capture is four events
        marks = [_mark(rng) for _ in leads]
        _doom(proxy, rng, rng.choice(marks))
        intents = [_follow_up(*pair, version) for pair in zip(leads, marks, strict=True)]
        for _ in range(2):
            replies = await asyncio.gather(*map(loop.run, intents))
            assert {reply.state.version for reply in replies} == {version}
            answers += list(map(_answer, marks, replies))
    await log.close()
    return answers


def _intent(lead: UUID, decide: Decide, version: int | None = None) -> Intent[Lead]:
    meta = Meta("user:chen", uuid4())
    return Intent(lead, by_state(decide), meta, b"body", version, repeatable=True)


def _follow_up(lead: UUID, mark: str, version: int) -> Intent[Lead]:
    record = FollowUpRecorded(code="GJ1", connected=False, method=mark)  # in clear
    decide = partial(
        record_follow_up, now=NOW, record=record, quality=Policies().follow_up, pipeline=Pipeline()
    )
    return _intent(lead, decide, version - 1)


def _answer(mark: str, reply: Reply[Lead]) -> Acknowledged:
    return Acknowledged(mark, mark, reply.state.id, reply.state.version, reply.position)


def _doom(proxy: LossyProxy, rng: Random, mark: str) -> None:
    """Cut for certain behind the commit, or somewhere around it."""
    proxy.doom(mark, pause=rng.choice((None, None, 0, rng.random() / 200)))


def _mark(rng: Random) -> str:
    return "key-" + "".join(rng.choices(string.ascii_lowercase, k=16))


def _rng() -> Random:
    print(f"SEED={SEED}")
    return Random(SEED)
