"""Quiet hours: when a message may reach somebody outside the product."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from aggregates.directory.state import Preferences


def quiet_until(wanted: Preferences, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The end, UTC, of the quiet hours that `now` lies in; None outside of them.

    The first minute is quiet, the last one is not. Times are local ones of the company.
    """
    begin, end = wanted.quiet_from, wanted.quiet_to
    if begin is None or end is None:
        return None
    local = now.astimezone(zone)
    at, day = local.time(), local.date()
    if begin < end and not begin <= at < end:
        return None
    if begin >= end:  # across midnight
        if end <= at < begin:
            return None
        day += timedelta(days=1) if at >= begin else timedelta()
    until = datetime.combine(day, end, zone).astimezone(UTC)
    return until if until > now else None
