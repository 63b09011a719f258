"""A review is opened once and closed once: R71, R110, R119."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest

from aggregates.event import Event
from aggregates.refusal import Refusal
from aggregates.review.events import ReviewClosed, ReviewOpened
from aggregates.review.review import close_review, open_review, sees
from aggregates.review.state import Review, evolve, review_id

AT = datetime(2024, 5, 6, tzinfo=UTC)
LATER = AT + timedelta(hours=1)
SINCE, UNTIL = date(2024, 4, 29), date(2024, 5, 6)
OPENED = ReviewOpened(
    occurred_at=AT, kind="weekly", team="east", since=SINCE, until=UNTIL, position=7
)
CLOSED = ReviewClosed(
    occurred_at=LATER, by="wang", conclusions="两条线索未及时跟进", actions=("回访",)
)


def review(*history: Event) -> Review:
    state = Review(UUID(int=1))
    for event in history:
        state = evolve(state, event)
    return state


def close(state: Review, **given: str) -> list[Event]:
    said = {"conclusions": CLOSED.conclusions, "by": "wang"} | given
    return close_review(state, now=LATER, actions=CLOSED.actions, **said)


def test_a_review_is_opened_once() -> None:
    """R109: the same period again changes nothing, whatever it would say by now."""
    assert open_review(review(), OPENED) == [OPENED]
    assert open_review(review(OPENED), ReviewOpened(**vars(OPENED) | {"position": 9})) == []


def test_a_review_is_closed_once() -> None:
    """R110: its conclusions stand; the same again is no other decision."""
    assert close(review(OPENED)) == [CLOSED]
    closed = review(OPENED, CLOSED)
    assert (closed.version, closed.closed_at) == (2, LATER)
    assert close(closed) == close(closed, by="admin") == []
    with pytest.raises(Refusal, match="closed") as refused:
        close(closed, conclusions="anders")
    assert refused.value.code == "review-closed"


def test_what_was_never_opened_cannot_be_closed() -> None:
    """R110: nor seen."""
    with pytest.raises(Refusal) as refused:
        close(review())
    assert refused.value.code == "unknown-review"
    assert not sees(review(), None)


def test_a_team_sees_its_own_reviews() -> None:
    """R115: those of the company are for those who see all."""
    company = review(ReviewOpened(kind="weekly", since=SINCE, until=UNTIL, position=7))
    assert sees(review(OPENED), ["east"]) and sees(review(OPENED), None)
    assert not sees(review(OPENED), ["west"])
    assert not sees(company, ["east"]) and sees(company, None)


def test_every_period_has_a_review_of_its_own() -> None:
    """R71: kind, team and beginning tell reviews apart, whatever a team is called."""
    names = [
        review_id(kind, team, since)
        for kind in ("weekly", "monthly")
        for team in (None, "east", "null", 'e"')
        for since in (SINCE, UNTIL)
    ]
    assert len(set(names)) == len(names)
    assert review_id("weekly", "east", SINCE) == names[2]
