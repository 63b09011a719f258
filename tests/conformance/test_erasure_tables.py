"""Of an erased lead nothing personal is left in any table, and what it counts in is as it was.

Judged by a search of every column of every table, by the reports, by builds against each other and
by the checker.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest

from adapters.postgres import rebuild as rebuilding
from adapters.postgres import reports
from adapters.postgres.builds import find
from adapters.postgres.due_leads import PostgresDueLeads
from adapters.postgres.outbox import PostgresOutbox
from adapters.postgres.parking import retry
from adapters.postgres.pool_queries import pooled
from adapters.postgres.rebuild import rebuild
from adapters.postgres.review_queries import proposals
from adapters.postgres.reviewing import PostgresReviewing
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import table_hash, verify
from adapters.postgres.workloads import PostgresWorkloads
from aggregates.directory.scope import EVERYTHING
from aggregates.lead.events import InfoChanged, LeadCaptured, LeadPaused, LeadResumed, StageChanged
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import UNASSIGNED
from aggregates.policy.work import CleanUp
from commands.notifications import Standing
from projections.catalogue import PROJECTIONS
from projections.lead_attributes import HIDDEN
from projections.reports import params
from projections.reports.catalogue import REPORTS
from tests.checker import check
from tests.conformance.forgetting import NOW, Canary, erasure, found
from tests.conformance.histories import PEOPLE, Entry, append, append_bytes, history, interleaved
from tests.seed import SEED
from tests.size import size

ROUNDS, HISTORIES = size(2, 60), size(40, 80)
CHUNKS = (1, 3, 40, 200)
MANY = 10_000
DIMENSIONS = ("all", "source", "owner", "team", "level")
IS_OPEN = "captured AND NOT (merged OR converted OR invalidated OR erased)"
AS_IT_STANDS = {"workload"}
"""Reports of what is to be done: an erased lead is worked on no more."""
WORK = {
    "queue": ("tasks", "tasks WHERE state = 'open'"),
    "sweep": ("tasks", "tasks WHERE rings_at IS NOT NULL"),
    "waiting": ("workload", "carried WHERE waits_since IS NOT NULL"),
    "pools": ("workload", f"carried WHERE pool IS NOT NULL AND {IS_OPEN}"),
    "standing": (
        "reviewing",
        "findings WHERE known_until IS NULL AND finding NOT IN ('late', 'escalated')",
    ),
    "proposed": ("reviewing", "standings WHERE stands"),
    "overdue": ("leads", "leads WHERE overdue OR due_at IS NOT NULL"),
}
"""Where somebody is asked to do something about a lead: the projection, and how it is found."""


@pytest.mark.parametrize("number", range(ROUNDS))
def test_tables_that_saw_what_was_erased_are_as_those_that_never_did(
    number: int, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = _rng(number)
    entries = interleaved(rng, [lead for _ in range(HISTORIES) for lead in history(rng)])
    while entries:
        length = rng.choice(CHUNKS)
        append(dsn, entries[:length])
        entries = entries[length:]
        catch_up(dsn, rng.sample(sorted(PROJECTIONS), rng.randint(0, 10)))  # others fall behind
    catch_up(dsn)
    assert check(dsn) == []
    monkeypatch.setattr(rebuilding, "REBUILD_BATCH", 7)  # batches end in the middle of streams
    with connect(dsn) as conn:
        for name, projection in PROJECTIONS.items():
            assert all(v.equal for v in verify(conn, projection)), name
            before = _hash(conn, name)
            rebuild(conn, projection)
            assert _hash(conn, name) == before, name


def test_an_erasure_leaves_nothing_personal_and_every_figure(dsn: str) -> None:
    rng = _rng(-1)
    streams = [own for own in _histories(rng, HISTORIES) if not any(map(_is_erasure, own))]
    canaries = {own[0].stream: Canary(n) for n, own in enumerate(streams, 1)}
    append(dsn, interleaved(rng, [[canaries[x.stream].put_in(x) for x in own] for own in streams]))
    catch_up(dsn)
    with connect(dsn) as conn:
        for name, projection in PROJECTIONS.items():
            rebuild(conn, projection)  # so that there are old builds
            assert find(conn, name, "old")
    leads = [own for own in streams if isinstance(own[0].event, LeadCaptured)]
    gone = rng.sample(leads, len(leads) // 2)
    erased = [canaries[own[0].stream] for own in gone]
    kept = [canaries[own[0].stream] for own in leads if own not in gone]
    assert found(dsn, erased) == {canary.word for canary in erased}
    figures = _figures(dsn)

    append(dsn, [erasure(own) for own in gone])
    catch_up(dsn)
    assert found(dsn, erased) == set()
    assert found(dsn, kept) == {canary.word for canary in kept}
    after = _figures(dsn)
    assert after.keys() == figures.keys()
    assert [key for key, body in figures.items() if after[key] != body] == []
    assert check(dsn) == []
    with connect(dsn) as conn:
        for name, projection in PROJECTIONS.items():
            assert all(v.equal for v in verify(conn, projection)), name
            before = _hash(conn, name)
            rebuild(conn, projection)
            assert _hash(conn, name) == before, name


def test_what_is_due_on_a_lead_ends_with_its_erasure(dsn: str) -> None:
    """Nobody has it to do, to assign, to claim or to review any more, and it stays in the list."""
    rng = _rng(-2)
    streams = _much_to_do(rng)
    append(dsn, interleaved(rng, streams))
    leads = [own for own in streams if isinstance(own[0].event, LeadCaptured)]
    catch_up(dsn)
    before = {name: _streams(dsn, *place) for name, place in WORK.items()}
    assert all(before.values()), {name: len(found) for name, found in before.items()}
    append(dsn, [erasure(own) for own in leads])
    catch_up(dsn)
    assert {name: _streams(dsn, *place) for name, place in WORK.items()} == {
        name: [] for name in WORK
    }
    assert _streams(dsn, "workload", "people WHERE load > 0 OR owned > 0", "person") == []
    listed = _streams(dsn, "leads", "leads WHERE erased_at IS NOT NULL AND due_at IS NULL")
    assert {own[0].stream for own in leads} == set(listed)


def test_the_last_clear_value_of_an_attribute_counts_again(dsn: str) -> None:
    """What was never sealed stands in the log as before; a history file's values are clear."""
    typed = [LeadCaptured(code="A", details={"size": 7}), InfoChanged(details={"size": "大"})]
    history = {"size": "大，13912345678"}
    imported = [
        LeadCaptured(code="B", source_system="crm", details=history),
        InfoChanged(details={"size": "小", "remark": "忘"}),
    ]
    leads = [
        [Entry(stream, n, event) for n, event in enumerate(own, 1)]
        for stream, own in ((uuid4(), typed), (uuid4(), imported))
    ]
    append(dsn, [entry for own in leads for entry in own])
    catch_up(dsn)
    hidden = {"size": HIDDEN}
    assert _attributes(dsn) == [(hidden, {}), (hidden | {"remark": HIDDEN}, {})]
    append(dsn, [erasure(own) for own in leads])
    catch_up(dsn)
    assert _attributes(dsn) == [({"size": 7}, {}), (history, {"size": "大，139****5678"})]
    assert check(dsn) == []


def test_who_was_told_of_the_end_of_a_pause_stays_told(dsn: str) -> None:
    """That the clock ended it is no personal value."""
    captured = LeadCaptured(code="A", details={"owner": "Ana"})
    events = (captured, LeadPaused(occurred_at=NOW), LeadResumed(by_clock=True))
    lead = uuid4()
    own = [Entry(lead, n, event) for n, event in enumerate(events, 1)]
    append(dsn, own)
    catch_up(dsn)
    told = ("notifications", "notifications WHERE kind = 'resumed'", "subject")
    assert _streams(dsn, *told) == [lead]
    append(dsn, [erasure(own)])
    catch_up(dsn)
    assert _streams(dsn, *told) == [lead]
    assert check(dsn) == []


def test_no_process_is_offered_an_erased_lead(dsn: str) -> None:
    rng = _rng(-3)
    streams = _much_to_do(rng)
    append(dsn, interleaved(rng, streams))
    leads = [own for own in streams if isinstance(own[0].event, LeadCaptured)]
    catch_up(dsn)
    before = asyncio.run(_offered(dsn))
    assert all(before.values()), {name: len(found) for name, found in before.items()}
    append(dsn, [erasure(own) for own in leads])
    catch_up(dsn)
    after = asyncio.run(_offered(dsn))
    assert not any(after.values()), after
    standings = asyncio.run(_standings(dsn, [own[0].stream for own in leads]))
    assert len(standings) == len(leads)
    assert all(lead.over for lead in standings.values())


async def _standings(dsn: str, leads: Sequence[UUID]) -> Mapping[UUID, Standing]:
    outbox = PostgresOutbox(dsn)
    try:
        return (await outbox.standings(leads))[1]
    finally:
        await outbox.close()


async def _offered(dsn: str) -> dict[str, int]:
    """How many leads the ports of the processes and the lists of work have."""
    async with AsyncExitStack() as stack:
        ports = PostgresWorkloads(dsn), PostgresDueLeads(dsn), PostgresReviewing(dsn)
        for port in ports:
            stack.push_async_callback(port.close)
        workloads, due, reviewing = ports
        offered: dict[str, Collection[Any]] = {
            "waiting": await workloads.waiting(0, MANY),
            "owned": await workloads.owned_by(list(filter(None, PEOPLE)), None, MANY),
            "in pools": await workloads.in_pools(),
            "due": (await due.due(NOW, MANY))[1],
            "unarmed": (await due.unarmed(datetime(2024, 1, 1, tzinfo=UTC), 0, MANY))[1],
            "to give up": await reviewing.to_give_up(NOW, "2026-01", CleanUp(), None, MANY),
            "idle": await reviewing.idle(NOW, None, MANY),
        }
    with connect(dsn) as conn:
        offered["pooled"] = pooled(conn, ["公海", "华南"], 0, MANY)[1]
        offered["proposed"] = proposals(conn, EVERYTHING, 0, MANY)[1]
    return {name: len(leads) for name, leads in offered.items()}


def test_an_erasure_does_not_wait_behind_a_parked_event(dsn: str) -> None:
    canary, lead = Canary(1), uuid4()
    captured = Entry(lead, 1, LeadCaptured(occurred_at=NOW, code="XLSH20260101001"))
    append(dsn, [canary.put_in(captured)])
    append_bytes(dsn, lead, 2, "lead.converted", b'{"amount": ["85000.00"]}')
    catch_up(dsn)
    assert found(dsn, [canary]) == {canary.word}
    append(dsn, [Entry(lead, 3, PersonalDataErased(occurred_at=NOW, reason="撤回同意", by="Ana"))])
    append(dsn, [Entry(lead, 4, StageChanged(occurred_at=NOW, stage="已联系"))])
    catch_up(dsn)
    assert found(dsn, [canary]) == set()
    assert check(dsn, parked=True) == []
    with connect(dsn) as conn:
        personal = [p.name for p in PROJECTIONS.values() if p.personal]
        why = "SELECT DISTINCT error FROM projection.parked WHERE position = 2 AND name = ANY (%s)"
        # All else that is said may quote a value; the others have seen none.
        assert conn.execute(why, (personal,)).fetchall() == [("ValidationError",)]
        conn.commit()
        for projection in PROJECTIONS.values():
            retry(conn, projection)
            assert all(v.equal for v in verify(conn, projection)), projection.name
    assert check(dsn, parked=True) == []


def test_tables_that_lag_behind_an_erasure_are_judged_once_they_reflect_it(dsn: str) -> None:
    append(dsn, [Canary(1).put_in(Entry(lead := uuid4(), 1, LeadCaptured(code="XLSH1")))])
    catch_up(dsn)
    append(dsn, [Entry(lead, 2, PersonalDataErased(reason="撤回同意", by="Ana"))])
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            assert all(v.equal for v in verify(conn, projection)), projection.name


def _rng(number: int) -> Random:
    print(f"SEED={SEED}")
    return Random(f"{SEED}-{number}")


def _hash(conn: Connection, name: str) -> str:
    with conn.transaction():
        live = find(conn, name, "live")
        assert live
        return table_hash(conn, name, live.schema)


def _histories(rng: Random, number: int) -> list[list[Entry]]:
    return [own for _ in range(number) for own in history(rng, captured_first=True)]


def _much_to_do(rng: Random) -> list[list[Entry]]:
    """Histories of leads that are not erased, and one that waits for an owner, which is rare."""
    random = [own for own in _histories(rng, 8 * HISTORIES) if not any(map(_is_erasure, own))]
    lead, events = uuid4(), (LeadCaptured(code="A"), StageChanged(stage=UNASSIGNED))
    return [*random, [Entry(lead, n, event) for n, event in enumerate(events, 1)]]


def _attributes(dsn: str) -> list[Any]:
    with connect(dsn) as conn:
        live = find(conn, "leads", "live")
        assert live
        asked = f"SELECT attributes, masked_attributes FROM {live.schema}.leads ORDER BY code"
        return conn.execute(asked).fetchall()


def _is_erasure(entry: Entry) -> bool:
    return isinstance(entry.event, PersonalDataErased)


def _figures(dsn: str) -> dict[tuple[str, str, datetime | None], Any]:
    """The reports, as they are now and as of an instant before any erasure."""
    with connect(dsn) as conn:
        return {
            (name, by, as_of): {**body, "position": None}
            for name, report in REPORTS.items()
            for by in DIMENSIONS
            for as_of in (None, NOW)
            if name not in AS_IT_STANDS and by in report.dimension_names
            for asked in [params.read(report, {"dimension": by, "as_of": as_of}, "Asia/Shanghai")]
            for body in [reports.run(conn, report, asked)]
        }


def _streams(dsn: str, name: str, asked: str, column: str = "lead") -> list[UUID]:
    with connect(dsn) as conn:
        live = find(conn, name, "live")
        assert live
        query = f"SELECT DISTINCT {column} FROM {live.schema}.{asked}"
        return [stream for (stream,) in conn.execute(query)]
