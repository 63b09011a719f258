"""Events and steps of a lead as JSON, and their schemas: masked, times in the company's zone."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict

from aggregates.lead.replay import Step
from aggregates.lead.telling import caused, plain
from aggregates.lead.timer_changes import TimerChange
from aggregates.lead.timers import Timer


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class _InTheLog(_Shape):
    """An event at its place, on both axes of time, and who caused it by what."""

    position: int
    """In the log."""
    version: int
    """Of the lead, with this event."""
    topic: str
    occurred_at: datetime | None
    """When it happened; null = unknown."""
    recorded_at: datetime
    actor: str
    """user:, process:, import: or operator: with a name."""
    who: str
    """The actor in words."""
    command_id: UUID
    correlation_id: UUID
    """The intent that the command belongs to; the command itself where it began with it."""
    causation_id: UUID
    """The event or command before it; the command itself where there is none."""
    erased: bool
    """It held personal values, which are gone."""


class HistoryEvent(_InTheLog):
    """An event of a lead."""

    data: dict[str, Any]
    """What it says, by field: masked, with null for other leads that the reader may not see."""


class FieldChange(_Shape):
    """A field of the lead before and after."""

    before: Any
    after: Any


class Clock(_Shape):
    """A clock of the lead."""

    kind: str
    since: datetime
    due_at: datetime | None
    """Null = it is to be done, and no instant is given."""
    spent: float
    """Seconds of its time used up before `since`."""
    owner: str | None
    level: str | None
    stage: str | None
    asked_at: datetime | None
    overdue: bool
    by_calendar: bool
    """Its time is working time."""


class ClockChange(_Shape):
    """What a step did to a clock."""

    name: str
    change: Literal["armed", "moved", "rang", "closed"]
    before: Clock | None
    after: Clock | None


class CitedRules(_Shape):
    """Rules that the event followed: the policy's kind, version, and SHA-256 of its text in hex."""

    kind: str
    version: int
    hash: str
    rule: str | None
    """The name of the rule that matched, where the event says it."""
    matched: str | None
    """What it looked at or found, in words."""


class ReplayStep(_InTheLog):
    """One step of a lead's life."""

    in_words: str
    changes: dict[str, FieldChange]
    """The fields of the lead that changed, named as in the lead; attributes as attribute:name."""
    timers: list[ClockChange]
    rules: list[CitedRules]
    says: dict[str, Any]
    """What else the event says."""


class _Page(_Shape):
    next: str | None
    """The `cursor` of the next page; null = this is the last one."""
    position: int
    """The position of the log that this reflects."""


class HistoryEvents(_Page):
    """Events of a lead, in the order of recording."""

    items: list[HistoryEvent]


class ReplaySteps(_Page):
    """Steps of a lead's life, in the order of recording."""

    items: list[ReplayStep]


def step_json(step: Step, zone: ZoneInfo) -> dict[str, Any]:
    """A step as ReplayStep has it."""
    values = {
        "position": step.position,
        "version": step.version,
        "topic": step.topic,
        "in_words": step.in_words,
        "occurred_at": step.occurred_at,
        "recorded_at": step.recorded_at,
        **caused(step.meta),
        "erased": step.erased,
        "changes": {name: change._asdict() for name, change in step.changes.items()},
        "timers": [_turned(change) for change in step.timers],
        "rules": step.rules,
        "says": step.says,
    }
    return {name: plain(value, zone) for name, value in values.items()}


def _turned(change: TimerChange) -> dict[str, Any]:
    return {
        "name": change.name,
        "change": change.change,
        "before": change.before and _clock(change.before),
        "after": change.after and _clock(change.after),
    }


def _clock(timer: Timer) -> dict[str, Any]:
    return {name: getattr(timer, name) for name in Clock.model_fields}
