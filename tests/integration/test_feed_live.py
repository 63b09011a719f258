"""The change feed of a running service: as it happens, to a thousand, through every end."""

import asyncio
import resource
import signal
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest
from httpx import AsyncClient

from adapters.postgres.event_log import PostgresEventLog
from adapters.tokens import issue, revoke
from aggregates.event import Event, Meta
from aggregates.lead import events as e
from commands.ports import NewEvents
from tests.integration.feed_client import Following, Sent, parsed
from tests.integration.test_serve import Serving, serving
from tests.size import size

pytestmark = pytest.mark.anyio

CLIENTS = size(1_000, 5_000)
PATIENCE = 120.0
TOPIC = "topic=lead.stage-changed"


@pytest.fixture(scope="module")
def service(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """One for the tests that ask little of it; the last of them ends it."""
    limits = {
        "LEADLOG_FEED_CONNECTIONS_PER_PERSON": "3",
        "LEADLOG_FEED_CONNECTIONS": "4",
        "LEADLOG_FEED_HEARTBEAT_SECONDS": "1",
        "LEADLOG_WRITE_SECONDS": "1",
    }
    directory = tmp_path_factory.mktemp("feed")
    with serving(module_dsn, directory, "--no-worker", **limits) as service:
        yield service


def token_of(dsn: str, name: str, role: str = "auditor") -> str:
    """A token of somebody."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        token = issue(conn, name, role, "laptop")
    assert token
    return token


class Events:
    """Appends moves of stages to one lead after another."""

    def __init__(self, dsn: str) -> None:
        self._log = PostgresEventLog(dsn)

    async def append(self, number: int, text: str = "方案提交") -> None:
        """So many in one commit."""
        lead = uuid4()
        moves: Sequence[Event] = [e.StageChanged(stage=f"{text} {n}") for n in range(number)]
        meta = Meta("import:old", lead)
        await self._log.append(NewEvents(lead, 0, moves, meta, b"f"))

    async def close(self) -> None:
        """Close the connection."""
        await self._log.close()


async def test_it_tells_as_it_happens_and_goes_on_after_a_break(
    module_dsn: str, service: Serving
) -> None:
    dsn = module_dsn
    events, sent = Events(dsn), []
    following = await Following.open(service.url, service.token, TOPIC)
    assert "x-accel-buffering: no" in following.head
    for number in (1, 3, 250, 2):
        await events.append(number)
        async with asyncio.timeout(PATIENCE):
            sent += await following.events(number)
        following.close()  # while something may be under way
        await events.append(5)
        last = sent[-1].id
        following = await Following.open(service.url, service.token, TOPIC, last=last)
        async with asyncio.timeout(PATIENCE):
            sent += await following.events(5)
    following.close()
    await events.close()
    assert len({one.id for one in sent}) == len(sent) == 276
    assert sent == sorted(sent, key=lambda one: int(one.id or 0))
    assert await _places(dsn) == [int(one.id or 0) for one in sent]


async def _places(dsn: str) -> list[int]:
    """Where in the log the moves are."""
    query = (
        "SELECT notification_id FROM log.leadlog_events WHERE topic = 'lead.stage-changed'"
        " ORDER BY notification_id"
    )
    async with await psycopg.AsyncConnection.connect(dsn) as conn:
        return [position for (position,) in await (await conn.execute(query)).fetchall()]


async def test_a_quiet_connection_says_where_it_has_got_to(
    module_dsn: str, service: Serving
) -> None:
    """So that a client with a narrow filter goes on from there, not from long ago."""
    dsn = module_dsn
    events = Events(dsn)
    following = await Following.open(service.url, service.token, "topic=lead.converted")
    await events.append(3)
    await events.close()
    end = (await _places(dsn))[-1]
    async with asyncio.timeout(PATIENCE):
        async for sent in following.sent():
            assert sent.event is None
            if int(sent.id or 0) >= end:
                break
    following.close()


async def test_a_connection_ends_when_its_token_does(module_dsn: str, service: Serving) -> None:
    token = token_of(module_dsn, "王芳")
    following = await Following.open(service.url, token, TOPIC)
    with psycopg.connect(module_dsn, autocommit=True) as conn:
        revoke(conn, "王芳")
    began = time.monotonic()
    async with asyncio.timeout(PATIENCE):
        last = [sent async for sent in following.sent()][-1]
    following.close()
    assert last.event == "end"
    assert "revoked" in last.data["reason"]
    assert time.monotonic() - began < 20
    refused = await Following.open(service.url, token)
    refused.close()
    assert refused.status == 401


async def test_guessing_keeps_no_connection_alive(dsn: str, tmp_path: Path) -> None:
    """Where somebody has failed to log in too often, an ended token is no better than elsewhere."""
    with serving(dsn, tmp_path, "--no-worker", LEADLOG_LOGIN_FAILURES="2") as service:
        service.call("/v1/session")  # so that it may go on
        following = await Following.open(service.url, token_of(dsn, "李明"), TOPIC)
        async with AsyncClient(base_url=service.url) as http:
            guess = {"Authorization": "Bearer leadlog_guess"}
            failed = [(await http.get("/v1/webhooks", headers=guess)).status_code for _ in range(3)]
            assert failed == [401, 401, 429]
            admin = {"Authorization": f"Bearer {service.token}"}
            ended = await http.post("/v1/users/李明/tokens:revoke", json={}, headers=admin)
            assert ended.status_code == 200, ended.text
        async with asyncio.timeout(20):
            last = [sent async for sent in following.sent()][-1]
        following.close()
        assert last.event == "end"


async def test_there_are_so_many_connections(module_dsn: str, service: Serving) -> None:
    """Of one person 3, of all together 4; whoever leaves makes room."""
    one, other = token_of(module_dsn, "李雷"), token_of(module_dsn, "韩梅")
    opened = [await Following.open(service.url, token) for token in (*[one] * 4, other, other)]
    assert [each.status for each in opened] == [200, 200, 200, 429, 200, 503]
    assert all("retry-after" in opened[n].head for n in (3, 5))
    opened[0].close()
    async with asyncio.timeout(PATIENCE):
        while (again := await Following.open(service.url, one)).status != 200:
            again.close()
    for each in (*opened, again):
        each.close()


async def test_a_reader_that_reads_nothing_is_cut_off(module_dsn: str, service: Serving) -> None:
    events = Events(module_dsn)
    for _ in range(20):
        await events.append(50, "方" * 4000)
    await events.close()
    following = await Following.open(service.url, service.token, "after=0", buffer=1000)
    assert following.status == 200
    async with asyncio.timeout(PATIENCE):
        while _connections(service):  # noqa: ASYNC110 - of another process
            await asyncio.sleep(0.1)
    following.close()


def _connections(service: Serving) -> int:
    """How many connections the service has open with clients."""
    port = int(service.url.rsplit(":")[-1])
    found = psutil.Process(service.process.pid).net_connections()
    return sum(c.status == "ESTABLISHED" and c.laddr.port == port for c in found)


async def test_it_ends_at_once_when_the_service_stops(service: Serving) -> None:
    following = await Following.open(service.url, service.token)
    began = time.monotonic()
    service.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE):
        sent = [one async for one in following.sent()]
    following.close()
    assert sent[-1] == Sent(None, "end", {"reason": "the service stops: come again"})
    assert following.last, "where its client goes on"
    assert await asyncio.to_thread(service.process.wait, PATIENCE) == 0
    assert time.monotonic() - began < 8, "nobody waited for it"


async def test_a_thousand_follow_and_one_of_them_is_slow(dsn: str, tmp_path: Path) -> None:
    """Each is told every event once and in order; the slow one costs the others nothing, and memory
    stays where it was.
    """
    _allow_files(2 * CLIENTS + 500)
    events = Events(dsn)
    for _ in range(20):
        await events.append(50, "方" * 4000)  # 12 MB
    limits = {"LEADLOG_FEED_CONNECTIONS_PER_PERSON": str(CLIENTS + 10)}
    limits |= {"LEADLOG_FEED_CONNECTIONS": str(CLIENTS + 10), "LEADLOG_MAX_CONNECTIONS": "9999"}
    limits |= {"LEADLOG_WRITE_SECONDS": "600"}  # the slow one is slow, and not gone
    token = token_of(dsn, "王芳", "supervisor")
    with serving(dsn, tmp_path, "--no-worker", **limits) as service:
        server = psutil.Process(service.process.pid)
        slow = await Following.open(service.url, token, f"after=0&{TOPIC}", buffer=1000)
        assert slow.status == 200
        empty = server.memory_info().rss
        quick, began = [], time.monotonic()
        for _ in range(CLIENTS):
            quick.append(await Following.open(service.url, token, TOPIC))
        assert {one.status for one in quick} == {200}
        idle, connecting = server.memory_info().rss, time.monotonic() - began
        cpu = sum(server.cpu_times()[:2])
        await asyncio.sleep(3)
        cpu = (sum(server.cpu_times()[:2]) - cpu) / 3
        began, work = time.monotonic(), sum(server.cpu_times()[:2])
        waiting = [asyncio.create_task(one.raw_events(200)) for one in quick]
        for _ in range(20):
            await events.append(10)
        async with asyncio.timeout(PATIENCE):
            told = await asyncio.gather(*waiting)
        took, work = time.monotonic() - began, sum(server.cpu_times()[:2]) - work
        busy = server.memory_info().rss
        places = await _places(dsn)
        first = parsed(b"\n\n".join(told[0]).decode())
        assert [int(one.id or 0) for one in first] == places[-200:]
        assert all(one == told[0] for one in told)
        async with asyncio.timeout(PATIENCE):
            late = await slow.events(1200)
        assert [int(one.id or 0) for one in late] == places
        each = (idle - empty) / CLIENTS / 1024
        print(f"{CLIENTS} clients: connected in {connecting:.1f} s, {each:.0f}"
              f" KB each, idle {cpu:.1%} of a CPU; 200 events to all in {took:.1f} s with"
              f" {work:.1f} s of CPU, {(busy - idle) / 2**20:.0f} MB more")  # fmt: skip
        assert idle - empty < CLIENTS * 100 * 1024
        assert busy - idle < 100 * 2**20
        for one in (*quick, slow):
            one.close()
    await events.close()


def _allow_files(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (number, max(hard, number)))
