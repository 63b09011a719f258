"""What has to be known to say when something about a lead is due."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from aggregates.event import PolicyRef
from aggregates.lead.state import Lead
from aggregates.lead.timers import COMPLETE_INFO, ESCALATION, FIRST_FOLLOW_UP, Timer
from aggregates.policy.book import Policies
from aggregates.working_time import MOST_DAYS, WALL, Timekeeping

UNRATED = "unrated"
_BY_THE_CLOCK = frozenset({FIRST_FOLLOW_UP, ESCALATION, COMPLETE_INFO})


def level_of(lead: Lead) -> str:
    """The level that drives the time limits; without one, that of an unrated lead (A5, A10)."""
    return lead.profile.get("level") or UNRATED


@dataclass(frozen=True)
class Timing:
    """The rules of time. `working` keeps the company's working hours. `supervisors` are those of a
    team, else the administrators.
    """

    policies: Policies
    working: Timekeeping
    zone: ZoneInfo
    supervisors: Callable[[str | None], tuple[str, ...]]

    def clock(self, kind: str) -> Timekeeping:
        """How the time of such a timer is counted. Days to a revisit or a next step are days."""
        by_calendar = kind in _BY_THE_CLOCK and self.policies.response.rules.clock == "working"
        return self.working if by_calendar else WALL

    def keeps(self, timer: Timer) -> Timekeeping:
        """How the time of a clock that runs is counted: as it was when it started."""
        return self.working if timer.by_calendar else WALL

    @property
    def calendar(self) -> PolicyRef | None:
        """The calendar that due instants follow, if they do."""
        by_calendar = self.policies.response.rules.clock == "working"
        return self.policies.calendar.ref if by_calendar else None

    def reaches_back(self, now: datetime) -> datetime:
        """No first follow-up, escalation or task of a stage that began before this is due behind
        `now`. At most twice as far back as it takes, and never further than due instants go.
        """
        tasks = self.policies.pipeline.rules.tasks
        length, most = self.policies.response.rules.longest, timedelta(days=MOST_DAYS)
        clock, span = self.clock(FIRST_FOLLOW_UP), length
        while span < most and clock.between(now - span, now) < length:
            span *= 2
        days = (timedelta(days=task.after_days) for task in tasks)
        return now - max(min(span, most), *days)

    def end_of(self, day: date) -> datetime:
        """The first instant behind a local day, UTC (A14)."""
        midnight = datetime.combine(day + timedelta(days=1), time(), self.zone)
        return midnight.astimezone(UTC)
