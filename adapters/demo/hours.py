"""When things happen in the simulated company: when leads come, and when people work."""

import random
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(9), time(18, 30)
# How likely a lead comes, against the best time: by hour of the day, by day of the week.
BY_HOUR = (
    .08, .05, .03, .02, .02, .03, .08, .25, .60, .95, 1.0, .90,
    .55, .60, .90, .95, .90, .75, .50, .40, .42, .35, .25, .15,
)  # fmt: skip
BY_WEEKDAY = (1.0, 0.95, 0.9, 0.9, 0.8, 0.35, 0.3)


def arrival(rng: random.Random, start: datetime, end: datetime, zone: ZoneInfo) -> datetime:
    """Mostly on weekdays and in office hours, more every month; busier as a month ends."""
    while True:
        passed = rng.random()
        at = start + (end - start) * passed
        local = at.astimezone(zone)
        season = (0.65 + 0.35 * passed) * (1.0 if local.day >= 24 else 0.85)
        if rng.random() < season * BY_HOUR[local.hour] * BY_WEEKDAY[local.weekday()]:
            return at.replace(microsecond=0)


def at_work(at: datetime, zone: ZoneInfo, rng: random.Random, *, weekends: bool) -> datetime:
    """The instant itself in office hours, else some time in the next morning that has some."""
    local = at.astimezone(zone)
    days = 7 if weekends else 5
    while local.weekday() >= days or not OPENS <= local.time() <= CLOSES:
        morning = local.replace(hour=OPENS.hour, minute=0, second=0, microsecond=0)
        local = morning if local < morning else morning + timedelta(days=1)
        if local.weekday() < days:
            local += timedelta(minutes=rng.uniform(1, 150))
    return local.astimezone(UTC).replace(microsecond=0)
