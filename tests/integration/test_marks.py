"""Append conditions across streams: who claimed a mark, and nobody decides on old news (R2, A1)."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from hashlib import blake2b
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Event, Meta
from aggregates.lead.events import LeadReopened, StageChanged
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from commands.loop import CommandLoop, Held, Intent, Reply
from commands.ports import Appended, Holders, NewEvents, Outcome

pytestmark = pytest.mark.anyio
PHONE, MAIL = (blake2b(word, digest_size=16).digest() for word in (b"phone", b"mail"))
LIMIT = 3
Logs = Callable[[], PostgresEventLog]


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def process(dsn: str) -> AsyncIterator[Logs]:
    """Makes logs, each with connections of its own, as another process has them."""
    logs: list[PostgresEventLog] = []

    def start() -> PostgresEventLog:
        logs.append(PostgresEventLog(dsn))
        return logs[-1]

    yield start
    for log in logs:
        await log.close()


def new(
    stream: UUID,
    after: int = 0,
    marks: Mapping[bytes, int] | None = None,
    *,
    command: UUID | None = None,
    events: int = 1,
) -> NewEvents:
    """Some events of a stream, claiming marks."""
    meta = Meta("user:chen", command or uuid4())
    return NewEvents(stream, after, [LeadReopened()] * events, meta, b"", marks or {})


def claim(
    stream: UUID, *marks: bytes, decide: Callable[[Lead, Held], Sequence[Event]] | None = None
) -> Intent[Lead]:
    """A command on a stream of its own that notes how many it found before it."""

    def count(_: Lead, held: Held) -> Sequence[Event]:
        return [StageChanged(stage=",".join(str(held[mark].count) for mark in marks))]

    return Intent(stream, decide or count, Meta("user:chen", uuid4()), b"", marks=marks)


def limited(_: Lead, held: Held) -> Sequence[Event]:
    if held[PHONE].count >= LIMIT:
        raise Refusal("limit", "enough")
    return [StageChanged(stage="claimed")]


def loop(log: PostgresEventLog) -> CommandLoop[Lead]:
    return CommandLoop(log, Lead, evolve)


async def test_who_holds_a_mark(process: Logs) -> None:
    """The first twenty streams in log order, each once; all claims; the last one's position."""
    log, streams = process(), [uuid4() for _ in range(25)]
    for stream in streams:
        known = (await log.holders([PHONE]))[PHONE].position
        await log.append(new(stream, 0, {PHONE: known}, events=2))
    await log.append(new(streams[0], 2, {PHONE: 50, MAIL: 0}))
    nobodys = b"n" * 16
    assert await log.holders([PHONE, MAIL, nobodys]) == {
        PHONE: Holders(tuple(streams[:20]), 26, 51),
        MAIL: Holders((streams[0],), 1, 51),
        nobodys: Holders((), 0, 0),
    }
    assert await log.holders([]) == {}


async def test_lookups_that_wait_together_are_one_query(
    process: Logs, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, asked = process(), 0
    await log.append(new(uuid4(), 0, {PHONE: 0}))
    rows = log._reads.rows

    async def counted(*query: str) -> list[tuple[object, ...]]:
        nonlocal asked
        asked += 1
        return await rows(*query)  # type: ignore[arg-type]

    monkeypatch.setattr(log._reads, "rows", counted)
    found = await asyncio.gather(*(log.holders([PHONE]) for _ in range(20)))
    assert {held[PHONE].count for held in found} == {1}
    assert asked <= 2


async def test_a_crowded_mark_is_claimed_without_contest(process: Logs) -> None:
    """A name that many customers have: from `enough` claims on nobody waits for anybody."""
    loops = [loop(process()) for _ in range(2)]
    first = [claim(uuid4(), PHONE) for _ in range(3)]
    for intent in first:
        await loops[0].run(intent)
    free = [claim(uuid4(), PHONE)._replace(enough=3) for _ in range(40)]
    found = await asyncio.gather(*(loops[n % 2].run(i) for n, i in enumerate(free)))
    assert all(int(reply.state.stage or 0) >= 3 for reply in found)
    positions = {reply.recorded_at for reply in found}
    assert len(positions) < len(found), "they shared commits"
    assert (await process().holders([PHONE]))[PHONE].count == 43


@pytest.mark.parametrize(("known", "outcome"), [(0, Outcome.CONFLICT), (1, Outcome.APPENDED)])
@pytest.mark.parametrize("own", [True, False], ids=["own stream", "another's"])
async def test_a_mark_claimed_meanwhile_is_a_conflict(
    process: Logs, known: int, outcome: Outcome, own: bool
) -> None:
    """Whoever claimed it; and a conflict leaves neither events nor claims behind."""
    log, stream = process(), uuid4()
    await log.append(new(stream, 0, {PHONE: 0}))
    other, after = (stream, 1) if own else (uuid4(), 0)
    done = await process().append(new(other, after, {MAIL: 0, PHONE: known}))
    assert done.outcome is outcome
    appended = int(outcome is Outcome.APPENDED)
    assert [held.count for held in (await log.holders([PHONE, MAIL])).values()] == [
        1 + appended,
        appended,
    ]
    assert len(await log.load(other)) == own + appended


async def test_a_conflict_of_versions_claims_nothing(process: Logs) -> None:
    log = process()
    assert (await log.append(new(uuid4(), 1, {PHONE: 0}))).outcome is Outcome.CONFLICT
    assert (await log.holders([PHONE]))[PHONE] == Holders()


async def test_a_claim_sent_twice_is_repeated(process: Logs) -> None:
    """P2: a lost reply is no conflict with oneself."""
    log, stream, command = process(), uuid4(), uuid4()
    first = await log.append(new(stream, 0, {PHONE: 0}, command=command))
    again = await log.append(new(stream, 0, {PHONE: 0}, command=command))
    assert again == Appended(Outcome.REPEATED, first.position)
    assert (await log.holders([PHONE]))[PHONE].count == 1


async def test_two_claims_never_pass_in_one_commit(process: Logs) -> None:
    """All of them wait together; the first one wins."""
    log = process()
    done = await asyncio.gather(*(log.append(new(uuid4(), 0, {PHONE: 0})) for _ in range(8)))
    assert [answer.outcome for answer in done] == [Outcome.APPENDED] + [Outcome.CONFLICT] * 7


async def test_a_decision_sees_every_claim_before_it(process: Logs) -> None:
    """In one process commands on a mark take turns: none tires of conflicts, none is overlooked."""
    here = loop(process())
    replies = await asyncio.gather(*(here.run(claim(uuid4(), PHONE)) for _ in range(50)))
    assert [reply.state.stage for reply in replies] == [str(n) for n in range(50)]
    assert not here._turns


async def test_a_limit_holds_between_processes(process: Logs) -> None:
    """The claims of one person on one day cannot be exceeded, however many try at once."""
    loops = [loop(process()) for _ in range(4)]
    tries = (there.run(claim(uuid4(), PHONE, decide=limited)) for there in loops for _ in range(4))
    done = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(reply, Reply) for reply in done) == LIMIT
    assert sum(isinstance(reply, Refusal) for reply in done) == 16 - LIMIT


async def test_a_cached_state_decides_with_fresh_holders(process: Logs) -> None:
    here, there, stream = loop(process()), loop(process()), uuid4()
    await here.run(claim(stream))
    await there.run(claim(uuid4(), PHONE))
    reply = await here.run(claim(stream, PHONE))
    assert (reply.state.version, reply.state.stage) == (2, "1")


async def test_marks_named_in_any_order_do_not_lock_each_other_out(process: Logs) -> None:
    here, orders = loop(process()), ((PHONE, MAIL), (MAIL, PHONE), (PHONE, PHONE))
    intents = [claim(uuid4(), *orders[n % 3]) for n in range(30)]
    await asyncio.wait_for(asyncio.gather(*map(here.run, intents)), 30)


async def test_claims_are_only_added_to(dsn: str, process: Logs) -> None:
    """By the service; whoever owns the database can take away what an erasure requires."""
    await process().append(new(uuid4(), 0, {PHONE: 0}))
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SET ROLE leadlog_writer")
        for change in ("UPDATE log.marks SET position = 9", "DELETE FROM log.marks"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(change)
