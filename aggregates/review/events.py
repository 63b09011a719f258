"""What can happen to a review. A period is [since, until) in local dates of the company."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, ClassVar

from aggregates.event import Event

Item = Mapping[str, Any]
"""A finding: `finding`, `lead`, `code`, `responsible`, `since` (RFC 3339), and what else is known
of it. Nothing that people typed.
"""


@dataclass(frozen=True, kw_only=True)
class ReviewOpened(Event):
    """A period is over and somebody is to look at it (R71, R100, R109, R110, R119).

    `kind`: weekly, monthly, quarterly or clean-up. `team` None = the company, or what belongs to no
    team with a supervisor. `position`: the last one of the log when the period ended, as of which
    its reports stay the same for ever. `counts`: how many of each finding; `items`: the first of
    them, of `total`.
    """

    topic: ClassVar[str] = "review.opened"

    kind: str
    team: str | None = None
    since: date
    until: date
    supervisors: tuple[str, ...] = ()
    position: int
    counts: Mapping[str, int] = field(default_factory=dict)
    items: tuple[Item, ...] = ()
    total: int = 0


@dataclass(frozen=True, kw_only=True)
class ReviewClosed(Event):
    """Somebody held the review: what it came to, and what is to be done (R110, R119)."""

    topic: ClassVar[str] = "review.closed"

    by: str | None = None
    conclusions: str
    actions: tuple[str, ...] = ()


EVENTS: tuple[type[Event], ...] = (ReviewOpened, ReviewClosed)
