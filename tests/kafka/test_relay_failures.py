"""Whatever dies, is cut or falls silent under the relay, the topic ends up a copy of the log."""

import signal
import subprocess
import threading
import time
from contextlib import ExitStack
from functools import partial
from random import Random
from typing import TypeAlias

import psycopg
import pytest

from adapters.embedded import Cluster
from adapters.kafka.local import LocalKafka
from tests.conformance.histories import append
from tests.kafka.proxy import BrokerProxy, nothing
from tests.kafka.relaying import (
    PATIENCE,
    appends,
    await_copied,
    faults,
    position,
    relay_process,
    relay_thread,
    settings_for,
    some,
    until,
)
from tests.proxy import LossyProxy
from tests.size import size

Relay: TypeAlias = "subprocess.Popen[bytes]"

TAKEOVER = 10.0
"""Seconds; two on an idle machine."""
HOLDER = (
    "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = 7220504"
    " AND objid = hashtext('process:relay')::bit(32)::bigint"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
# A relay that waits for another's lease.
STANDING_BY = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND query LIKE 'SELECT pg_try_advisory_lock%'"
)
# A relay that stands before its checkpoint.
WAITING = (
    "SELECT FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query LIKE 'UPDATE relay.checkpoint SET position%'"
)


def test_killed_relays_leave_no_gap(dsn: str, kafka: LocalKafka, prefix: str, rng: Random) -> None:
    with ExitStack() as stack:
        relays = [stack.enter_context(relay_process(dsn, kafka.bootstrap, prefix))]
        with appends(dsn, rng):
            until(lambda: position(dsn) > 0)
            for _ in range(size(2, 60)):
                relays.append(stack.enter_context(relay_process(dsn, kafka.bootstrap, prefix)))
                with psycopg.connect(dsn, autocommit=True) as conn:
                    until(lambda conn=conn: conn.execute(STANDING_BY).fetchone() is not None)
                time.sleep(rng.uniform(0, 0.5))
                relays.pop(0).kill()
                before = position(dsn)
                until(lambda before=before: position(dsn) > before, TAKEOVER)
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


def test_kills_at_every_step_leave_no_gap(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    with BrokerProxy(kafka) as proxy:
        for step in rng.sample(STEPS, len(STEPS)) * size(1, 10):
            append(dsn, some(rng))
            with relay_process(dsn, proxy.bootstrap, prefix) as relay:
                step(dsn, relay, proxy)
                assert relay.wait(PATIENCE) == -signal.SIGKILL
            proxy.before = proxy.after = nothing
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


def _before_the_broker_has_it(_: str, relay: Relay, proxy: BrokerProxy) -> None:
    proxy.before = partial(_kill_and_cut, relay)


def _before_the_acknowledgement(_: str, relay: Relay, proxy: BrokerProxy) -> None:
    proxy.after = partial(_kill_and_cut, relay)


def _kill_and_cut(relay: Relay) -> None:
    relay.kill()
    raise ConnectionAbortedError


def _before_the_checkpoint(dsn: str, relay: Relay, proxy: BrokerProxy) -> None:
    acknowledged, go = threading.Event(), threading.Event()
    proxy.after = lambda: (acknowledged.set(), go.wait(PATIENCE))
    with psycopg.connect(dsn) as conn, psycopg.connect(dsn, autocommit=True) as other:
        assert acknowledged.wait(PATIENCE)
        conn.execute("SELECT FROM relay.checkpoint FOR UPDATE")
        go.set()
        until(lambda: other.execute(WAITING).fetchone() is not None)
        relay.kill()


def _behind_the_checkpoint(dsn: str, relay: Relay, _: BrokerProxy) -> None:
    before = position(dsn)
    until(lambda: position(dsn) > before)
    relay.kill()


STEPS = (
    _before_the_broker_has_it,
    _before_the_acknowledgement,
    _before_the_checkpoint,
    _behind_the_checkpoint,
)


def test_a_broker_that_comes_late_and_is_killed(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    kafka.kill()
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
        append(dsn, some(rng))
        kafka.start(0)
        until(lambda: position(dsn) > 0)
        with appends(dsn, rng):
            for _ in range(size(1, 20)):
                time.sleep(rng.uniform(0, 0.5))
                kafka.kill()
                kafka.start(0)
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


def test_a_silent_broker_is_given_up(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random, caplog: pytest.LogCaptureFixture
) -> None:
    with BrokerProxy(kafka) as proxy:
        proxy.swallows = True
        settings = settings_for(proxy.bootstrap, prefix, kafka_watchdog_seconds=0.5)
        with relay_thread(dsn, settings):
            append(dsn, some(rng))
            # The library itself would begin anew after 30 seconds.
            until(lambda: len(set(proxy.swallowed)) > 1, 15)
            proxy.swallows = False
            await_copied(dsn)
    assert "waits for its acknowledgement" in caplog.text
    assert faults(dsn, kafka, prefix) == []


def test_a_lost_lease_moves_the_checkpoint_no_more(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    settings = settings_for(kafka.bootstrap, prefix)
    with (
        psycopg.connect(dsn, autocommit=True) as conn,
        relay_thread(dsn, settings),
        relay_thread(dsn, settings),
    ):
        with appends(dsn, rng):
            for _ in range(size(3, 60)):
                before = position(dsn)
                until(lambda before=before: position(dsn) > before)
                conn.execute(f"SELECT pg_terminate_backend(pid) FROM ({HOLDER}) h")
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


def test_a_lost_reply_to_the_checkpoint(
    dsn: str, kafka: LocalKafka, prefix: str, rng: Random
) -> None:
    with LossyProxy(dsn) as proxy, relay_thread(proxy.dsn, settings_for(kafka.bootstrap, prefix)):
        for number, pause in enumerate((0.0, None), 1):
            proxy.doom("UPDATE relay.checkpoint SET position", pause=pause)
            append(dsn, some(rng))
            until(lambda number=number: proxy.cuts == number)
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []


def test_postgresql_restarts(
    dsn: str, kafka: LocalKafka, cluster: Cluster, prefix: str, rng: Random
) -> None:
    with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
        append(dsn, some(rng))
        until(lambda: position(dsn) > 0)
        cluster.stop()
        cluster.start()
        append(dsn, some(rng))
        await_copied(dsn)
    assert faults(dsn, kafka, prefix) == []
