"""What was tried with a lead, and since when nothing was: what a clean-up goes by (R100, R101).

The fold of the few events that say so, for the lead's state and for the read model alike. It begins
anew when the lead is reopened, or when a supervisor keeps one that was to be given up.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.time_events import InvalidationDismissed
from aggregates.values import latest

WRONG_NUMBER, REFUSED = "wrong_number", "refused"
"""Outcomes of a follow-up that speak against a lead; `refused`: reached, and explicitly so."""


@dataclass(frozen=True, slots=True)
class Effort:
    """`wrong_numbers`: follow-ups that ended at one, of the number that the lead has now.
    `connected`: those that reached the customer, the latest of them at `connected_at`, `refused` if
    that one said so. `last_at`: the latest follow-up of all. `begun_at`: the latest of capture,
    assignment, the end of a pause, and what makes it begin anew.
    """

    wrong_numbers: int = 0
    connected: int = 0
    connected_at: datetime | None = None
    refused: bool = False
    last_at: datetime | None = None
    begun_at: datetime | None = None

    @property
    def quiet_since(self) -> datetime | None:
        """Since when nobody followed the lead up, who had it and could have."""
        return latest(self.begun_at, self.last_at)


NONE = Effort()


def turned(effort: Effort, event: Event) -> Effort:
    """The effort after one more event."""
    turn = TURN.get(type(event))
    return turn(effort, event) if turn else effort


def _begins(effort: Effort, event: Event) -> Effort:
    return replace(effort, begun_at=latest(effort.begun_at, event.occurred_at))


def _begins_anew(effort: Effort, event: Event) -> Effort:
    return Effort(last_at=effort.last_at, begun_at=latest(effort.begun_at, event.occurred_at))


def _changed(effort: Effort, event: e.InfoChanged) -> Effort:
    return replace(effort, wrong_numbers=0) if "phone" in event.details else effort


def _erased(effort: Effort, _: PersonalDataErased) -> Effort:
    """Which number was tried, and whether there was another one since, nobody can tell any more."""
    return replace(effort, wrong_numbers=0)


def _tried(effort: Effort, event: e.FollowUpRecorded) -> Effort:
    after = replace(
        effort,
        wrong_numbers=effort.wrong_numbers + (event.outcome == WRONG_NUMBER),
        last_at=latest(effort.last_at, event.occurred_at),
    )
    return _reached(after, event) if event.connected else after


def _reached(effort: Effort, event: e.FollowUpRecorded) -> Effort:
    connected_at = latest(effort.connected_at, event.occurred_at)
    is_latest = connected_at == event.occurred_at
    return replace(
        effort,
        connected=effort.connected + 1,
        connected_at=connected_at,
        refused=event.outcome == REFUSED if is_latest else effort.refused,
    )


TURN: Mapping[type[Event], Callable[[Effort, Any], Effort]] = {
    **dict.fromkeys(
        (
            e.LeadCaptured,
            e.LeadAssigned,
            e.LeadReassigned,
            e.LeadHandedOver,
            e.LeadClaimed,
            e.LeadResumed,
            e.MergeUndone,
            e.ConversionReversed,
        ),
        _begins,
    ),
    e.LeadReopened: _begins_anew,
    InvalidationDismissed: _begins_anew,
    e.InfoChanged: _changed,
    PersonalDataErased: _erased,
    e.FollowUpRecorded: _tried,
}
