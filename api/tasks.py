"""The work queue: what is to be done, by whom and until when; what supervisors look at.

R11, R37, R40-R42, A8, A12, A26. Sales and marketing see their own tasks, supervisors those of their
people and teams; nobody sees one of a lead that they may not see.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.lead_json import row_json
from api.openapi import problems
from api.reading import (
    Instant,
    Page,
    Read,
    Text,
    allowed,
    answer,
    at_most,
    caught_up,
    decode_cursor,
    listed,
)
from api.scoping import scope_for, seen
from api.service import Service
from commands.caller import Principal

TITLES: Mapping[str, str] = {
    "complete-info": "完善信息",
    "first-follow-up": "首次跟进",
    "late-reason": "说明未及时跟进原因",
    "next-step": "下一步",
}
"""What tasks are called; one that a stage asks for has a name of its own."""


class TaskFilter(Page):
    """Which tasks to list: those that have all of these values."""

    owner: Text | None = None
    team: Text | None = None
    kind: (
        Literal["complete-info", "first-follow-up", "late-reason", "next-step", "stage"] | None
    ) = None
    overdue: bool | None = None
    state: Literal["open", "done"] = "open"
    due_before: Instant | None = None
    paused: bool = False
    """Those of leads that are paused, in place of all others."""


class EscalationFilter(Page):
    """Which leads a supervisor looks at."""

    kind: Literal["escalated", "incomplete", "paused"] = "escalated"
    """Not followed up for so long that the supervisor was told; not completed in time; paused."""
    owner: Text | None = None
    team: Text | None = None


def router(service: Service) -> APIRouter:
    """The reads of tasks."""
    routes = APIRouter(
        prefix="/v1", tags=["tasks"], responses=problems(), default_response_class=Response
    )

    @routes.get("/tasks")
    async def list_tasks(
        query: Annotated[TaskFilter, Query()],
        principal: Annotated[Principal, Depends(allowed(service, "task.read"))],
    ) -> Response:
        """Tasks, those of high leads first and in a level those that are due first (R11)."""
        await caught_up(service, query)
        after = (
            decode_cursor(query.cursor, tuple[int, datetime | None, UUID, str])
            if query.cursor
            else None
        )
        filters = query.model_dump(exclude=set(Page.model_fields), exclude_none=True)
        limit, now = at_most(query.limit, service), service.clock.now()
        scope = await scope_for(service, principal)
        position, rows = await service.reads.tasks(
            filters, scope, now=now, after=after, limit=limit
        )
        places = [(row.pop("segment"), row["due_at"], row["lead"], row["name"]) for row in rows]
        items = [task_shown(row, now, service.zone) for row in rows]
        return listed(items, position, limit, places[-1] if places else None)

    @routes.get("/escalations")
    async def list_escalations(
        query: Annotated[EscalationFilter, Query()],
        principal: Annotated[Principal, Depends(allowed(service, "escalation.read"))],
    ) -> Response:
        """Leads for the supervisor: those that still owe a reason first, in these the highest
        level, in that what is there the longest.
        """
        await caught_up(service, query)
        after = decode_cursor(query.cursor, tuple[int, int, int]) if query.cursor else None
        wanted = {"owner": query.owner, "team": query.team}
        filters = {name: value for name, value in wanted.items() if value is not None}
        limit, now = at_most(query.limit, service), service.clock.now()
        scope = await scope_for(service, principal)
        position, rows = await service.reads.escalations(
            query.kind, filters, scope, after=after, limit=limit
        )
        places = [tuple(row.pop(n) for n in ("segment", "level_rank", "position")) for row in rows]
        items = [escalation_shown(row, query.kind, now, service.zone) for row in rows]
        return listed(items, position, limit, places[-1] if places else None)

    @routes.get("/leads/{ref:ref}/tasks", responses=problems(404))
    async def list_tasks_of_a_lead(
        ref: str,
        query: Annotated[Read, Query()],
        principal: Annotated[Principal, Depends(allowed(service, "lead.read"))],
    ) -> Response:
        """The lead's tasks, the open ones first; of those of one name the last one."""
        stream = (await seen(service, principal, ref)).lead.id
        await caught_up(service, query)
        position, rows = await service.reads.tasks_of(stream)
        now = service.clock.now()
        items = [task_shown(row, now, service.zone) for row in rows]
        return answer({"items": items, "next": None, "position": position}, position)

    return routes


def task_shown(row: Mapping[str, Any], now: datetime, zone: ZoneInfo) -> dict[str, Any]:
    """A task as it is told; the clock of a paused lead stands still."""
    own = {n: v for n, v in row.items() if n not in ("level_rank", "paused_since")}
    counts_at = row["paused_since"] if row["paused"] else now
    own |= {"title": TITLES.get(row["kind"], row["name"])}
    own |= {"seconds_left": seconds(counts_at, row["due_at"]) if row["state"] == "open" else None}
    return row_json(own, zone)


def escalation_shown(
    row: Mapping[str, Any], kind: str, now: datetime, zone: ZoneInfo
) -> dict[str, Any]:
    """A lead as a supervisor looks at it."""
    own = {n: v for n, v in row.items() if n not in ("state", "escalated_to")}
    own |= {"kind": kind, "supervisors": row["escalated_to"]}
    own |= {"reason_owed": kind == "escalated" and row["state"] == "open"}
    own |= {"seconds_since_assignment": seconds(row["assigned_at"], now)}
    return row_json(own, zone)


def seconds(since: datetime | None, until: datetime | None) -> float | None:
    """From one instant to the other; negative where it is past."""
    return (until - since).total_seconds() if since and until else None
