"""An event that cannot be folded parks its lead, in that projection only, visibly (P6).

What another event would not have fared better with, a lost connection or a missing right, never
parks: the batch is tried again.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.postgres import rebuild as rebuilding
from adapters.postgres.builds import ensure_live, live_builds
from adapters.postgres.parking import parked_positions, retry
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import advance, catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import verify
from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.privacy_events import PersonalDataErased
from projections.catalogue import PROJECTIONS
from tests.checker import check
from tests.conformance.histories import Entry, append, append_bytes, history, interleaved
from tests.seed import SEED

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
BOTH = ("leads", "conversions")
ALL = tuple(n for n, p in PROJECTIONS.items() if "lead.converted" in p.topics)
LONG = Random(0).randbytes(8_000).hex().encode()
POISON = {
    "not JSON": ("lead.converted", b"\xff\x00", ALL),
    "another shape": ("lead.converted", b'{"amount": ["85000.00"]}', ALL),
    "no such number": ("lead.converted", b'{"amount": "1E+200000"}', BOTH),
    "NUL": ("lead.captured", rb'{"code": "X", "details": {"source": "a\u0000b"}}', BOTH),
    "NUL inside": (
        "lead.captured",
        rb'{"code": "X", "source_system": "crm", "details": {"a": ["\u0000"]}}',
        ("leads",),
    ),
    "too long for a key": (
        "lead.captured",
        b'{"code": "X", "details": {"source": "%b"}}' % LONG,
        ("conversions",),
    ),
}


@pytest.mark.parametrize(("topic", "state", "parking"), POISON.values(), ids=POISON)
def test_poison_parks_its_lead_and_others_go_on(
    topic: str, state: bytes, parking: tuple[str, ...], dsn: str
) -> None:
    lead = uuid4()
    append(dsn, _lead(lead))
    append_bytes(dsn, lead, 3, topic, state)
    append(dsn, _further(lead, e.LeadAssigned(owner="Bo"), e.StageChanged(stage="已联系"), at=4))
    append(dsn, interleaved(Random(1), history(Random(1), leads=20)))
    catch_up(dsn)
    with connect(dsn) as conn:
        following = {4: "lead.assigned", 5: "lead.stage-changed"}
        for name, projection in PROJECTIONS.items():
            waiting = {3} | {n for n, topic in following.items() if topic in projection.topics}
            assert _parked(conn, name) == (waiting if name in parking else set())
    _all_equal(dsn)


@pytest.mark.parametrize("limit", [1, 2, 3, 500])
def test_later_events_of_a_parked_lead_wait_in_batches_of_any_size(limit: int, dsn: str) -> None:
    rng = _rng()
    leads = history(rng, leads=30)
    poisoned = {rng.choice(leads)[0].stream for _ in range(4)}
    entries = interleaved(rng, leads)
    for entry in entries:
        if entry.stream in poisoned and entry.version == 2:
            append_bytes(dsn, entry.stream, 2, "lead.converted", b"{]")
        else:
            append(dsn, [entry])
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            build = ensure_live(conn, projection)
            while not advance(conn, projection, build, limit=limit).done:
                pass
    _all_equal(dsn)


@pytest.mark.parametrize("limit", [1, 2, 500])
def test_an_erasure_forgets_why_what_was_before_it_is_parked(limit: int, dsn: str) -> None:
    """That alone, whatever comes in one batch with it: an error may quote what is to be gone."""
    before, behind, broken = uuid4(), uuid4(), b'{"amount": ["85000.00"]}'
    erasure = PersonalDataErased(occurred_at=AT, reason="asked for")
    append(dsn, _lead(before))
    append_bytes(dsn, before, 3, "lead.converted", broken)
    append(dsn, _further(before, erasure, at=4))
    append(dsn, [*_lead(behind), *_further(behind, erasure, at=3)])
    append_bytes(dsn, behind, 4, "lead.converted", broken)
    with connect(dsn) as conn:
        build = ensure_live(conn, PROJECTIONS["leads"])
        while not advance(conn, PROJECTIONS["leads"], build, limit=limit).done:
            pass
        found = conn.execute("SELECT stream, error FROM projection.parked").fetchall()
    why = dict(found)
    assert len(found) == 2
    assert why[before] == "ValidationError"
    assert why[behind].startswith("ValidationError: Expected")


@pytest.mark.parametrize("batch", [1, 2, 3, 500])
def test_a_rebuild_parks_the_same_events(
    batch: int, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = _rng()
    first, *others = history(rng, leads=20, longest=6)
    stream = first[0].stream
    append(dsn, first)
    append_bytes(dsn, stream, len(first) + 1, "lead.converted", b"{]")
    append(dsn, _further(stream, *[e.LeadAssigned(owner="Bo")] * 5, at=len(first) + 2))
    append(dsn, interleaved(rng, others))
    catch_up(dsn)
    monkeypatch.setattr(rebuilding, "REBUILD_BATCH", batch)
    with connect(dsn) as conn:
        for name, projection in PROJECTIONS.items():
            before = _parked(conn, name)
            rebuild(conn, projection)
            assert _parked(conn, name) == before
    _all_equal(dsn)


@pytest.mark.parametrize("name", ["leads", "conversions"])
def test_retry_folds_in_order_what_waited(name: str, dsn: str) -> None:
    rng = _rng()
    append(dsn, interleaved(rng, history(rng, leads=30)))
    with _superstition(dsn, name) as conn:
        assert len(_parked(conn, name)) == 2
    with connect(dsn) as conn:
        assert retry(conn, PROJECTIONS[name]) == (2, 0)
    assert check(dsn) == []
    _all_equal(dsn)


def test_retry_leaves_parked_what_still_fails(dsn: str) -> None:
    with _superstition(dsn, "leads") as conn:
        waiting = _parked(conn, "leads")
        assert retry(conn, PROJECTIONS["leads"]) == (0, 2)
        assert _parked(conn, "leads") == waiting
    _all_equal(dsn)


def test_a_missing_right_stops_the_projection_and_parks_nothing(dsn: str) -> None:
    catch_up(dsn)
    append(dsn, _lead(uuid4()))
    with connect(dsn) as conn:
        table = _table(conn, "leads")
        conn.execute(f"REVOKE INSERT ON {table} FROM leadlog_projector")
        conn.commit()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            catch_up(dsn)
        assert _parked(conn, "leads") == set()
        conn.execute(f"GRANT INSERT ON {table} TO leadlog_projector")
    catch_up(dsn)
    assert check(dsn) == []


def test_a_lost_connection_parks_nothing(dsn: str) -> None:
    catch_up(dsn)
    append(dsn, _lead(uuid4()))
    with connect(dsn) as conn, connect(dsn, "postgres") as other:
        table = _table(other, "leads")
        other.execute(f"LOCK TABLE {table} IN EXCLUSIVE MODE")
        killer = threading.Thread(target=_terminate_waiting, args=(dsn,))
        killer.start()
        build = ensure_live(conn, PROJECTIONS["leads"])
        with pytest.raises(psycopg.OperationalError):
            advance(conn, PROJECTIONS["leads"], build)
        killer.join()
    with connect(dsn) as conn:
        assert _parked(conn, "leads") == set()
    catch_up(dsn)
    assert check(dsn) == []


@contextmanager
def _superstition(dsn: str, name: str) -> Iterator[Connection]:
    """While a table takes no amount of 13: a lead that has one, folded as far as that goes."""
    catch_up(dsn)
    won = e.LeadConverted(occurred_at=AT, amount=Decimal(13))
    append(dsn, _lead(uuid4(), won, e.LeadAssigned(owner="Bo")))
    append(dsn, _lead(uuid4(), e.LeadConverted(occurred_at=AT)))  # another one of its source
    with connect(dsn) as conn:
        table = _table(conn, name)
        conn.execute(f"ALTER TABLE {table} ADD CONSTRAINT superstition CHECK (amount <> 13)")
        conn.commit()
        catch_up(dsn)
        yield conn
        conn.execute(f"ALTER TABLE {table} DROP CONSTRAINT superstition")


def _rng() -> Random:
    print(f"SEED={SEED}")
    return Random(SEED)


def _terminate_waiting(dsn: str) -> None:
    """Cut the connection of whoever waits for a lock, as soon as somebody does."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        while not conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        ).fetchall():
            pass


def _table(conn: Connection, name: str) -> str:
    with conn.transaction():
        return f"{live_builds(conn)[name].schema}.{name}"


def _lead(stream: UUID, *more: Event) -> list[Entry]:
    """A captured and assigned lead, with further events."""
    events = [e.LeadCaptured(code="XLSH1", details={"source": "展会"}), e.LeadAssigned(owner="Al")]
    return _further(stream, *events, *more, at=1)


def _further(stream: UUID, *events: Event, at: int) -> list[Entry]:
    return [Entry(stream, n, event) for n, event in enumerate(events, at)]


def _parked(conn: Connection, name: str) -> set[int]:
    with conn.transaction():
        return parked_positions(conn, live_builds(conn)[name])


def _all_equal(dsn: str) -> None:
    """The tables are the fold of the log without what is parked."""
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            assert all(v.equal for v in verify(conn, projection)), projection.name
    assert check(dsn, parked=True) == []
