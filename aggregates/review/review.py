"""Opening a review once, and closing it once, with conclusions (R110, R119)."""

from collections.abc import Collection
from datetime import datetime

from aggregates.event import Event
from aggregates.refusal import Refusal
from aggregates.review.events import ReviewClosed, ReviewOpened
from aggregates.review.state import Review

MOST_ITEMS = 1000


def open_review(review: Review, opened: ReviewOpened) -> list[Event]:
    """Put a period up for review; one that is there already stays as it was opened."""
    assert len(opened.items) <= MOST_ITEMS
    return [] if review.opened else [opened]


def close_review(
    review: Review,
    *,
    now: datetime,
    by: str | None,
    conclusions: str,
    actions: tuple[str, ...] = (),
) -> list[Event]:
    """Record what came of it. The same again changes nothing; anything else comes too late."""
    if review.opened is None:
        raise UnknownReview
    closed = ReviewClosed(occurred_at=now, by=by, conclusions=conclusions, actions=actions)
    if review.closed is None:
        return [closed]
    if (review.closed.conclusions, review.closed.actions) != (conclusions, actions):
        raise Refusal("review-closed", "this review is closed: what it came to stands")
    return []


def sees(review: Review, teams: Collection[str] | None) -> bool:
    """Whether somebody who sees the reviews of these teams (None = all) sees this one."""
    return review.opened is not None and (teams is None or review.opened.team in teams)


class UnknownReview(Refusal):
    """There is no such review, or none that the caller may see."""

    def __init__(self) -> None:
        super().__init__("unknown-review", "there is no such review")
