"""A company in simulated time, for tests: people, leads, and a clock that the test moves."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import psycopg

from adapters.clock import SimulatedClock
from adapters.company import keep_clock, open_company
from adapters.settings import Settings
from adapters.simulated import run_until
from adapters.write_side import WriteSide, open_write_side
from aggregates.directory.events import PersonAdded, SupervisorSet, TeamAdded
from aggregates.directory.state import person_id, team_id
from aggregates.event import Event, Meta
from commands.caller import Caller
from commands.fields import Command
from commands.lead.entry import CaptureLead
from commands.ports import NewEvents

SETTINGS = Settings(allow_unsafe_postgres=True)
EVENTS = (
    "SELECT topic, convert_from(state, 'UTF8')::jsonb AS data, recorded_at"
    " FROM log.leadlog_events WHERE originator_id = %s ORDER BY originator_version"
)


class Living:
    """A company in simulated time. `east` is led by wang; chen and li sell there."""

    def __init__(self, dsn: str, own: WriteSide, clock: SimulatedClock) -> None:
        self.dsn, self.own, self.clock = dsn, own, clock

    async def say(self, command: Command, lead: UUID | None = None, *, by: str = "wang") -> UUID:
        """Carry a command out now; the lead."""
        reply = await self.own.commands.execute(command, lead=lead, caller=Caller(f"user:{by}"))
        return reply.state.id

    async def capture(self, **given: Any) -> UUID:
        """A complete lead, but for what is given."""
        lead = {
            "customer": "A科技有限公司", "contact": "李经理", "contact_title": "采购经理",
            "email": f"{uuid4().hex}@example.cn", "source": "官网注册", "industry": "信息技术",
            "need": "需要办公电脑", "level": "high",
        } | given  # fmt: skip
        return await self.say(CaptureLead(**lead))

    async def until(self, at: datetime) -> list[datetime]:
        """Move the clock; the instants at which something was due on the way."""
        keep_clock(self.dsn, self.clock.now())
        instants: list[datetime] = []
        await run_until(self.dsn, SETTINGS, at, instants.append)
        self.clock.move_to(at)
        return instants

    async def record(self, stream: UUID, *events: Event) -> None:
        """Events of a stream that has none."""
        await self.append(stream, 0, *events)

    async def append(self, stream: UUID, version: int, *events: Event) -> None:
        """Events of a stream that has so many."""
        meta = Meta("process:test", uuid4())
        await self.own.log.append(NewEvents(stream, version, events, meta, b""))

    def history(self, lead: UUID, *, of: str = "lead.") -> list[tuple[str, datetime]]:
        """What the log holds of a lead: topics that begin so, each with when it happened."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute(EVENTS, (lead,)).fetchall()
        return [
            (topic, datetime.fromisoformat(data["occurred_at"]))
            for topic, data, _ in rows
            if topic.startswith(of)
        ]


@asynccontextmanager
async def living(dsn: str, at: datetime) -> AsyncIterator[Living]:
    """A company whose time begins at an instant."""
    company = open_company(dsn, SETTINGS, clock="simulated")
    clock = SimulatedClock(at)
    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, company, stack, clock)
        here = Living(dsn, own, clock)
        for name, role in {"wang": "supervisor", "chen": "sales", "li": "sales"}.items():
            person = PersonAdded(occurred_at=at, name=name, role=role, team="east")
            await here.record(person_id(name), person)
        await here.record(
            team_id("east"),
            TeamAdded(occurred_at=at, name="east"),
            SupervisorSet(occurred_at=at, name="east", supervisor="wang"),
        )
        yield here
