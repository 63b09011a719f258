"""A small company whose leads are assigned by rule: people, rules, captures, workers, what came."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import anyio
import psycopg

from adapters.background import work
from adapters.company import open_company
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.runner import catch_up
from adapters.postgres.workloads import PostgresWorkloads
from adapters.settings import Settings
from aggregates.directory import events as d
from aggregates.directory.state import person_id, team_id
from aggregates.event import Event, Meta
from aggregates.lead.state import Lead
from aggregates.policy import activate as policy
from commands.caller import Caller
from commands.fields import Command
from commands.hand_over import HandOvers
from commands.lead.entry import CaptureLead
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands
from commands.loop import Reply
from commands.ports import NewEvents, Unavailable, Waiting
from processes.assignment import Assignment
from tests.forked import Forked, leadlog

SETTINGS = Settings(allow_unsafe_postgres=True)
PATIENCE = 60.0
OWNERS = (
    "SELECT convert_from(state, 'UTF8')::jsonb ->> 'owner', count(*), count(DISTINCT originator_id)"
    " FROM log.leadlog_events WHERE topic = 'lead.assigned' GROUP BY 1"
)
ASSIGNED = (
    "SELECT originator_id, convert_from(state, 'UTF8')::jsonb FROM log.leadlog_events"
    " WHERE topic = 'lead.assigned' ORDER BY notification_id"
)


class Company:
    """One process of it: everything that a test says and asks."""

    def __init__(self, dsn: str) -> None:
        facts = open_company(dsn, SETTINGS)
        self.dsn, self.zone, self.clock = dsn, facts.zone, facts.clock()
        self.log = PostgresEventLog(dsn)
        self.registry, self.workloads = PostgresRegistry(dsn), PostgresWorkloads(dsn)
        self.loop = LeadLoop(self.log, self.registry, self.clock, self.zone)
        self.commands = LeadCommands(
            self.loop,
            self.log,
            self.registry,
            self.clock,
            self.zone,
            facts.ledger_key,
            self.workloads,
        )
        parts = (self.loop, self.registry, self.workloads, self.clock, self.zone)
        self.hand_overs = HandOvers(*parts)
        self.process = Assignment(*parts)

    async def close(self) -> None:
        for resource in (self.log, self.registry, self.workloads):
            await resource.close()

    async def people(self, *names: str, team: str | None = None, role: str = "sales") -> None:
        for name in names:
            await self.about(d.PersonAdded(name=name, role=role, team=team))

    async def about(self, event: d.PersonEvent | d.TeamEvent) -> None:
        """Record something about a person or a team."""
        stream = person_id if isinstance(event, d.PersonEvent) else team_id
        await self.say(stream(event.name), event)

    async def rules(self, rules: Any, kind: str = "assignment") -> None:
        """Bring rules into force."""
        stream = policy.policy_id(kind)
        before = policy.initial(stream)
        for event in await self.log.load(stream):
            before = policy.evolve(before, event)
        await self.say(stream, *policy.activate(before, now=datetime.now(UTC), rules=rules))

    async def say(self, stream: UUID, *events: Event) -> None:
        """Record events behind those of a stream."""
        before = len(await self.log.load(stream))
        await self.log.append(NewEvents(stream, before, events, Meta("user:test", uuid4()), b""))

    async def capture(self, number: int = 1, **details: Any) -> Sequence[UUID]:
        """New leads, all at once."""
        captured: list[UUID] = []

        async def one(n: int) -> None:
            command = CaptureLead(customer=f"客户{n}", **details)
            reply = await self.commands.execute(command, lead=None, caller=Caller("process:test"))
            captured.append(reply.state.id)

        async with anyio.create_task_group() as group:
            for n in range(number):
                group.start_soon(one, n)
        return captured

    async def do(self, command: Command, lead: UUID, person: str = "boss") -> Reply[Lead]:
        """A person's command on a lead, on fresh rules and loads."""
        await self.registry.latest()
        return await self.commands.execute(command, lead=lead, caller=Caller(f"user:{person}"))

    async def lead(self, lead: UUID) -> Lead:
        return await self.loop.read(lead)

    async def turn(self) -> None:
        """What a worker does: project, then assign until nothing is left to do."""
        for _ in range(2):
            await anyio.to_thread.run_sync(catch_up, self.dsn)
            await anyio.sleep(0.25)  # as long as it lets pass between two tries
            while await self.process.step():
                pass
        await anyio.to_thread.run_sync(catch_up, self.dsn)

    async def someone_waits(self) -> None:
        """Until the read model shows a lead that needs an owner."""
        end = time.monotonic() + PATIENCE
        waiting: Sequence[Waiting] = ()
        while not waiting:
            assert time.monotonic() < end
            await anyio.sleep(0.05)
            with suppress(Unavailable):
                waiting = await self.workloads.waiting(0, 1)

    async def assigned(self, number: int) -> Counter[str]:
        """Assignments per owner, once there are so many."""
        end = time.monotonic() + PATIENCE
        while sum((counts := self.owners()).values()) < number:
            assert time.monotonic() < end, counts
            await anyio.sleep(0.02)
        return counts

    def owners(self) -> Counter[str]:
        """Assignments per owner; no lead was assigned twice."""
        with psycopg.connect(self.dsn) as conn:
            rows = conn.execute(OWNERS).fetchall()
        assert all(events == leads for _, events, leads in rows), rows
        return Counter({owner: n for owner, n, _ in rows})

    def assignments(self) -> Sequence[tuple[UUID, dict[str, Any]]]:
        """Every assignment in the order of the log: the lead, and the event as it is stored."""
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(ASSIGNED).fetchall()


@contextmanager
def working(dsn: str) -> Iterator[None]:
    """A worker with all its duties, in this process."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(work, dsn, SETTINGS, ("project", "process"), stop)
        try:
            yield
        finally:
            stop.set()
    running.result()


def worker_process(dsn: str, *arguments: str) -> Forked:
    """A worker in a process of its own, to be killed."""
    environment = os.environ | {"LEADLOG_ALLOW_UNSAFE_POSTGRES": "1"}
    return leadlog("worker", "--database", dsn, *arguments, environment=environment)
