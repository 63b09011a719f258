"""Sentences about what time does to a lead (aggregates/lead/time_events.py)."""

from collections.abc import Mapping, Sequence

from aggregates.event import Event
from aggregates.lead import time_events as t
from aggregates.lead.wording import (
    Scene,
    Sentence,
    another,
    because,
    lasting,
    listed,
    optional,
    quoted,
)


def _issued(event: t.FirstFollowUpTaskIssued, scene: Scene) -> str:
    told = f"; the supervisor is told at {scene.at(event.escalate_at)}" if event.escalate_at else ""
    due = f"by {scene.at(event.due_at)}{_working(event)}"
    return f"{event.owner} is to reach the customer {due} (level {quoted(event.level)}){told}"


def _responded(event: t.FirstResponseMade, _: Scene) -> str:
    spans = (
        ("after the capture", event.since_capture),
        ("after getting it", event.since_assignment),
    )
    known = [f"{lasting(seconds)} {after}" for after, seconds in spans if seconds is not None]
    parts = known if event.late is None else [*known, _late(event.late)]
    who = quoted(event.by) if event.by else "Somebody"
    told = f": {', '.join(parts)}" if parts else ""
    return f"{who} reached the customer for the first time{told}"


def _late(seconds: float) -> str:
    return f"{lasting(seconds)} late" if seconds else "in time"


def _breached(event: t.FirstResponseBreached, _: Scene) -> str:
    return (
        "The first follow-up was due and nobody had reached the customer:"
        f" {event.owner} is late (level {quoted(event.level)})"
    )


def _escalated(event: t.EscalatedToSupervisor, _: Scene) -> str:
    team = optional(" in team ", event.team)
    return (
        f"Nobody had reached the customer for so long that {_told(event.supervisors)} told;"
        f" {event.owner}{team} owes a reason"
    )


def _explained(event: t.LateReasonRecorded, scene: Scene) -> str:
    of = f" for {event.by}" if another(event.by, scene) else ""
    given = because(event.reason, event.note)
    return f"{scene.who} said{of} why the first follow-up was late{given}"


def _incomplete(event: t.InfoCompletionOverdue, _: Scene) -> str:
    task = f"The lead should be complete by now and lacks {listed(event.missing)}"
    return f"{task}; {_told(_people(event.responsible, event.supervisors))} told"


def _scheduled(event: t.TaskScheduled, scene: Scene) -> str:
    asks = {
        "complete-info": "The lead is incomplete",
        "stage": f"The stage {quoted(event.stage)} asks for it",
        "next-step": f"The follow-up {quoted(event.follow_up)} says so",
    }
    why = asks.get(event.kind, f"A task of the kind {quoted(event.kind)}")
    due = f"is to be done by {scene.at(event.due_at)}{_working(event)}"
    return f"{why}: {quoted(event.task)} {due}"


def _overdue(event: t.TaskOverdue, _: Scene) -> str:
    told = _told(_people(event.owner, event.supervisors))
    return f"{quoted(event.task)} was due and is not done; {told} told"


def _done(event: t.TaskDone, _: Scene) -> str:
    return f"A contact with the customer did {quoted(event.task)}{optional(', by ', event.by)}"


def _cancelled(event: t.TaskCancelled, _: Scene) -> str:
    return f"{quoted(event.task)} is no longer to be done: the stage that asked for it was left"


def _moved(event: t.DeadlinesMoved, scene: Scene) -> str:
    clocks = [f"{clock.name} to {scene.at(clock.due_at)}" for clock in event.clocks]
    return f"Clocks were moved, {', '.join(clocks) or 'none'}{because(event.reason)}" + optional(
        ", level ", event.level
    )


def _proposed(event: t.LeadInvalidationProposed, _: Scene) -> str:
    told = f"; {_told(event.supervisors)} asked" if event.supervisors else ""
    return (
        f"The clean-up of {event.month} proposed to give the lead up{because(event.reason)}{told}"
    )


def _dismissed(event: t.InvalidationDismissed, scene: Scene) -> str:
    return f"{scene.who} kept the lead that the clean-up would give up{because(event.reason)}"


def _people(first: str | None, others: Sequence[str]) -> Sequence[str]:
    return tuple(dict.fromkeys((first, *others) if first else others))


def _told(people: Sequence[str]) -> str:
    """Those who are told, with their verb; perhaps there was nobody."""
    return f"{listed(people)} {'is' if len(people) == 1 else 'are'}" if people else "nobody is"


def _working(event: t.FirstFollowUpTaskIssued | t.TaskScheduled) -> str:
    return " in working time" if event.calendar else ""


SENTENCES: Mapping[type[Event], Sentence] = {
    t.FirstFollowUpTaskIssued: _issued,
    t.FirstResponseMade: _responded,
    t.FirstResponseBreached: _breached,
    t.EscalatedToSupervisor: _escalated,
    t.LateReasonRecorded: _explained,
    t.InfoCompletionOverdue: _incomplete,
    t.TaskScheduled: _scheduled,
    t.TaskOverdue: _overdue,
    t.TaskDone: _done,
    t.TaskCancelled: _cancelled,
    t.DeadlinesMoved: _moved,
    t.LeadInvalidationProposed: _proposed,
    t.InvalidationDismissed: _dismissed,
}
