"""Messages that a few events of one lead call for: who is told what."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from aggregates.event import Event, Recorded
from projections.base import WorkingSet
from projections.messages import NOTIFICATIONS, MessageRow
from projections.notifications import PROJECTION
from tests.unit.lead.given import LEAD, NOW

SOON = timedelta(seconds=2)


def messages(*commits: Sequence[Event], recorded: datetime | None = None) -> list[MessageRow]:
    """What commits on a lead call for, each recorded two seconds after it happened, in order."""
    working, version = WorkingSet(), 0
    for commit in commits:
        at = recorded or max(e.occurred_at for e in commit if e.occurred_at) + SOON
        for event in commit:
            version += 1
            PROJECTION.fold(working, [Recorded(version * 10, LEAD, version, at, event)])
    rows: dict[tuple[UUID, UUID], MessageRow] = working.rows(NOTIFICATIONS)
    return sorted(rows.values(), key=lambda row: row.position)


def told(*commits: Sequence[Event], recorded: datetime | None = None) -> list[tuple[str, str]]:
    """The same as pairs of kind and recipient."""
    return [(row.kind, row.recipient) for row in messages(*commits, recorded=recorded)]


def at(hours: float) -> datetime:
    """So many hours after the lead was captured."""
    return NOW + timedelta(hours=hours)
