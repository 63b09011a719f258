"""The command loop on a real log: P2, stale caches, conflicts, repeated commands, outages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from adapters.embedded import Cluster
from adapters.postgres import event_log
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.session import Session
from aggregates.event import Event, Meta
from aggregates.lead import events as e
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from commands.loop import CommandLoop, CommandReused, Intent, Reply, VersionMismatch, by_state
from commands.ports import Appended, NewEvents, Noted, Outcome, Unavailable

pytestmark = pytest.mark.anyio
NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
BODY, OTHER_BODY = b"body", b"another body"
Decide = Callable[[Lead], Sequence[Event]]
Loops = Callable[[], CommandLoop[Lead]]


def captured(lead: Lead) -> Sequence[Event]:
    """Two events, and never again."""
    if lead.captured:
        raise Refusal("already-captured", "it has been captured")
    return [e.LeadCaptured(occurred_at=NOW, code="XLSH20240501001"), e.StageChanged(stage="A")]


def given_to(lead: Lead, owner: str) -> Sequence[Event]:
    """Two events for the first owner, one for another, none for the same."""
    if not lead.captured or lead.invalidated:
        raise Refusal("closed", "it has to be captured and open")
    if not lead.owner:
        return [e.LeadAssigned(occurred_at=NOW, owner=owner), e.StageChanged(stage="B")]
    if lead.owner == owner:
        return []
    return [e.LeadReassigned(occurred_at=NOW, owner=owner, previous_owner=lead.owner)]


def given_up(_: Lead) -> Sequence[Event]:
    """Always possible."""
    return [e.LeadInvalidated(occurred_at=NOW)]


def taken_up(lead: Lead) -> Sequence[Event]:
    """Nothing happens to a lead that is open."""
    return [e.LeadReopened(occurred_at=NOW)] if lead.invalidated else []


def followed_up(_: Lead) -> Sequence[Event]:
    """Always possible."""
    return [e.FollowUpRecorded(occurred_at=NOW, code="GJ20240501001", connected=False)]


to_chen: Decide = partial(given_to, owner="chen")
to_li: Decide = partial(given_to, owner="li")


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def process(dsn: str) -> AsyncIterator[Loops]:
    """Makes loops, each with connections and a cache of its own, as another process has them."""
    logs: list[PostgresEventLog] = []

    def start() -> CommandLoop[Lead]:
        logs.append(PostgresEventLog(dsn))
        return CommandLoop(logs[-1], Lead, evolve, cached_states=3)

    yield start
    for log in logs:
        await log.close()


def intent(
    stream: UUID,
    decide: Decide,
    command_id: UUID | None = None,
    *,
    body: bytes = BODY,
    expected_version: int | None = None,
) -> Intent[Lead]:
    """A command; one with an id may be repeated."""
    return Intent[Lead](
        stream,
        by_state(decide),
        Meta("user:chen", command_id or uuid4()),
        body,
        expected_version,
        repeatable=command_id is not None,
    )


async def test_a_command_is_recorded_and_its_state_returned(process: Loops) -> None:
    """The reply has the state after the command and the position of its last event."""
    here, lead = process(), uuid4()
    reply = await here.run(intent(lead, captured))
    assert (reply.state.version, reply.position, reply.repeated) == (2, 2, False)
    assert reply.recorded_at is not None
    assert await here.read(lead) == await process().read(lead) == reply.state


async def test_a_refusal_records_nothing(process: Loops) -> None:
    """The caller hears why."""
    here, lead = process(), uuid4()
    with pytest.raises(Refusal, match="captured"):
        await here.run(intent(lead, to_chen))
    assert (await here.read(lead)).version == 0


async def test_a_no_op_has_no_position(process: Loops) -> None:
    """Nothing had to be recorded."""
    here, lead = process(), uuid4()
    state = (await here.run(intent(lead, captured))).state
    assert await here.run(intent(lead, taken_up)) == Reply(state, None, None)


async def test_a_stale_state_never_refuses(process: Loops) -> None:
    """The other process took the lead up again; this one still remembers it as given up."""
    here, there, lead = process(), process(), uuid4()
    await here.run(intent(lead, captured))
    await here.run(intent(lead, given_up))
    await there.run(intent(lead, taken_up))
    assert (await here.run(intent(lead, to_chen))).state.owner == "chen"


async def test_a_stale_state_never_makes_a_command_moot(process: Loops) -> None:
    """The other process moved the lead on; this one still remembers chen as its owner."""
    here, there, lead = process(), process(), uuid4()
    await here.run(intent(lead, captured))
    await here.run(intent(lead, to_chen))
    await there.run(intent(lead, to_li))
    again = await here.run(intent(lead, to_chen))
    assert (again.state.owner, again.state.version) == ("chen", 6)


async def test_a_decision_on_a_stale_state_is_taken_again(process: Loops) -> None:
    """Conflict: first owner by what this process remembers, reassignment by what is true."""
    here, there, lead = process(), process(), uuid4()
    await here.run(intent(lead, captured))
    await there.run(intent(lead, to_chen))
    reply = await here.run(intent(lead, to_li))
    assert (reply.state.owner, reply.state.version) == ("li", 5)
    assert await there.read(lead) == reply.state


@pytest.mark.parametrize("decide", [captured, followed_up], ids=["refused now", "possible again"])
async def test_a_repeated_command_gets_its_first_reply(process: Loops, decide: Decide) -> None:
    """P2: although the state has moved on, in this process and in any other."""
    here, lead, command_id = process(), uuid4(), uuid4()
    if decide is followed_up:
        await here.run(intent(lead, captured))
    first = await here.run(intent(lead, decide, command_id))
    await here.run(intent(lead, to_chen))
    for loop in (here, process()):
        again = await loop.run(intent(lead, decide, command_id))
        assert again == Reply(first.state, first.position, first.recorded_at, repeated=True)
    assert (await here.read(lead)).version == first.state.version + 2


async def test_a_repeated_command_that_is_moot_by_now_gets_its_first_reply(process: Loops) -> None:
    """P2: the assignment stands, so a second one would record nothing."""
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    first = await here.run(intent(lead, to_chen, command_id))
    await here.run(intent(lead, followed_up))
    again = await here.run(intent(lead, to_chen, command_id))
    assert again == Reply(first.state, first.position, first.recorded_at, repeated=True)


async def test_a_repeat_after_the_effect_was_undone_does_not_redo_it(process: Loops) -> None:
    """P2: at most one effect, for ever."""
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    first = await here.run(intent(lead, to_chen, command_id))
    await here.run(intent(lead, to_li))
    again = await here.run(intent(lead, to_chen, command_id))
    assert (again.state, again.repeated) == (first.state, True)
    assert (await here.read(lead)).owner == "li"


async def test_what_changed_nothing_changes_nothing_when_repeated(process: Loops) -> None:
    """P2: chen owned the lead already; by the time of the repetition li does, and goes on to."""
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    await here.run(intent(lead, to_chen))
    first = await here.run(intent(lead, to_chen, command_id))
    await here.run(intent(lead, to_li))
    for loop in (here, process()):
        again = await loop.run(intent(lead, to_chen, command_id))
        assert again == Reply(first.state, None, None, repeated=True)
        with pytest.raises(CommandReused):
            await loop.run(intent(lead, to_chen, command_id, body=OTHER_BODY))
    assert (await here.read(lead)).owner == "li"
    assert first == Reply(again.state, None, None)


async def test_nothing_changed_only_while_nobody_changes_anything(dsn: str) -> None:
    """P2: it is noted behind the last event or not at all, once, and only for its command."""
    log, lead, command_id = PostgresEventLog(dsn), uuid4(), uuid4()
    await log.append(NewEvents(lead, 0, [e.LeadReopened()] * 2, Meta("user:chen", uuid4()), BODY))
    done = []
    for after, body in ((1, BODY), (3, BODY), (2, BODY), (2, BODY), (2, OTHER_BODY)):
        done.append(await log.append(NewEvents(lead, after, [], Meta("-", command_id), body)))
    assert [answer.outcome for answer in done] == [
        Outcome.CONFLICT, Outcome.CONFLICT, Outcome.APPENDED, Outcome.REPEATED, Outcome.REUSED
    ]  # fmt: skip
    assert done[2] == Appended(Outcome.APPENDED)
    assert await log.find(command_id) == Noted(BODY, lead, 2, None, None)
    await log.close()


async def test_only_what_may_be_repeated_is_noted(dsn: str, process: Loops) -> None:
    """A no-op that nobody can ask for again costs no row."""
    here, lead = process(), uuid4()
    await here.run(intent(lead, captured))
    for command_id in (None, uuid4(), None):
        await here.run(intent(lead, taken_up, command_id))
    with psycopg.connect(dsn) as conn:
        noted = conn.execute("SELECT effect, position FROM log.ledger ORDER BY effect").fetchall()
    assert noted == [(False, 2), (True, 2)]


@pytest.mark.parametrize("other", [captured, followed_up, to_chen], ids=["refused", "new", "moot"])
async def test_a_command_id_stands_for_one_command(process: Loops, other: Decide) -> None:
    """P2: with another body it is refused, whatever that would have come to."""
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    await here.run(intent(lead, to_chen, command_id))
    for loop in (here, process()):
        with pytest.raises(CommandReused):
            await loop.run(intent(lead, other, command_id, body=OTHER_BODY))
        with pytest.raises(CommandReused):
            await loop.run(intent(uuid4(), captured, command_id, body=OTHER_BODY))
    assert (await here.read(lead)).version == 4


async def test_the_expected_version_must_be_the_streams(process: Loops) -> None:
    """If-Match: judged on the log, not on what this process remembers."""
    here, there, lead = process(), process(), uuid4()
    await here.run(intent(lead, captured))
    await there.run(intent(lead, to_chen))
    for stale in (0, 2, 3, 5):
        with pytest.raises(VersionMismatch, match=f"expected version {stale}, found 4"):
            await here.run(intent(lead, to_li, expected_version=stale))
    assert (await here.run(intent(lead, to_li, expected_version=4))).state.version == 5
    with pytest.raises(VersionMismatch, match="expected version 4, found 5"):
        await here.run(intent(lead, to_chen, expected_version=4))


async def test_a_repeat_with_the_version_of_then_gets_its_first_reply(process: Loops) -> None:
    """P2: no false mismatch after a lost reply."""
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    first = await here.run(intent(lead, to_chen, command_id, expected_version=2))
    again = await here.run(intent(lead, to_chen, command_id, expected_version=2))
    assert again == Reply(first.state, first.position, first.recorded_at, repeated=True)


async def test_the_cache_is_bounded(process: Loops) -> None:
    """Memory does not grow with the number of leads; forgotten ones are loaded again."""
    here, leads = process(), [uuid4() for _ in range(10)]
    for lead in leads:
        await here.run(intent(lead, captured))
    assert len(here._cache) == 3
    for lead in leads:
        assert (await here.run(intent(lead, to_chen))).state.version == 4
    assert len(here._cache) == 3
    assert not here._turns


QUESTIONS: dict[str, Callable[[PostgresEventLog], Awaitable[object]]] = {
    "append": lambda log: log.append(
        NewEvents(uuid4(), 0, [e.LeadReopened()], Meta("user:chen", uuid4()), BODY)
    ),
    "load": lambda log: log.load(uuid4()),
    "find": lambda log: log.find(uuid4()),
    "holders": lambda log: log.holders([b"m" * 16]),
    "take": lambda log: log.take("X", NOW.date()),
}


@pytest.mark.parametrize("ask", QUESTIONS.values(), ids=QUESTIONS)
async def test_closing_waits_for_what_is_under_way(
    dsn: str, ask: Callable[[PostgresEventLog], Awaitable[object]]
) -> None:
    """Nobody who asked before is left without an answer, and no connection is left open."""
    log = PostgresEventLog(dsn)
    asked = asyncio.ensure_future(ask(log))
    await asyncio.sleep(0)
    await log.close()
    assert asked.done()
    await asked
    assert not any(session._conn for session in (log._writes, log._reads, log._numbers))


async def test_sixteen_writers_on_one_lead_all_succeed(process: Loops) -> None:
    """P3: versions 1..n without holes, each command once."""
    here, lead = process(), uuid4()
    await here.run(intent(lead, captured))
    replies = await asyncio.gather(*(here.run(intent(lead, followed_up)) for _ in range(16)))
    assert sorted(reply.state.version for reply in replies) == list(range(3, 19))
    assert sorted(reply.position or 0 for reply in replies) == list(range(3, 19))
    assert (await process().read(lead)).follow_ups == 16


async def test_the_same_command_sixteen_times_at_once_has_one_effect(process: Loops) -> None:
    """P2: in one process and in another at the same time."""
    loops, lead, command_id = [process(), process()], uuid4(), uuid4()
    await loops[0].run(intent(lead, captured))
    replies = await asyncio.gather(
        *(loop.run(intent(lead, followed_up, command_id)) for loop in loops for _ in range(8))
    )
    assert {(reply.state.version, reply.position) for reply in replies} == {(3, 3)}
    assert sum(not reply.repeated for reply in replies) == 1


async def test_a_database_that_is_gone_and_comes_back(
    dsn: str, cluster: Cluster, process: Loops, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unavailable, for as long as it is; then the same command goes through once."""
    monkeypatch.setattr(event_log, "Session", partial(Session, patience=0.3))
    here, lead, command_id = process(), uuid4(), uuid4()
    await here.run(intent(lead, captured))
    allow_connections(dsn, cluster, allowed=False)
    with pytest.raises(Unavailable, match="the database does not answer"):
        await here.run(intent(lead, to_chen, command_id))
    with pytest.raises(Unavailable, match="the database does not answer"):
        await here.read(lead)
    allow_connections(dsn, cluster, allowed=True)
    assert (await here.run(intent(lead, to_chen, command_id))).state.version == 4


async def test_a_connection_that_is_cut_is_nobodys_business(
    dsn: str, cluster: Cluster, process: Loops
) -> None:
    """The session comes back by itself within its patience."""
    here, lead = process(), uuid4()
    await here.run(intent(lead, captured))
    cut_connections(dsn, cluster)
    assert (await here.run(intent(lead, to_chen))).state.version == 4


def allow_connections(dsn: str, cluster: Cluster, *, allowed: bool) -> None:
    """Open or close the test's database to everybody."""
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as admin:
        admin.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
    cut_connections(dsn, cluster)


def cut_connections(dsn: str, cluster: Cluster) -> None:
    """End every connection to the test's database."""
    name = conninfo_to_dict(dsn)["dbname"]
    with psycopg.connect(cluster.dsn("postgres")) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s",
            [name],
        )
