"""Which events tell whom what (R10, R29, R36, R40, R41, R53).

What an import brought is history and tells nobody; a paused lead reminds nobody (R107). Nobody is
told what they have just done themselves: whoever claims a lead, or enters one for themselves,
knows. Messages about an erased lead no longer name the customer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.timers import COMPLETE_INFO
from aggregates.review.events import ReviewOpened
from projections.messages import (
    ASSIGNED,
    ESCALATED,
    FIRST_FOLLOW_UP,
    INCOMPLETE,
    LATE,
    LATE_REASON,
    NOBODYS_TASK,
    RESUMED,
    REVIEW,
    STILL_INCOMPLETE,
    TASK_OVERDUE,
    UNASSIGNABLE,
    Cause,
    SubjectRow,
)


def _captured(c: Cause, event: e.LeadCaptured) -> None:
    lead = c.subject
    lead.historical = bool(event.source_system and not event.by_command)
    lead.code = lead.code or event.code
    lead.entered_by = lead.entered_by or event.entered_by
    lead.recorded_at = c.recorded.recorded_at
    _describe(lead, event.details)


def _described(c: Cause, event: e.InfoChanged) -> None:
    _describe(c.subject, event.details)


def _describe(lead: SubjectRow, details: Mapping[str, Any]) -> None:
    lead.customer = details.get("customer", lead.customer)
    lead.owner = details.get("owner", lead.owner)


def _assigned(c: Cause, event: e.LeadAssigned) -> None:
    lead, owner = c.subject, event.owner or event.details.get("owner")
    _describe(lead, event.details)
    if not owner:  # an imported fact that names nobody
        return
    lead.owner = owner
    by_themselves = owner == lead.entered_by and not event.explanation
    lead.knows = by_themselves and lead.recorded_at == c.recorded.recorded_at
    if c.is_news and not lead.knows:
        _handed(c, owner)


def _passed_on(c: Cause, event: e.LeadReassigned | e.LeadHandedOver) -> None:
    c.subject.owner, c.subject.knows = event.owner, False
    _handed(c, event.owner)


def _handed(c: Cause, owner: str | None) -> None:
    """Whoever has still to reach the customer is told with the task, which follows at once."""
    if c.subject.paused:
        c.subject.untold = True
    elif c.subject.reached:
        c.tell(ASSIGNED, [owner])


def _claimed(c: Cause, event: e.LeadClaimed) -> None:
    c.subject.owner, c.subject.knows, c.subject.untold = event.owner, True, False


def _released(c: Cause, _: e.LeadReleasedToPool) -> None:
    c.subject.owner, c.subject.untold = None, False


def _unassignable(c: Cause, event: e.AssignmentFailed) -> None:
    c.tell(UNASSIGNABLE, event.supervisors or ())


def _contacted(c: Cause, event: e.FollowUpRecorded) -> None:
    c.subject.reached = c.subject.reached or event.connected


def _converted(c: Cause, event: e.LeadConverted) -> None:
    c.subject.reached = True
    _describe(c.subject, event.details)


def _paused(c: Cause, _: e.LeadPaused) -> None:
    c.subject.paused = True


def _resumed(c: Cause, event: e.LeadResumed) -> None:
    """Whoever resumes it by hand knows; whoever got it meanwhile does not."""
    lead = c.subject
    if event.by_clock or lead.untold:
        c.tell(RESUMED, [lead.owner])
    lead.paused = lead.untold = False


def _issued(c: Cause, event: t.FirstFollowUpTaskIssued) -> None:
    lead, knows = c.subject, c.subject.knows
    lead.knows = False
    if lead.paused:
        lead.untold = not knows
    elif c.is_news and not knows:
        c.tell(FIRST_FOLLOW_UP, [event.owner], due_at=event.due_at, level=event.level)


def _scheduled(c: Cause, event: t.TaskScheduled) -> None:
    if event.kind == COMPLETE_INFO and not c.subject.paused:
        c.tell(INCOMPLETE, [c.subject.owner or c.subject.entered_by], due_at=event.due_at)


def _still_incomplete(c: Cause, event: t.InfoCompletionOverdue) -> None:
    told = [event.responsible, *event.supervisors]
    c.tell(
        STILL_INCOMPLETE,
        told,
        due_at=event.occurred_at,
        missing=", ".join(event.missing),
        owner=event.responsible,
    )


def _breached(c: Cause, event: t.FirstResponseBreached) -> None:
    c.tell(LATE, [event.owner], due_at=event.occurred_at, level=event.level)


def _escalated(c: Cause, event: t.EscalatedToSupervisor) -> None:
    c.tell(ESCALATED, event.supervisors, owner=event.owner, team=event.team)
    c.tell(LATE_REASON, [event.owner])


def _overdue(c: Cause, event: t.TaskOverdue) -> None:
    c.tell(TASK_OVERDUE, [event.owner], due_at=event.occurred_at, task=event.task)
    c.tell(NOBODYS_TASK, event.supervisors, due_at=event.occurred_at, task=event.task)


def _erased(c: Cause, _: PersonalDataErased) -> None:
    c.subject.customer = None
    for (subject, _id), message in c.messages.items():
        if subject == c.recorded.stream:
            message.customer = None


def _review(c: Cause, event: ReviewOpened) -> None:
    c.tell(
        REVIEW,
        event.supervisors,
        review=event.kind,
        team=event.team,
        since=event.since.isoformat(),
        until=event.until.isoformat(),
        total=event.total,
    )


HANDLERS: Mapping[type[Event], Callable[[Cause, Any], None]] = {
    e.LeadCaptured: _captured,
    e.InfoChanged: _described,
    e.LeadAssigned: _assigned,
    e.LeadReassigned: _passed_on,
    e.LeadHandedOver: _passed_on,
    e.LeadClaimed: _claimed,
    e.LeadReleasedToPool: _released,
    e.AssignmentFailed: _unassignable,
    e.FollowUpRecorded: _contacted,
    e.LeadConverted: _converted,
    e.LeadPaused: _paused,
    e.LeadResumed: _resumed,
    t.FirstFollowUpTaskIssued: _issued,
    t.TaskScheduled: _scheduled,
    t.InfoCompletionOverdue: _still_incomplete,
    t.FirstResponseBreached: _breached,
    t.EscalatedToSupervisor: _escalated,
    t.TaskOverdue: _overdue,
    PersonalDataErased: _erased,
    ReviewOpened: _review,
}
