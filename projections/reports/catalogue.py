"""Every report by its name."""

from collections.abc import Mapping

from aggregates.refusal import Refusal
from projections.reports import (
    activity,
    conversion,
    conversions,
    cycle_time,
    fairness,
    follow_up_cadence,
    funnel,
    insights,
    response_time,
    sla_compliance,
    stage_duration,
    wins,
    workload,
)
from projections.reports.report import Report

REPORTS: Mapping[str, Report] = {
    module.REPORT.name: module.REPORT
    for module in (
        conversion,
        cycle_time,
        wins,
        response_time,
        follow_up_cadence,
        activity,
        funnel,
        stage_duration,
        conversions,
        sla_compliance,
        workload,
        fairness,
        insights,
    )
}


def find(name: str) -> Report:
    """The report of that name; Refusal names those there are."""
    if name not in REPORTS:
        raise Refusal(
            "unknown-report", f"there is no report {name}: choose one of {', '.join(REPORTS)}"
        )
    return REPORTS[name]
