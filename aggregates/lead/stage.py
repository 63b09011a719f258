"""Moves through the pipeline (R52, R58, A15).

The policy judges moves made by command; what the system moves (待分配 at capture, 待跟进 at
assignment, 已联系 at the first connected follow-up, 成交 at conversion) follows from the fact.
"""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.events import StageChanged
from aggregates.lead.guards import require_unconverted, require_workable
from aggregates.lead.state import Lead
from aggregates.policy.work import Pipeline
from aggregates.refusal import Refusal


def advance(
    lead: Lead, *, now: datetime, stage: str, reason: str | None, pipeline: Pipeline
) -> list[Event]:
    """Enter a stage, forward or back; from a foreign stage any of the pipeline may be entered."""
    require_workable(lead)
    require_unconverted(lead)
    if stage == lead.stage:
        return []
    require_move(lead.stage, stage, pipeline)
    return [enter(lead, stage, now, reason)]


def enter(lead: Lead, stage: str, at: datetime, reason: str | None = None) -> StageChanged:
    """The move to a stage because of something that happened at `at`.

    A contact may be entered late (A30), but the stage that the lead is in last is the one that it
    entered last: the move is never dated before the one before it.
    """
    entered = max(at, lead.stage_since) if lead.stage_since else at
    return StageChanged(occurred_at=entered, stage=stage, previous=lead.stage, reason=reason)


def require_move(current: str | None, stage: str, pipeline: Pipeline) -> None:
    """The policy allows the move, or Refusal names the stages that it does allow.

    The first stage is entered by capture and the last by conversion, never by a move.
    """
    first, *middle, last = pipeline.stages
    if stage == last:
        raise Refusal("use-convert", f"{last} is reached by converting the lead", "stage")
    hindrance = _hindrance(current, stage, pipeline) if stage in middle else "unknown-stage"
    if not hindrance:
        return
    allowed = [s for s in middle if not _hindrance(current, s, pipeline)]
    goal = f"enter one of {', '.join(allowed)}" if allowed else "no move leads on from here"
    raise Refusal(hindrance, f"{stage} cannot be entered from {current or first}: {goal}", "stage")


def _hindrance(current: str | None, stage: str, pipeline: Pipeline) -> str | None:
    """Why the policy does not allow a move to a stage of the pipeline, if it does not: to stay is
    no move.
    """
    if stage == current:
        return "unknown-stage"
    if current not in pipeline.stages:
        return None
    steps = pipeline.stages.index(stage) - pipeline.stages.index(current)
    if steps < 0 and not pipeline.backward:
        return "stage-behind"
    if steps > 1 and not pipeline.skipping:
        return "stage-skipped"
    return None
