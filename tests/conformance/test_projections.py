"""Every read table is the fold of the log: whatever the batches, the order of leads, the way to it.

Judged three times: builds against each other, by the product's `verify`, and by the checker.
"""

import json
from collections import Counter
from random import Random
from uuid import UUID

import pytest

from adapters.postgres import rebuild as rebuilding
from adapters.postgres.builds import Build, ensure_building, ensure_live, swap
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import advance, catch_up
from adapters.postgres.tables import Connection, connect
from adapters.postgres.verify import table_hash, verify
from projections.base import Projection
from projections.catalogue import PROJECTIONS
from tests.checker import TABLES, check, read
from tests.checker_fold import Row
from tests.conformance.histories import append, history, interleaved
from tests.seed import SEED
from tests.size import size

ROUNDS, HISTORIES = size(2, 250), size(30, 80)
SPLITS = (1, 2, 7, 500)
PLACE = {
    "position", "captured_position", "converted_position", "opened_position",
    "channel_leads", "channel_converted", "waits_since", "pooled_since", "arms_since",
    "proposed_position",
}  # fmt: skip
STREAM = ("lead", "subject", "review", "id")
"""The columns that name a row's stream, the first that a table has; a message's id follows from it.
"""

FACTS = [name for name, p in PROJECTIONS.items() if all(table.facts for table in p.tables)]


@pytest.mark.parametrize("number", range(ROUNDS))
def test_batches_redeliveries_and_rebuilds_make_the_same_tables(
    number: int, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = _rng(number)
    append(dsn, interleaved(rng, [lead for _ in range(HISTORIES) for lead in history(rng)]))
    monkeypatch.setattr(rebuilding, "REBUILD_BATCH", 7)  # batches end in the middle of streams
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            ensure_live(conn, projection)
            hashes: dict[int | str, str] = {
                limit: _filled(conn, projection, limit) for limit in SPLITS
            }
            assert all(v.equal for v in verify(conn, projection))
            hashes["rebuilt"] = _hash(conn, rebuild(conn, projection))
            assert len(set(hashes.values())) == 1, (projection.name, hashes)
            assert all(v.equal for v in verify(conn, projection))
    assert check(dsn) == []


@pytest.mark.parametrize("number", range(ROUNDS))
def test_other_interleavings_make_the_same_rows_of_each_lead(number: int, dsn: str) -> None:
    rng = _rng(number)
    leads = [lead for _ in range(HISTORIES) for lead in history(rng)]
    twins = [[entry._replace(stream=_twin(entry.stream)) for entry in lead] for lead in leads]
    entries = interleaved(rng, leads) + interleaved(rng, twins)
    append(dsn, entries, per_commit=len(entries))  # what was recorded together is told together
    catch_up(dsn)
    assert check(dsn) == []
    theirs = {lead[0].stream for lead in twins}
    for name, rows in read(dsn).tables.items():
        if name not in ("channels", "people", "suspicions", "dismissals"):  # of more than one
            one = Counter(_shape(row) for row in rows if _stream(row) not in theirs)
            other = Counter(_shape(row) for row in rows if _stream(row) in theirs)
            assert one == other, name


def test_a_checkpoint_set_back_by_hand_does_not_go_unnoticed(dsn: str) -> None:
    """Nothing in the product does so. Facts refuse to be stored again: their events are parked and
    their tables stay as they were. Counts are found wrong.
    """
    rng = _rng(0)
    append(dsn, interleaved(rng, history(rng, leads=200)))
    catch_up(dsn)
    before = read(dsn).tables
    with connect(dsn) as conn:
        conn.execute("UPDATE projection.builds SET position = 0")
        conn.commit()
        catch_up(dsn)
        for name in ("leads", *FACTS):
            assert not all(v.equal for v in verify(conn, PROJECTIONS[name])), name
    after = read(dsn)
    assert after.parked.keys() >= set(FACTS)
    for table in (table for name in FACTS for table in TABLES[name]):
        assert after.tables[table] == before[table], table
    assert check(dsn) != []


def _rng(number: int) -> Random:
    print(f"SEED={SEED}")
    return Random(f"{SEED}-{number}")


def _filled(conn: Connection, projection: Projection, limit: int) -> str:
    """The hash of a build made in batches of `limit`, each delivered twice; it becomes live."""
    build = ensure_building(conn, projection)
    while not _delivered_twice(conn, projection, build, limit):
        pass
    with conn.transaction():
        swap(conn, projection, build)
    return _hash(conn, build)


def _hash(conn: Connection, build: Build) -> str:
    with conn.transaction():
        return table_hash(conn, build.name, build.schema)


def _delivered_twice(conn: Connection, projection: Projection, build: Build, limit: int) -> bool:
    first = advance(conn, projection, build, limit=limit)
    again = advance(conn, projection, build, limit=limit, upto=first.position)
    assert again.position == first.position
    return first.done


def _stream(row: Row) -> UUID:
    stream: UUID = next(row[name] for name in STREAM if name in row)
    return stream


def _twin(stream: UUID) -> UUID:
    return UUID(int=stream.int ^ 1 << 64)


def _shape(row: Row) -> str:
    """A stream's row without what depends on the place of its events among those of others."""
    kept = {name: value for name, value in row.items() if name not in {*PLACE, *STREAM}}
    kept["stream"] = min(_stream(row), _twin(_stream(row)))
    return json.dumps(kept, default=str, sort_keys=True)
