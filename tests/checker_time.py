"""Which events of time a log must have, judged from its facts alone; no product code.

Everything that `checker_schedule` says is there exactly once, in one order, and nothing ahead of
its time. Leads of a history import are left out: they are armed, not judged.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from uuid import UUID

import psycopg

from tests.checker_fold import Fact
from tests.checker_schedule import Item, Rules, TimedLead, as_text

SWEEP = "process:deadlines"
LOG = (
    "SELECT notification_id, originator_id, originator_version, recorded_at, topic, state"
    " FROM log.leadlog_events WHERE topic LIKE 'lead.%' ORDER BY notification_id"
)
DERIVED = {
    "lead.first-response-breached": ("breached", "owner", "level"),
    "lead.escalated-to-supervisor": ("escalated", "owner"),
    "lead.info-completion-overdue": ("incomplete",),
    "lead.task-overdue": ("overdue", "task"),
    "lead.resumed": ("resumed",),
    "lead.first-follow-up-task-issued": ("issued", "owner", "level", "due_at", "escalate_at"),
    "lead.first-response-made": ("responded", "late"),
    "lead.task-scheduled": ("scheduled", "task", "due_at"),
    "lead.task-done": ("done", "task"),
    "lead.task-cancelled": ("cancelled", "task"),
}
"""What is judged, and what of it; a lead is resumed by the sweep or, which is a fact, by hand."""
TIMED_BY_HAND = ("lead.follow-up-recorded", "lead.stage-changed", "lead.converted")


def check_time(dsn: str, rules: Rules, until: datetime) -> list[str]:
    """Read a log and judge it; `until`: what was due by then has to be there."""
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(LOG).fetchall()
    return time_faults([Fact(*row[:5], json.loads(row[5])) for row in rows], rules, until)


def time_faults(facts: Sequence[Fact], rules: Rules, until: datetime) -> list[str]:
    """What is wrong, in words; empty = nothing."""
    last = max((fact.recorded_at for fact in facts), default=until)
    return [
        f"{own[0].data.get('code')} {lead}: {fault}"
        for lead, own in by_lead(facts).items()
        for fault in _faults(own, rules, until, max(until, last))
    ]


def by_lead(facts: Sequence[Fact]) -> dict[UUID, list[Fact]]:
    """The leads that commands captured, and what happened to each."""
    leads: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        leads[fact.stream].append(fact)
    return {k: own for k, own in leads.items() if own[0].command is not None}


def _faults(own: Sequence[Fact], rules: Rules, until: datetime, last: datetime) -> Iterator[str]:
    found = list(recorded(own))
    owed = schedule(own, rules, until)
    possible = schedule(own, rules, last) if last > until else owed
    for fact in own:
        if _by_sweep(fact) and fact.at and fact.recorded_at < fact.at:
            yield f"early: {_said(fact)} {fact.at} was recorded at {fact.recorded_at}"
    yield from _moved_faults(own, rules)
    have, want, may = Counter(found), Counter(owed), Counter(possible)
    yield from (f"missing: {_words(item)}" for item in (want - have).elements())
    yield from (f"too much: {_words(item)}" for item in (have - may).elements())
    if not want - have and not have - may and found != possible[: len(found)]:
        yield f"out of order: {[*map(_words, found)]} and not {[*map(_words, possible)]}"


def recorded(own: Sequence[Fact]) -> Iterator[Item]:
    """What time did to a lead, as the log has it."""
    given = 0
    for sweep, command in _commands(own):
        given += not sweep
        derived = [(given, _said(f), f.at) for f in command if _is_derived(f)]
        yield from derived if sweep else sorted(derived, key=str)


def schedule(own: Sequence[Fact], rules: Rules, until: datetime) -> list[Item]:
    """What time had to do to a lead, from what else happened to it."""
    lead = TimedLead(rules)
    for _ in lived(lead, own):
        pass
    lead.ring(until)
    return lead.items


def lived(lead: TimedLead, own: Sequence[Fact]) -> Iterator[Fact]:
    """Let everything happen to the lead; yields each change of its clocks where that stands."""
    for sweep, command in _commands(own):
        moves = [fact for fact in command if fact.topic == "lead.deadlines-moved"]
        if not sweep:
            facts = [fact for fact in command if not _is_derived(fact)]
            now = _given_at(facts)
            lead.ring(now)
            lead.take(facts, now)
        for move in moves:
            if sweep and move.at:
                lead.ring(move.at)
            yield move


def _moved_faults(own: Sequence[Fact], rules: Rules) -> Iterator[str]:
    """Where the log says that clocks are due at another instant now, they are."""
    lead = TimedLead(rules)
    for move in lived(lead, own):
        for clock in move.data["clocks"]:
            due = lead.due(clock["name"])
            if due and not lead.paused and as_text(due) != as_text(clock["due_at"]):
                yield f"{clock['name']} was moved to {clock['due_at']} and is due at {due}"


def _given_at(facts: Sequence[Fact]) -> datetime:
    """When a command was given: a contact, and what it brings about, may have been earlier."""
    times = [fact.at for fact in facts if fact.topic not in TIMED_BY_HAND]
    return next(filter(None, times), facts[0].recorded_at)


def _commands(own: Sequence[Fact]) -> Iterator[tuple[bool, list[Fact]]]:
    for _, facts in groupby(own, key=lambda fact: fact.command):
        command = list(facts)
        yield _by_sweep(command[0]), command


def _by_sweep(fact: Fact) -> bool:
    return fact.data["meta"]["actor"] == SWEEP


def _is_derived(fact: Fact) -> bool:
    return fact.topic in DERIVED and (fact.topic != "lead.resumed" or _by_sweep(fact))


def _said(fact: Fact) -> str:
    what, *names = DERIVED[fact.topic]
    return " ".join([what, *(as_text(fact.data.get(name)) for name in names)])


def _words(item: Item) -> str:
    return f"{item[1]} at {item[2]} behind {item[0]} commands"
