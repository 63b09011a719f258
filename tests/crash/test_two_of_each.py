"""Two API processes and two workers on one database, under load: they decide and act as one.

What a process remembers never decides (P3), a token or role that is gone is gone everywhere,
leases move when a worker is killed, and nothing is lost or doubled by it (P1, P2).
"""

import socket
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from adapters.postgres.leases import LEASE_SECONDS, PROCESS, PROJECTION
from adapters.postgres.processes import PROCESSES
from adapters.postgres.register import FRESH_SECONDS
from adapters.trust import TRUSTED_SECONDS
from projections.catalogue import PROJECTIONS
from tests.checker import check
from tests.crash.several import KEYS, Process, SpreadLoad, Tail, connected, holders
from tests.crash.waiting import until, until_read, until_ready
from tests.seed import SEED
from tests.size import size

ROUNDS, KILLS, COMMANDS = size(6, 500), size(1, 100), size(20, 500)
BUSY = 4.0
"""Seconds by which a busy machine may be late with anything."""
TOKENS = "/users/admin/tokens"
"""For an administrator to read."""
SEAL = "process:seal"
LEASES = [(PROJECTION, name) for name in PROJECTIONS] + [
    (PROCESS, name) for name in (*(f"process:{name}" for name in PROCESSES), SEAL)
]


@dataclass(frozen=True)
class _Company:
    """The processes, and the clients that go to either service."""

    dsn: str
    services: tuple[Process, Process]
    workers: tuple[Process, Process]
    clients: tuple[httpx.Client, httpx.Client]
    """One to each service, as nobody."""
    load: SpreadLoad
    running: Future[None]

    def post(self, at: int, path: str, body: dict[str, Any], **headers: str) -> httpx.Response:
        """A command of the administrator to one of the services."""
        given = {"Authorization": f"Bearer {self.load.token}"} | headers
        return self.clients[at].post(f"/v1{path}", json=body, headers=given)

    def status(self, at: int, path: str, token: str) -> int:
        """How one of the services answers somebody's read."""
        headers = {"Authorization": f"Bearer {token}"}
        return self.clients[at].get(f"/v1{path}", headers=headers).status_code

    def more(self) -> None:
        """Wait for so many further answers."""
        before = len(self.load.answers)
        until(lambda: self.running.done() or len(self.load.answers) >= before + COMMANDS, "answers")
        assert not self.running.done(), self.running.result()


@pytest.fixture(scope="module")
def company(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[_Company]:
    """All four are started at once, on a database that has no administrator yet."""
    print(f"SEED={SEED}")
    data = tmp_path_factory.mktemp("two-of-each")
    environment = {
        "LEADLOG_DATABASE": module_dsn,
        "LEADLOG_DATA_DIR": str(data),
        "LEADLOG_ALLOW_UNSAFE_POSTGRES": "1",
    }
    ports = [_free_port(), _free_port()]
    with ExitStack() as stack, ThreadPoolExecutor(1) as pool:

        def begun(name: str, *call: str) -> Process:
            process = Process(name, data / f"{name}.log", environment, *call)
            return stack.enter_context(process)

        one, other = (
            begun(f"api-{port}", "serve", "--no-worker", "--port", str(port)) for port in ports
        )
        workers = begun("worker-1", "worker"), begun("worker-2", "worker")
        urls = tuple(f"http://127.0.0.1:{port}" for port in ports)
        for url in urls:
            until_ready(url)
        to_one, to_other = (stack.enter_context(httpx.Client(base_url=u, timeout=15)) for u in urls)
        token = (data / "admin-token").read_text().strip()
        load = SpreadLoad(urls[0], token, Random(SEED), urls=urls)
        running = pool.submit(load.run)
        try:
            yield _Company(module_dsn, (one, other), workers, (to_one, to_other), load, running)
        finally:
            load.stopping = True
        for log in data.glob("*.log"):
            assert "Traceback" not in log.read_text(), log.read_text()[-3000:]


def test_either_decides_on_what_the_other_has_done(company: _Company) -> None:
    """Each remembers the lead as it was before the other's command."""
    lead, version = _captured(company)
    for turn in range(ROUNDS):
        one, other = turn % 2, 1 - turn % 2
        won = _convert(company, one, lead, "1.00")
        again = company.post(other, f"{lead}:convert", {"amount": "2.00"})
        assert again.json()["type"].endswith("already-converted"), again.text
        assert _reverse(company, other, lead, f'"{version}"').status_code == 412
        back = _reverse(company, other, lead, won.headers["etag"])
        anew = _convert(company, one, lead, "3.00")
        undone = _reverse(company, other, lead)
        idle = _reverse(company, one, lead)
        assert idle.headers["etag"] == undone.headers["etag"], "there is nothing to reverse"
        versions = [version, *map(_version, (won, back, anew, undone))]
        assert versions == sorted(set(versions))
        version = versions[-1]


def test_either_gives_the_answer_that_the_other_gave(company: _Company) -> None:
    """The same command at both at once has one effect, and later the same answer."""
    lead, _ = _captured(company)
    with ThreadPoolExecutor(2) as pool:
        for turn in range(ROUNDS):
            key = {"Idempotency-Key": f"both-{turn}"}
            said = {"content": f"谈到了第{turn}点的很多事情", "feedback": "需要报价"}
            both = [
                pool.submit(company.post, at, f"{lead}/follow-ups", said, **key) for at in (0, 1)
            ]
            answers = [done.result() for done in both]
            answers += [company.post(at, f"{lead}/follow-ups", said, **key) for at in (0, 1)]
            assert all(answer.is_success for answer in answers), answers[0].text
            assert len({_made(answer) for answer in answers}) == 1


def test_a_revoked_token_ends_everywhere(company: _Company) -> None:
    token = _person(company, "离职者", "auditor")
    assert [company.status(at, "/session", token) for at in (0, 1)] == [200, 200]
    assert company.post(0, "/users/离职者/tokens:revoke", {}).json()["revoked"] == 1
    took = until(
        lambda: company.status(1, "/session", token) == 401,
        "the other process refuses the token",
        TRUSTED_SECONDS + BUSY,
    )
    print(f"a revoked token ended at the other process within {took:.1f} s")


def test_a_changed_role_counts_everywhere(company: _Company) -> None:
    token = _person(company, "转岗者", "auditor")
    assert [company.status(at, TOKENS, token) for at in (0, 1)] == [403, 403]
    assert company.post(0, "/users/转岗者:change", {"role": "admin"}).is_success
    took = until(
        lambda: company.status(1, TOKENS, token) == 200,
        "the other process knows the role",
        FRESH_SECONDS + BUSY,
    )
    print(f"a role had changed at the other process within {took:.1f} s")


def test_leases_move_when_a_worker_is_killed(company: _Company) -> None:
    with psycopg.connect(company.dsn, autocommit=True) as conn:
        wanted = set(conn.execute(KEYS, ([k for k, _ in LEASES], [n for _, n in LEASES])))
        for _ in range(KILLS):
            until(lambda: holders(conn).keys() >= wanted, "every lease is held")
            until(lambda: len(connected(conn, company.workers)) == 2, "both are there")
            company.more()
            held = Counter(holders(conn).values())
            alive, dead = sorted(company.workers, key=lambda worker: held[worker.name])
            dead.kill()
            took = until(
                lambda name=alive.name: (
                    dict.fromkeys(wanted, name).items() <= holders(conn).items()
                ),
                "the other worker holds every lease",
                LEASE_SECONDS + BUSY,
            )
            print(f"{len(wanted)} leases had moved {took:.1f} s after the kill of their holder")
            company.more()
            dead.start()


def test_nothing_is_lost_doubled_or_skipped(company: _Company) -> None:
    """Either service is killed under load; its clients go on at the other."""
    tail = Tail(company.dsn)
    with ThreadPoolExecutor(1) as pool:
        reading = pool.submit(tail.run)
        try:
            for turn in range(KILLS):
                company.more()
                company.services[turn % 2].kill()
                company.more()
                company.services[turn % 2].start()
                until_ready(company.load.urls[turn % 2])
            company.load.stopping = True
            company.running.result()
            until_read(company.dsn)
            with psycopg.connect(company.dsn) as conn:
                end = conn.execute("SELECT max(notification_id) FROM log.leadlog_events").fetchone()
            until(lambda: (tail.seen,) == end or reading.done(), "the reader reaches the end")
        finally:
            tail.stop()
        reading.result()
    assert tail.skipped == []
    assert check(company.dsn, company.load.answers, company.load.refused) == []
    print(f"{len(company.load.answers)} answers, {len(company.load.refused)} refusals")
    assert [process.stop() for process in (*company.services, *company.workers)] == [0] * 4


def _captured(company: _Company) -> tuple[str, int]:
    """The path of a new lead of nobody else's, and its version."""
    lead = {"customer": "两个进程", "source": "展会", "owner": "admin"}
    answer = company.post(0, "/leads", lead)
    assert answer.status_code == 201, answer.text
    return f"/leads/{answer.json()['id']}", _version(answer)


def _convert(company: _Company, at: int, lead: str, amount: str) -> httpx.Response:
    answer = company.post(at, f"{lead}:convert", {"amount": amount})
    assert answer.is_success, answer.text
    return answer


def _reverse(company: _Company, at: int, lead: str, expected: str = "") -> httpx.Response:
    """Take a conversion back, if the lead has the version that is expected."""
    headers = {"If-Match": expected} if expected else {}
    return company.post(at, f"{lead}:reverse-conversion", {"reason": "误操作"}, **headers)


def _person(company: _Company, name: str, role: str) -> str:
    """A token of a new person."""
    assert company.post(0, "/users", {"name": name, "role": role}).status_code == 201
    return str(company.post(0, f"/users/{name}/tokens", {"name": "laptop"}).json()["token"])


def _made(answer: httpx.Response) -> tuple[str, str]:
    return answer.headers["etag"], answer.headers["leadlog-position"]


def _version(answer: httpx.Response) -> int:
    return int(answer.headers["etag"].strip('"'))


def _free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])
