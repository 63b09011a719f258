"""The sentences that an answer carries: what was counted, and how the question narrowed it."""

from datetime import datetime
from zoneinfo import ZoneInfo

from projections.reports.params import Attribution, ReportParams

ATTRIBUTIONS = {
    Attribution.AT_CONVERSION: "a converted lead counts under its owner at the conversion, "
    "any other under its current one",
    Attribution.CURRENT: "a lead counts under its current owner",
    Attribution.FIRST: "a lead counts under its first owner",
    Attribution.ALL: "a lead counts once under each owner it ever had, and once in the total",
}


def in_zone(instant: datetime | None, zone: str) -> str | None:
    """An instant as RFC 3339 with the zone's offset."""
    return instant.astimezone(ZoneInfo(zone)).isoformat() if instant else None


def definitions(params: ReportParams, period_of: str, *, attributed: bool) -> dict[str, str]:
    """What holds for this answer whatever the report; `period_of` is what from and to cut.

    `attributed`: the report's owners are those that `attribution` says.
    """
    said = {
        "counted": "leads that are captured and not merged into another one",
        "time_zone": f"dates, months and calendar days are those of {params.zone}",
    }
    if attributed and "owner" in params.dimension:
        said["attribution"] = ATTRIBUTIONS[params.attribution]
    if params.cohort:
        said["cohort"] = f"leads captured in {params.cohort:%Y-%m}"
    if params.date_from or params.date_to:
        said["period"] = _period(params, period_of)
    if params.as_of:
        before = in_zone(params.as_of, params.zone)
        said["as_of"] = f"only facts whose time is known and lies before {before}"
    if params.as_known or params.at_position is not None:
        said["as_known"] = "only what had been recorded up to the position, whenever it happened"
    return said


def _period(params: ReportParams, what: str) -> str:
    since = f" from {params.date_from}" if params.date_from else ""
    until = f" until before {params.date_to}" if params.date_to else ""
    return what + since + until
