"""A review as the fold of its events."""

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid5

from aggregates.event import Event
from aggregates.review.events import ReviewClosed, ReviewOpened

REVIEWS = UUID("3d9c5a6e-7c14-4b0e-8f0d-52f2a9f1c7b3")


def review_id(kind: str, team: str | None, since: date) -> UUID:
    """The stream of the one review of this kind, of this team, of the period from then on."""
    return uuid5(REVIEWS, json.dumps([kind, team, since.isoformat()]))


@dataclass(frozen=True, slots=True)
class Review:
    """`opened` None = there is no such review; `closed` None = it has not been held."""

    id: UUID
    version: int = 0
    opened: ReviewOpened | None = None
    closed: ReviewClosed | None = None

    @property
    def closed_at(self) -> datetime | None:
        """When it was closed, UTC."""
        return self.closed.occurred_at if self.closed else None


def evolve(review: Review, event: Event) -> Review:
    """The review after one more event."""
    after = replace(review, version=review.version + 1)
    match event:
        case ReviewOpened():
            return replace(after, opened=event)
        case ReviewClosed():
            return replace(after, closed=event)
        case _:
            return after
