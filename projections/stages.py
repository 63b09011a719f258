"""Stage changes: one row per entry of a lead into a stage, the ground of funnel and durations."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead.events import StageChanged
from projections.base import Projection, Table, WorkingSet


@dataclass(slots=True)
class StageRow:
    """An entry into a stage. `at` is when it happened (UTC, null = unknown)."""

    lead: UUID
    position: int
    stage: str
    at: datetime | None


STAGES = Table("stage_changes", StageRow, key=("position",), facts=True, indexes=("(lead)",))


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Every change is a row of its own."""
    for position, stream, _, _, event in batch:
        assert isinstance(event, StageChanged)
        working.append(STAGES, StageRow(stream, position, event.stage, event.occurred_at))


PROJECTION = Projection("stages", 1, (StageChanged,), (STAGES,), fold)
