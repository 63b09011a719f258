"""Moves through the pipeline (R52, R58, A15)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import StageChanged
from aggregates.lead.guards import require_unconverted, require_workable
from aggregates.lead.state import PIPELINE, UNASSIGNED, WON, Lead
from aggregates.refusal import Refusal


def advance(lead: Lead, *, now: datetime, stage: str, reason: str | None) -> list[Event]:
    """Enter a stage, forward or back; from a foreign stage any of the pipeline may be entered."""
    require_workable(lead)
    require_unconverted(lead)
    if stage == lead.stage:
        return []
    require_movable(stage)
    return [StageChanged(occurred_at=now, stage=stage, previous=lead.stage, reason=reason)]


def require_movable(stage: str) -> None:
    """待分配 and 成交 are entered by capture and conversion, never by a move."""
    if stage == WON:
        raise Refusal("use-convert", f"{WON} is reached by converting the lead", "stage")
    allowed = [s for s in PIPELINE if s not in (UNASSIGNED, WON)]
    if stage not in allowed:
        raise Refusal("unknown-stage", f"enter one of {', '.join(allowed)}", "stage")
