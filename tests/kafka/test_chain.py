"""kill -9 of API, relay, broker and consumers under load: what was acknowledged is in the log, all
of the log is in the topic, and the database fed from there has the rows of the log's own (T3, T7).
Leads erased meanwhile can be read nowhere behind the log (T13).
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg

from adapters.kafka.local import LocalKafka
from adapters.postgres.runner import catch_up
from tests.checker import check
from tests.crash.several import SpreadLoad
from tests.crash.waiting import until, until_ready
from tests.integration.erasing import CONTROL, customer, said
from tests.kafka.chain import Chain, Link
from tests.kafka.feeding import differences, read_so_far
from tests.kafka.relaying import await_copied, faults, position, relay_thread, settings_for
from tests.kafka.topics import messages
from tests.size import size

TROUBLES = {
    "api": size(2, 200),
    "worker": size(2, 200),
    "relay": size(1, 100),
    "consumer": size(2, 200),
    "broker": size(1, 100),
    "erasure": size(2, 50),
}
AT_ONCE = 0.2
"""How often the next kill comes before what was killed the last time works again."""
TAKEN = "SELECT version FROM projection.streams WHERE stream = %s"
EVENTS = "SELECT count(*) FROM log.leadlog_events"


def test_the_chain_holds(
    kafka: LocalKafka,
    prefix: str,
    dsn: str,
    second_dsn: str,
    open_tmp: Path,
    free_port: int,
    rng: Random,
) -> None:
    with (
        Chain(kafka, prefix, dsn, second_dsn, open_tmp, free_port) as chain,
        ThreadPoolExecutor(1) as pool,
    ):
        chain.begin()
        load = SpreadLoad(chain.url, chain.token, Random(rng.random()), urls=(chain.url,))
        running = pool.submit(load.run)
        try:
            for name in ("sales-person", "li"):
                _post(chain, "/users", {"name": name, "role": "sales", "team": "east"})
            _capture(chain, CONTROL)
            erased = _Day(chain, load, running, rng).passes()
        finally:
            load.stopping = True
        running.result()
        until(chain.is_copied, "the relay and the worker reach the log's end")
        assert [chain.api.stop(), chain.worker.stop()] == [0, 0]
        with relay_thread(dsn, settings_for(kafka.bootstrap, prefix)):
            await_copied(dsn)  # what the worker's last rules have said
        catch_up(dsn)
        sent = len(messages(kafka, chain.topic))
        until(lambda: read_so_far(second_dsn) == sent, "the consumers reach the topic's end")
        assert [consumer.stop() for consumer in chain.consumers] == [0] * len(chain.consumers)
        assert check(dsn, load.answers, load.refused) == []
        assert faults(dsn, kafka, prefix) == []
        assert differences(dsn, second_dsn) == {}
        readable = chain.readable()
        assert not any(found & set(range(len(erased))) for found in readable.values()), readable
        assert CONTROL in readable["p_leads_1.leads"] & readable["pg_dump"]
        assert all(lead in chain.on_disk() for lead in erased)
        with psycopg.connect(dsn) as conn:
            (events,) = conn.execute(EVENTS).fetchone() or (0,)
        assert sent > events, "some are sent twice"
        assert "Traceback" not in chain.logs
        print(f"{len(load.answers)} answers, {len(load.refused)} refusals")
        print(f"{events} events, {sent} messages")


class _Day:
    """Kills, each of something that worked since the last one, and erasures between them."""

    def __init__(self, chain: Chain, load: SpreadLoad, running: Future[None], rng: Random) -> None:
        self._chain, self._load, self._running, self._rng = chain, load, running, rng
        self._erased: list[str] = []
        copied, fed = partial(position, chain.dsn), partial(read_so_far, chain.fed)
        self._works: dict[str, Callable[[], int]] = {
            "api": lambda: len(load.answers),
            "worker": copied,
            "relay": copied,
            "consumer": fed,
            "broker": copied,
        }
        self._before = dict.fromkeys(self._works, 0)
        self._kills = {
            "api": partial(_kill, chain.api),
            "worker": partial(_kill, chain.worker),
            "relay": self._kill_relay,
            "consumer": lambda: _kill(rng.choice(chain.consumers)),
            "broker": self._kill_broker,
        }

    def passes(self) -> list[str]:
        """Returns the ids of the leads that were erased."""
        troubles = [what for what, times in TROUBLES.items() for _ in range(times)]
        self._rng.shuffle(troubles)
        for trouble in troubles:
            print(trouble)
            if trouble == "erasure":
                self._erase()
                continue
            if self._rng.random() > AT_ONCE:
                self._await_more(trouble, self._before[trouble])
                time.sleep(self._rng.uniform(0, 0.5))
            self._kills[trouble]()
            self._before[trouble] = self._works[trouble]()
        return self._erased

    def _await_more(self, of: str, than: int) -> None:
        until(lambda: self._running.done() or self._works[of]() > than, f"{of} works")
        assert not self._running.done(), self._running.result()

    def _kill_relay(self) -> None:
        """The worker, when events are acknowledged and their checkpoint is not yet written."""
        self._await_more("relay", position(self._chain.dsn))  # it begins with an update, too
        with psycopg.connect(self._chain.dsn) as conn:
            conn.execute("SELECT FROM relay.checkpoint FOR UPDATE")
            until(self._chain.is_before_checkpoint, "the relay comes to its checkpoint")
            self._chain.worker.kill()
            self._chain.lose_checkpoint()
        self._chain.worker.start()

    def _kill_broker(self) -> None:
        """And the worker with all that it has for the broker: the API goes on meanwhile."""
        self._await_more("broker", position(self._chain.dsn))
        self._chain.kafka.kill()
        try:
            self._await_more("api", len(self._load.answers) + 10)
            _kill(self._chain.worker)
        finally:
            self._chain.kafka.start(0)

    def _erase(self) -> None:
        """Every other lead is erased when its personal data has come to the second database."""
        number = len(self._erased)
        lead, version = _capture(self._chain, number)
        if number % 2 == 0:
            with psycopg.connect(self._chain.fed, autocommit=True) as conn:
                until(
                    lambda: (conn.execute(TAKEN, (lead,)).fetchone() or (0,))[0] >= version,
                    "the lead comes to the second database",
                )
            assert number in self._chain.readable()["p_leads_1.leads"]
        _post(self._chain, f"/leads/{lead}:erase", {"reason": "客户要求删除"})
        self._erased.append(lead)


def _kill(link: Link) -> None:
    link.kill()
    link.start()


def _capture(chain: Chain, number: int) -> tuple[str, int]:
    """A lead with canaries in all that is personal: its id and version."""
    until_ready(chain.url)
    lead = str(_post(chain, "/leads", customer(number)).json()["id"])
    version = 0
    for path, body in said(number):
        answer = _post(chain, f"/leads/{lead}{path}", body)
        version = int(answer.headers["etag"].strip('"'))
    return lead, version


def _post(chain: Chain, path: str, body: Mapping[str, Any]) -> httpx.Response:
    """A command of the administrator."""
    answer = chain.http.post(f"/v1{path}", json=body)
    assert answer.is_success, answer.text
    return answer
