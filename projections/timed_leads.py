"""What the tasks of a lead have to know of it, and which clocks an import has left to start."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead import events as e
from projections.base import Table
from projections.openness import FLAGS


@dataclass(slots=True)
class LeadRow:
    """A lead and its flags.

    Of a `historical` lead, one that a history file brought: `arms_from` is the latest instant at
    which something happened to it that starts clocks in daily work, `arms_since` that fact's place
    in the log; None once such a clock was started behind it.
    """

    lead: UUID
    code: str | None = None
    owner: str | None = None
    team: str | None = None
    level: str | None = None
    entered_by: str | None = None
    historical: bool = False
    paused: bool = False
    captured: bool = False
    merged: bool = False
    converted: bool = False
    invalidated: bool = False
    erased: bool = False
    arms_from: datetime | None = None
    arms_since: int | None = None

    @property
    def is_open(self) -> bool:
        """Clocks run for it, unless it is paused."""
        closed = self.merged or self.converted or self.invalidated or self.erased
        return self.captured and not closed


TIMED = Table(
    "timed_leads",
    LeadRow,
    key=("lead",),
    indexes=("(arms_since, arms_from) WHERE arms_from IS NOT NULL",),
)


def change(row: LeadRow, recorded: Recorded) -> None:
    """Take over what an event says of the lead itself."""
    event = recorded.event
    if flag := FLAGS.get(type(event)):
        setattr(row, *flag)
    match event:
        case e.LeadCaptured():
            row.historical = bool(event.source_system and not event.by_command)
            row.captured, row.code = True, row.code or event.code
            row.entered_by = row.entered_by or event.entered_by
            _describe(row, event.details)
        case e.LeadLabelled(level=level) | e.LabelOverridden(level=level):
            row.level = level
        case e.InfoChanged(details=details) | e.LeadConverted(details=details):
            _describe(row, details)
        case e.LeadAssigned():
            _describe(row, event.details)
            row.owner, row.team = event.owner or row.owner, event.team or row.team
        case e.LeadReassigned() | e.LeadHandedOver() | e.LeadClaimed():
            row.owner, row.team = event.owner, event.team
        case e.LeadReleasedToPool():
            row.owner = row.team = None
        case e.LeadTeamChanged(team=team):
            row.team = team
        case _:
            pass


def wait_for_clocks(row: LeadRow, recorded: Recorded, *, was_started: bool) -> None:
    """An import may name the stage or the owner ahead of the capture. An owner starts the clock of
    the first follow-up, which a lead that had such a clock once (`was_started`) has had.
    """
    event = recorded.event
    starts = isinstance(event, e.StageChanged) or (
        isinstance(event, e.LeadAssigned) and not was_started
    )
    if starts and (row.historical or not row.captured) and (at := event.occurred_at):
        row.arms_from, row.arms_since = max(row.arms_from or at, at), recorded.position


def _describe(row: LeadRow, details: Mapping[str, Any]) -> None:
    for name in ("owner", "team", "level"):
        if name in details:
            setattr(row, name, details[name])
