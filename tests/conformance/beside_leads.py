"""Random events on streams that are no leads: reviews, and what became of messages."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from random import Random

from aggregates.event import Event
from aggregates.notification import events as n
from aggregates.notification.channels import CHANNELS
from aggregates.review.events import ReviewClosed, ReviewOpened

FIRST_DAY = datetime(2024, 5, 6, tzinfo=UTC)
PEOPLE = ("王芳", "李雷", "Ana")


def _opened(rng: Random) -> Event:
    since = date(2024, 5, 1) + timedelta(days=rng.randrange(300))
    return ReviewOpened(
        occurred_at=_at(rng),
        kind=rng.choice(("weekly", "monthly", "clean-up")),
        team=rng.choice(("华东一组", None)),
        since=since,
        until=since + timedelta(days=7),
        supervisors=tuple(rng.choices(PEOPLE, k=rng.randrange(3))),
        position=rng.randrange(99),
        counts=rng.choice(({}, {"late": 3, "quiet": 1})),
        items=rng.choice(((), ({"finding": "late", "code": "XLSH1", "responsible": "王芳"},))),
        total=rng.choice((0, 4)),
    )


def _closed(rng: Random) -> Event:
    return ReviewClosed(
        occurred_at=_at(rng), by=rng.choice((*PEOPLE, None)), conclusions="请回电13912345678"
    )


def _sent(rng: Random) -> Event:
    return n.NotificationSent(
        occurred_at=_at(rng), recipient=rng.choice(PEOPLE), channel=rng.choice(CHANNELS[1:])
    )


def _dead(rng: Random) -> Event:
    return n.NotificationDead(
        occurred_at=_at(rng),
        recipient=rng.choice(PEOPLE),
        channel=rng.choice(CHANNELS[1:]),
        error=rng.choice(("refused 550", "too-old")),
        attempts=rng.randrange(3),
    )


def _retried(rng: Random) -> Event:
    return n.NotificationRetried(
        occurred_at=_at(rng), recipient=rng.choice(PEOPLE), channel=rng.choice(CHANNELS[1:])
    )


def _read(rng: Random) -> Event:
    return n.NotificationRead(occurred_at=_at(rng), recipient=rng.choice(PEOPLE))


MESSAGE: tuple[Callable[[Random], Event], ...] = (_sent, _dead, _retried, _read)


def review(rng: Random) -> list[Event]:
    """A review that was opened, and maybe closed, opened and closed again."""
    return [_opened(rng), *(rng.choice((_opened, _closed))(rng) for _ in range(rng.randrange(4)))]


def message(rng: Random) -> list[Event]:
    """What became of a message, in any order."""
    return [rng.choice(MESSAGE)(rng) for _ in range(rng.randint(1, 6))]


def _at(rng: Random) -> datetime:
    return FIRST_DAY + timedelta(microseconds=rng.randrange(365 * 86_400 * 10**6))
