"""What reviews, the clean-up and recycling look at: how every lead stands, and what it lapsed in.

The tables are in projections/review_tables.py. So a period is reviewed by set-based questions,
without reading a lead's history, and as it was known at the period's end (R103, R109, R110).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from aggregates.event import Event, Recorded
from aggregates.lead import effort
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.effort import Effort
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import UNASSIGNED
from aggregates.lead.timers import COMPLETE_INFO, ESCALATION, FIRST_FOLLOW_UP
from projections import findings
from projections.base import Projection, WorkingSet
from projections.masking import masked
from projections.openness import CLOSING
from projections.review_tables import (
    ESCALATED,
    FINDINGS,
    INCOMPLETE,
    LAPSES,
    LATE,
    OVERDUE,
    STANDINGS,
    FindingRow,
    LapseRow,
    StandingRow,
)

_EFFORT = tuple(f.name for f in fields(Effort))


@dataclass(slots=True)
class _Lead:
    row: StandingRow
    lapses: list[LapseRow]
    current: dict[findings.Name, FindingRow]
    """The findings that hold, as the last event left them."""

    def lapse(self, kind: str, task: str, recorded: Recorded, owner: str | None) -> None:
        """Something was due. What was open of the name before has given way to it."""
        self.end(task)
        at, team = recorded.event.occurred_at, self.row.team
        self.lapses.append(
            LapseRow(recorded.stream, recorded.position, kind, task, at, owner, team)
        )

    def end(self, *tasks: str) -> None:
        """These are done, or no longer to be done."""
        for lapse in self.lapses:
            lapse.is_open = lapse.is_open and lapse.task not in tasks

    def close(self) -> None:
        """Nothing is to be done any more."""
        self.end(*(lapse.task for lapse in self.lapses))

    def explain(self, reason: str) -> None:
        """Why the last owner who was late was so."""
        late = [lapse for lapse in self.lapses if lapse.kind in (LATE, ESCALATED)]
        for lapse in late:
            if lapse.owner == late[-1].owner:
                lapse.late_reason = reason


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Keep every lead's standing, lapses and findings in step, event by event."""
    standings, lapses = working.rows(STANDINGS), working.rows(LAPSES)
    stretches = working.rows(FINDINGS)
    known = {lead: _Lead(row, [], {}) for lead, row in standings.items()}
    for _, lapse in sorted(lapses.items()):
        known[lapse.lead].lapses.append(lapse)
    for stretch in stretches.values():
        if stretch.known_until is None:
            known[stretch.lead].current[stretch.finding, stretch.nr] = stretch
    for recorded in batch:
        lead = known.get(recorded.stream)
        if lead is None:
            row = standings[recorded.stream] = StandingRow(recorded.stream)
            lead = known[recorded.stream] = _Lead(row, [], {})
        _follow(lead, recorded)
        findings.keep(stretches, lead.current, findings.of(lead.row, lead.lapses), recorded)
    for lead in known.values():
        lapses.update(((lapse.lead, lapse.position), lapse) for lapse in lead.lapses)


def _follow(lead: _Lead, recorded: Recorded) -> None:
    row, event = lead.row, recorded.event
    if type(event) in effort.TURN:
        _try(row, event)
    if flag := CLOSING.get(type(event)):
        setattr(row, *flag)
    _hold(row, event)
    _stand(row, recorded)
    _lapse(lead, recorded)


def _try(row: StandingRow, event: Event) -> None:
    after = effort.turned(Effort(*(getattr(row, name) for name in _EFFORT)), event)
    for name in _EFFORT:
        setattr(row, name, getattr(after, name))
    row.quiet_since = after.quiet_since


def _hold(row: StandingRow, event: Event) -> None:
    """Who has the lead."""
    match event:
        case e.LeadCaptured():
            row.captured, row.code = True, row.code or event.code
            row.captured_at = row.captured_at or event.occurred_at
            _describe(row, event.details)
        case e.InfoChanged(details=details) | e.LeadConverted(details=details):
            _describe(row, details)
        case e.LeadAssigned():
            _describe(row, event.details)
            row.owner, row.team = event.owner or row.owner, event.team or row.team
            row.pool = row.unassignable_since = None
        case e.LeadReassigned() | e.LeadHandedOver() | e.LeadClaimed():
            row.owner, row.team = event.owner, event.team
            row.pool = row.unassignable_since = None
        case e.LeadTeamChanged():
            row.team = event.team
        case e.LeadReleasedToPool():
            row.owner = row.team = row.unassignable_since = None
            row.pool = event.pool
        case e.AssignmentFailed():
            row.unassignable_since = event.occurred_at
        case e.StageChanged():
            row.daily = row.daily or event.stage == UNASSIGNED
        case _:
            pass


def _describe(row: StandingRow, details: Mapping[str, Any]) -> None:
    row.owner, row.team = details.get("owner", row.owner), details.get("team", row.team)


def _stand(row: StandingRow, recorded: Recorded) -> None:
    """Whether the lead stands still, and whether it is to be given up."""
    match event := recorded.event:
        case e.LeadPaused():
            row.paused_since = row.paused_since if row.paused else event.occurred_at
            row.paused, row.resume_at = True, event.resume_at
        case e.LeadResumed():
            if row.paused_since and event.occurred_at:
                row.paused_seconds += (event.occurred_at - row.paused_since).total_seconds()
            row.paused, row.paused_since, row.resume_at = False, None, None
        case t.LeadInvalidationProposed():
            row.proposed_reason, row.proposed_month = event.reason, event.month
            row.proposed_at, row.proposed_position = event.occurred_at, recorded.position
            row.evidence, row.stands = dict(event.evidence), True
        case t.InvalidationDismissed() | e.LeadInvalidated() | e.LeadConverted():
            row.stands = False
        case PersonalDataErased():
            row.stands = False
        case e.FollowUpRecorded(connected=True):
            row.stands = False
        case _:
            pass


def _lapse(lead: _Lead, recorded: Recorded) -> None:
    """What was not done in time, and what of it is over."""
    match event := recorded.event:
        case t.FirstResponseBreached():
            lead.lapse(LATE, FIRST_FOLLOW_UP, recorded, event.owner)
        case t.EscalatedToSupervisor():
            lead.lapse(ESCALATED, ESCALATION, recorded, event.owner)
        case t.InfoCompletionOverdue():
            lead.lapse(INCOMPLETE, COMPLETE_INFO, recorded, event.responsible)
        case t.TaskOverdue():
            lead.lapse(OVERDUE, event.task, recorded, event.owner)
        case t.TaskDone() | t.TaskCancelled() | t.TaskScheduled():
            lead.end(event.task)
        case t.FirstResponseMade():
            lead.end(FIRST_FOLLOW_UP, ESCALATION)
        case e.LeadInvalidated() | e.LeadConverted() | PersonalDataErased():
            lead.close()
        case e.InfoCompleted():
            lead.end(COMPLETE_INFO)
        case t.LateReasonRecorded():
            lead.explain(event.reason)
        case _:
            pass


_WITH_TEXT = {
    t.LateReasonRecorded, t.LeadInvalidationProposed, t.TaskOverdue, t.TaskScheduled, t.TaskDone,
    t.TaskCancelled,
}  # fmt: skip
EVENTS: tuple[type[Event], ...] = (
    *effort.TURN, *(event for event in CLOSING if event not in effort.TURN), e.StageChanged,
    e.AssignmentFailed, e.LeadTeamChanged, e.LeadReleasedToPool, e.LeadPaused, e.InfoCompleted,
    t.FirstResponseBreached, t.EscalatedToSupervisor, t.InfoCompletionOverdue, t.TaskOverdue,
    t.TaskScheduled, t.TaskDone, t.TaskCancelled, t.FirstResponseMade, t.LateReasonRecorded,
    t.LeadInvalidationProposed,
)  # fmt: skip
PROJECTION = Projection(
    "reviewing",
    3,
    EVENTS,
    (STANDINGS, LAPSES, FINDINGS),
    masked(fold, textless=[event for event in EVENTS if event not in _WITH_TEXT]),
    personal=True,
)
