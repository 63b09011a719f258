"""`leadlog worker --from-kafka` and the commands beside it, as a user runs them."""

from pathlib import Path
from random import Random

import psycopg
import pytest

from adapters.kafka.local import LocalKafka
from adapters.postgres import fed
from adapters.postgres.fed import PARTITIONED
from adapters.postgres.runner import catch_up
from adapters.settings import Settings, StartupError
from tests.conformance.histories import Entry, append, history, interleaved
from tests.integration.program import Program
from tests.kafka.feeding import differences, has_read, until, workers
from tests.kafka.publishing import Message, Topic
from tests.seed import SEED

SETTINGS = Settings(allow_unsafe_postgres=True)
REFUSED = (
    "worker", "serve --port 0", "projections verify", "projections rebuild leads",
    "projections retry leads", "projections rollback leads", "report conversions",
    "report wins --at-position 1", "users add boss --role admin", "timers list",
    "audit verify", "audit checkpoint", "keys rotate",
)  # fmt: skip
POSITIONS = "SELECT DISTINCT position FROM projection.builds WHERE name = ANY (%s)"


def test_rebuilding_reads_the_topic_from_its_beginning(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, open_tmp: Path
) -> None:
    """While a worker runs; before and after it the hashes are those of the log's own tables."""
    topic = Topic(kafka, prefix)
    append(dsn, _some())
    topic.publish(dsn)
    catch_up(dsn)
    with workers(kafka, topic, open_tmp) as start:
        start(second_dsn, LEADLOG_KAFKA_LOG=dsn)
        has_read(topic, second_dsn)
        _spoil(second_dsn)
        assert differences(dsn, second_dsn, names=["stages"]) != {}
        Program(second_dsn)("projections", "rebuild", "--all")
        has_read(topic, second_dsn)
        with psycopg.connect(second_dsn, autocommit=True) as conn:
            until(
                lambda: conn.execute(POSITIONS, (list(PARTITIONED),)).fetchall() == [(topic.count,)]
            )
    assert differences(dsn, second_dsn) == {}
    there, own = (_listed(Program(each)("projections", "list")) for each in (second_dsn, dsn))
    for name in PARTITIONED:
        _, position, lag, parked, digest = there[name]
        assert (position, lag, parked) == (str(topic.count), "0", "0")
        assert digest == own[name][-1]


def test_stopping_leaves_at_once_also_when_the_broker_is_gone(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, open_tmp: Path
) -> None:
    """The next worker has the partitions without waiting for the session's end."""
    topic = Topic(kafka, prefix)
    settings = {"LEADLOG_KAFKA_LOG": dsn, "LEADLOG_KAFKA_SESSION_SECONDS": 300}
    append(dsn, _some())
    topic.publish(dsn)
    with workers(kafka, topic, open_tmp) as start:
        first = start(second_dsn, **settings)
        has_read(topic, second_dsn)
        assert first.stop() < 10
        topic.send([Message(b"x", b"none of ours")])
        second = start(second_dsn, **settings)
        has_read(topic, second_dsn)
        kafka.kill()
        try:
            assert second.stop() < 15
        finally:
            kafka.start(0)


def test_a_database_has_a_log_or_a_topic(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(dsn, _some()[:1])
    worker = ("worker", "--from-kafka")
    Program(dsn)(*worker, refused="set LEADLOG_KAFKA")
    monkeypatch.setenv("LEADLOG_KAFKA", kafka.bootstrap)
    Program(dsn)(*worker, refused="has events of its own")
    fed.claim(second_dsn, f"{prefix}.events", SETTINGS)
    Program(second_dsn)(*worker, refused=f"is fed from {prefix}.events, not leadlog.events")
    for command in REFUSED:
        Program(second_dsn)(*command.split(), refused="fed from")
    assert "converted" in Program(second_dsn)("report", "wins", "--format", "csv")


def test_tables_of_another_version_are_not_filled_on(second_dsn: str) -> None:
    fed.claim(second_dsn, "leadlog.events", SETTINGS)
    with psycopg.connect(second_dsn) as conn:
        conn.execute("INSERT INTO projection.streams VALUES (gen_random_uuid(), 1)")
        conn.execute("UPDATE projection.builds SET version = 0 WHERE name = 'tasks'")
    with pytest.raises(StartupError, match="tasks is not as this version of the program makes it"):
        fed.claim(second_dsn, "leadlog.events", SETTINGS)
    Program(second_dsn)("projections", "rebuild", "--all")
    fed.claim(second_dsn, "leadlog.events", SETTINGS)


def test_partitions_to_read_are_numbers() -> None:
    assert Settings.load(kafka_read_partitions="0, 2").kafka_read_partitions == (0, 2)
    with pytest.raises(StartupError, match="LEADLOG_KAFKA_READ_PARTITIONS"):
        Settings.load(kafka_read_partitions="0,x")


def test_partitions_that_are_not_there_or_were_read_are_not_left_out(
    kafka: LocalKafka, prefix: str, second_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Topic(kafka, prefix, partitions=2)
    monkeypatch.setenv("LEADLOG_KAFKA", kafka.bootstrap)
    monkeypatch.setenv("LEADLOG_KAFKA_PREFIX", prefix)
    monkeypatch.setenv("LEADLOG_KAFKA_READ_PARTITIONS", "1,2")
    worker = ("worker", "--from-kafka")
    Program(second_dsn)(*worker, refused="has no partition 2, only 0 to 1")
    with psycopg.connect(second_dsn) as conn:
        conn.execute("INSERT INTO projection.partitions (partition, next_offset) VALUES (0, 7)")
    Program(second_dsn)(*worker, refused="has read partition 0, too: name it in LEADLOG_KAFKA_READ")


def _spoil(dsn: str) -> None:
    with psycopg.connect(dsn) as conn:
        conn.execute("DELETE FROM p_stages_1.stage_changes")


def _listed(said: str) -> dict[str, list[str]]:
    """The table of `projections list`."""
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in said.splitlines()]
    return {line[0]: line[1:] for line in lines if len(line) == 6}


def _some() -> list[Entry]:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    return interleaved(rng, [own for _ in range(20) for own in history(rng)])
