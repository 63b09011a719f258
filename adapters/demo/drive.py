"""Carries a plan out: the real commands on the real log, in simulated time.

Each command is given at its own instant; the log's clock moves from window to window, so what is
said within a window is recorded at the time of its last step. Leads live side by side, turn by
turn, which makes the log the same for the same plan, codes and positions included.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from datetime import datetime, timedelta
from functools import partial
from heapq import heappop, heappush
from uuid import UUID, uuid5

from adapters.clock import SimulatedClock
from adapters.company import Company
from adapters.demo import company as c
from adapters.demo.plan import turns, windows
from adapters.demo.story import Step
from adapters.holiday_calendar import PublicHolidays
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from aggregates.directory import state as directory
from aggregates.directory.register import add_person
from aggregates.directory.team import add_team
from aggregates.event import Meta
from aggregates.lead.expire import next_due
from aggregates.lead.state import Lead
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead_loop import LeadLoop
from commands.leads import COMMANDS, LEADS, LeadCommands
from commands.loop import CommandLoop, Intent, by_state

WINDOW = timedelta(hours=1)
PERSONNEL = "process:personnel"

_now: ContextVar[datetime] = ContextVar("now")


class _StepClock:
    """Every task has an instant of its own."""

    def now(self) -> datetime:
        """The instant of the step that is being carried out, UTC."""
        return _now.get()


async def drive(
    dsn: str, company: Company, steps: Sequence[Step], progress: Callable[[int], None]
) -> None:
    """Carry all steps out; `progress` is told how many were done since it was told last.

    Goes on where an earlier run was killed: what had been recorded by then is not done again. A
    refused step is a defect of the plan and is raised.
    """
    clock = SimulatedClock(steps[0].at)
    due = _Due()
    log = PostgresEventLog(dsn, simulated_now=clock.now)
    registry = PostgresRegistry(dsn)
    loop = LeadLoop(log, registry, _StepClock(), company.zone, PublicHolidays())
    commands = LeadCommands(
        loop,
        log,
        registry,
        _StepClock(),
        company.zone,
        company.ledger_key,
    )
    leads = {s.lead: _captured_by(s) for s in steps if isinstance(s.command, CaptureLead)}

    async def say(step: Step) -> None:
        _now.set(step.at)
        lead = None if isinstance(step.command, CaptureLead) else leads[step.lead]
        caller = Caller(step.actor)
        reply = await commands.execute(step.command, lead=lead, caller=caller, key=step.key)
        due.note(reply.state)

    async def recall(lead: UUID) -> None:
        due.note(await loop.read(lead))

    async def ring(lead: UUID, at: datetime) -> None:
        _now.set(at)
        due.note((await loop.fire(lead)).state)

    async def ring_by(instant: datetime) -> None:
        while ringing := due.by(instant):
            await _all(ring(lead, at) for lead, at in ringing)

    recorded_until = company.last_recorded_at or steps[0].at
    try:
        await _enrol(log, clock.now())
        await _found_teams(log, clock.now())
        if company.last_recorded_at:
            await _all(recall(lead) for lead in leads.values())
        for window in windows(steps, WINDOW):
            if window[-1].at >= recorded_until:
                clock.move_to(window[-1].at)
                await ring_by(window[0].at)
                for turn in turns(window):
                    # Ahead of all commands of the turn, or their order would be up to chance.
                    late = [
                        (leads[s.lead], s.at) for s in turn if due.is_behind(leads[s.lead], s.at)
                    ]
                    await _all(ring(lead, at) for lead, at in late)
                    await _all(map(say, turn))
            progress(len(window))
        await ring_by(clock.now())
    finally:
        await log.close()
        await registry.close()


class _Due:
    """Which lead's clock rings when, as the commands leave them."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, UUID]] = []
        self._next: dict[UUID, datetime] = {}

    def note(self, lead: Lead) -> None:
        """Wake up for this lead when its next clock rings."""
        self._next.pop(lead.id, None)
        if due := next_due(lead):
            self._next[lead.id] = due.at
            heappush(self._heap, (due.at, lead.id))

    def is_behind(self, lead: UUID, instant: datetime) -> bool:
        """Whether a clock of the lead has rung by an instant."""
        return lead in self._next and self._next[lead] <= instant

    def by(self, instant: datetime) -> list[tuple[UUID, datetime]]:
        """The leads whose clocks ring by an instant, each once, with the last of its instants."""
        ringing: dict[UUID, datetime] = {}
        while self._heap and self._heap[0][0] <= instant:
            at, lead = heappop(self._heap)
            ringing[lead] = at
        return list(ringing.items())


async def _all(work: Iterable[Awaitable[None]]) -> None:
    """Wait for all of it, then raise the first error: nothing may be under way at the end."""
    for result in await asyncio.gather(*work, return_exceptions=True):
        if result is not None:
            raise result


def _captured_by(step: Step) -> UUID:
    """The lead that a capture makes."""
    return uuid5(LEADS, str(uuid5(COMMANDS, f"{step.actor}\n{step.key}")))


async def _enrol(log: PostgresEventLog, now: datetime) -> None:
    """Enter the company's people; those who are in already stay as they are."""
    loop = CommandLoop(log, lambda _: directory.Person(), directory.evolve)
    for name, role, team in _people():
        decide = partial(add_person, now=now, name=name, role=role, team=team, email=None)
        person = directory.person_id(name)
        meta = Meta(PERSONNEL, uuid5(person, "enrol"))
        await loop.run(Intent(person, by_state(decide), meta, b""))


async def _found_teams(log: PostgresEventLog, now: datetime) -> None:
    """Put the company's supervisors in charge of their teams, once (R5, R115)."""
    loop = CommandLoop(log, lambda _: directory.Team(), directory.evolve_team)
    for entry in c.TEAMS:
        leader = directory.Person(name=entry.supervisor, role="supervisor")
        decide = partial(add_team, now=now, name=entry.name, supervisor=leader)
        team = directory.team_id(entry.name)
        await loop.run(Intent(team, by_state(decide), Meta(PERSONNEL, uuid5(team, "found")), b""))


def _people() -> Iterator[tuple[str, str, str | None]]:
    yield c.MARKETING, "marketing", None
    yield from ((team.supervisor, "supervisor", team.name) for team in c.TEAMS)
    yield from ((rep.name, "sales", rep.team.name) for rep in c.REPS)
