"""Read models fed from Kafka are those fed from the log: after duplicates, stale redeliveries,
events that come too early or never, foreign messages, kills, rebalances and outages (T7).

Judged by SQL: the rows of both databases, table by table.
"""

import signal
from pathlib import Path
from random import Random

import psycopg

from adapters.kafka.local import LocalKafka
from adapters.postgres.runner import catch_up
from tests.conformance.histories import Entry, append, history, interleaved
from tests.kafka.feeding import differences, has_read, read_so_far, until, workers
from tests.kafka.publishing import Message, Topic
from tests.seed import SEED
from tests.size import size

ROUNDS, HISTORIES = size(3, 40), size(25, 200)
TROUBLES = ("kill", "stop", "cut", "broker") * size(1, 10)
CUT = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def test_disorder_changes_nothing(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, open_tmp: Path
) -> None:
    """Some events come twice, some late or in another partition, some never."""
    rng, topic = _rng(1), Topic(kafka, prefix)
    with workers(kafka, topic, open_tmp) as start:
        worker = start(second_dsn, LEADLOG_KAFKA_LOG=dsn)
        sent: list[Message] = []
        for _ in range(ROUNDS):
            append(dsn, _some(rng))
            new = topic.new(dsn)
            sent += new
            topic.send(_disordered(rng, new, sent, topic.partitions))
        topic.send({m.key: m for m in sent}.values())  # behind the last there is no gap to see
        has_read(topic, second_dsn)
        catch_up(dsn)
        assert differences(dsn, second_dsn) == {}
        assert "came from the log" in worker.said
        assert worker.stop() < 10


def test_two_workers_on_one_database_through_a_bad_day(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, open_tmp: Path
) -> None:
    """Workers killed, and stopped until they have lost their partitions without knowing, lost
    connections to the database, a broker killed.
    """
    rng, topic = _rng(2), Topic(kafka, prefix)
    with workers(kafka, topic, open_tmp) as start:
        running = [start(second_dsn, LEADLOG_KAFKA_LOG=dsn) for _ in range(2)]
        for trouble in rng.sample(TROUBLES, len(TROUBLES)):
            append(dsn, _some(rng))
            topic.publish(dsn)
            victim = rng.choice(running)
            until(lambda: rng.random() < 0.2 or read_so_far(second_dsn) == topic.count)
            match trouble:
                case "kill":
                    victim.kill()
                    running.remove(victim)
                    running.append(start(second_dsn, LEADLOG_KAFKA_LOG=dsn))
                case "stop":
                    victim.send(signal.SIGSTOP)
                    append(dsn, _some(rng))
                    topic.publish(dsn)
                    has_read(topic, second_dsn)  # the other one has all partitions by now
                    victim.send(signal.SIGCONT)
                case "cut":
                    with psycopg.connect(second_dsn) as conn:
                        conn.execute(CUT)
                case _:
                    kafka.kill()
                    kafka.start(0)
        append(dsn, _some(rng))
        topic.publish(dsn)
        has_read(topic, second_dsn)
        catch_up(dsn)
        assert differences(dsn, second_dsn) == {}
        for worker in running:
            assert worker.stop() < 10


def test_two_databases_hold_half_of_the_leads_each(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, empty_dsn: str, open_tmp: Path
) -> None:
    """Each has the partitions that its setting names, the two together everything once."""
    topic = Topic(kafka, prefix)
    append(dsn, _some(_rng(3)))
    topic.publish(dsn)
    with workers(kafka, topic, open_tmp) as start:
        for there, numbers in ((second_dsn, "0,2"), (empty_dsn, "1,3")):
            start(there, LEADLOG_KAFKA_LOG=dsn, LEADLOG_KAFKA_READ_PARTITIONS=numbers)
        has_read(topic, second_dsn, empty_dsn)
    catch_up(dsn)
    assert differences(dsn, second_dsn, empty_dsn) == {}
    assert 0 < read_so_far(second_dsn) < topic.count


def test_what_a_topic_no_longer_has_is_read_from_the_log(
    kafka: LocalKafka, prefix: str, dsn: str, second_dsn: str, open_tmp: Path
) -> None:
    """Retention took its beginning: all of one partition, a part of others."""
    rng, topic = _rng(4), Topic(kafka, prefix)
    append(dsn, _some(rng))
    topic.publish(dsn)
    topic.forget(rng)
    append(dsn, _some(rng))
    topic.publish(dsn)
    with workers(kafka, topic, open_tmp) as start:
        alone = start(second_dsn)
        until(lambda: "set LEADLOG_KAFKA_LOG" in alone.said)
        assert alone.stop() < 10
        assert read_so_far(second_dsn) == 0
        # The group may wait for a worker that ended while it was being let in: this one does not.
        start(second_dsn, LEADLOG_KAFKA_LOG=dsn, LEADLOG_KAFKA_GROUP=f"{prefix}.other")
        has_read(topic, second_dsn)
    catch_up(dsn)
    assert differences(dsn, second_dsn) == {}


def _disordered(
    rng: Random, new: list[Message], sent: list[Message], partitions: int
) -> list[Message]:
    found = [m for m in new if rng.random() > 0.05]  # lost
    found += rng.sample(new, len(new) // 10)  # twice
    for _ in range(len(found) // 20):
        found.insert(rng.randrange(len(found)), rng.choice(sent))  # stale
        i, j = rng.randrange(len(found)), rng.randrange(len(found))
        found[i], found[j] = found[j], found[i]  # too early, too late
        k = rng.randrange(len(found))
        found[k] = found[k]._replace(partition=rng.randrange(partitions))
        found.insert(rng.randrange(len(found)), Message(b"x", b"not of ours"))
    return found


def _some(rng: Random) -> list[Entry]:
    return interleaved(rng, [own for _ in range(HISTORIES) for own in history(rng)])


def _rng(number: int) -> Random:
    print(f"SEED={SEED}")
    return Random(f"{SEED}-{number}")
