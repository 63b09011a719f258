"""A review as JSON, texts masked; OpenAPI shows this very type."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from aggregates.privacy import mask_event, mask_field
from aggregates.review.state import Review as State


class Review(TypedDict):
    """A period [since, until) that is over; `version` is the ETag. `team` null = the company.

    `position`: as of which its reports stay the same. `total` items were found, `items` are the
    first 1,000 of them.
    """

    id: UUID
    version: int
    kind: str
    team: str | None
    since: date
    until: date
    supervisors: tuple[str, ...]
    position: int
    counts: Mapping[str, int]
    total: int
    items: tuple[Mapping[str, Any], ...]
    opened_at: datetime | None
    closed_at: datetime | None
    closed_by: str | None
    conclusions: str | None
    actions: tuple[str, ...]


SCHEMAS: Mapping[str, Any] = msgspec.json.schema_components(
    (Review,), ref_template="#/components/schemas/{name}"
)[1]


def review_json(review: State, zone: ZoneInfo) -> Review:
    """A review that is there, its times in the company's zone."""
    assert review.opened is not None
    opened, closed = mask_event(review.opened), review.closed
    return {
        "id": review.id,
        "version": review.version,
        "kind": opened.kind,
        "team": opened.team,
        "since": opened.since,
        "until": opened.until,
        "supervisors": opened.supervisors,
        "position": opened.position,
        "counts": opened.counts,
        "total": opened.total,
        "items": opened.items,
        "opened_at": opened.occurred_at and opened.occurred_at.astimezone(zone),
        "closed_at": review.closed_at and review.closed_at.astimezone(zone),
        "closed_by": closed.by if closed else None,
        "conclusions": mask_field("conclusions", closed.conclusions) if closed else None,
        "actions": mask_field("actions", closed.actions) if closed else (),
    }
