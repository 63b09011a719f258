"""A company whose people are told of things: its worker, its mail server, what arrived."""

import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import anyio
import psycopg

from adapters.background import work
from adapters.settings import Settings
from aggregates.directory import events as d
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead.ownership import AssignLead
from tests.integration.assigning import Company

PATIENCE = 30.0
SENDER = "线索 <leads@example.com>"
BECAME = (
    "SELECT e.topic, convert_from(e.state, 'UTF8')::jsonb FROM log.leadlog_events e"
    " WHERE e.topic LIKE 'notification.%%' AND convert_from(e.state, 'UTF8')::jsonb ->> 'recipient'"
    " = coalesce(%s, convert_from(e.state, 'UTF8')::jsonb ->> 'recipient')"
    " ORDER BY e.notification_id"
)
SENT_ONCE = (
    "SELECT count(*), count(DISTINCT originator_id) FROM log.leadlog_events"
    " WHERE topic = 'notification.sent'"
)

T = TypeVar("T")


def settings(port: int, **given: Any) -> Settings:
    """Mail to a port of this machine, by an impatient company."""
    return Settings(
        allow_unsafe_postgres=True,
        smtp=f"smtp://127.0.0.1:{port}?starttls=never",
        smtp_sender=SENDER,
        **{"message_pause_seconds": 0.3, "message_attempts": 30} | given,
    )


class Messaging(Company):
    """Everybody has an address at example.com."""

    async def person(self, name: str, email: str | None = "", **given: Any) -> None:
        address = f"{name}@example.com" if email == "" else email
        event = d.PersonAdded(name=name, role="sales", email=address, **given)
        await self.about(event)

    async def lead_of(self, owner: str, customer: str = "A科技") -> UUID:
        """A lead that somebody else entered and gave to them: one message."""
        await self.registry.latest()
        [lead] = await self.capture_named(customer)
        await self.do(AssignLead(owner=owner), lead)
        return lead

    async def capture_named(self, customer: str) -> list[UUID]:
        given = {
            "contact": "李经理", "contact_title": "采购", "source": "官网注册", "need": "电脑",
            "industry": "信息技术", "email": "canary10000001@example.cn", "phone": "13912345678",
        }  # fmt: skip
        reply = await self.commands.execute(
            CaptureLead(customer=customer, **given), lead=None, caller=Caller("user:boss")
        )
        return [reply.state.id]

    def became(self, recipient: str | None = None) -> list[tuple[str, dict[str, Any]]]:
        """What became of messages, in the order of the log."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute(BECAME, (recipient,)).fetchall()
        return [(topic.removeprefix("notification."), said) for topic, said in rows]

    def sent(self) -> int:
        """How many were sent; none twice."""
        with psycopg.connect(self.dsn) as conn:
            row = conn.execute(SENT_ONCE).fetchone()
        assert row
        assert row[0] == row[1]
        return int(row[0])


class Post:
    """A mail server, or another one, that may be started, stopped and told how to behave."""

    def __init__(self, port: int, file: Path, server: str = "smtp_server") -> None:
        self.port, self._file, self._server = port, file, server
        self._process: subprocess.Popen[str] | None = None

    def start(self, behaviour: str = "ok") -> None:
        command = [sys.executable, "-m", f"tests.integration.{self._server}"]
        command += [str(self.port), behaviour, str(self._file)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def again(self, behaviour: str) -> None:
        """Behave otherwise from now on."""
        self.stop()
        self.start(behaviour)

    def taken(self) -> list[dict[str, Any]]:
        """Every message that it took, in order."""
        if not self._file.exists():
            return []
        return [json.loads(line) for line in self._file.read_text("utf-8").splitlines()]

    def by_recipient(self) -> Counter[str]:
        """How many messages each address got, one that came twice counted once."""
        return Counter(to for to, _ in {(m["to"], m["id"]) for m in self.taken()})


@contextmanager
def telling(dsn: str, own: Settings) -> Iterator[None]:
    """A worker with all its duties, in this process."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work, dsn, own, ("project", "process", "notify"), stop)
        try:
            yield
        finally:
            stop.set()
    running.result()


async def eventually(what: Callable[[], T], right: Callable[[T], bool]) -> T:
    """What comes out once it is right."""
    end = time.monotonic() + PATIENCE
    while not right(found := what()):
        assert time.monotonic() < end, found
        await anyio.sleep(0.05)
    return found
