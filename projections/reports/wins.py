"""Wins: conversions by the month in which they happened (R71)."""

from projections.reports.dimensions import month, quarter
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import COUNTED, LEAD_POSITIONS, Evidence, Report
from projections.reports.statistics import money


def _figures(_: ReportParams) -> Json:
    return {"converted": "count(*)", "amount": money("sum(l.amount)")}


REPORT = Report(
    name="wins",
    projections=("leads",),
    source=lambda _: "leads l",
    where=f"{COUNTED} AND l.converted",
    period="l.converted_at",
    period_of="converted",
    own_dimensions={"month": month("l.converted_at"), "quarter": quarter("l.converted_at")},
    default_dimension="month",
    figures=_figures,
    evidence=lambda _: Evidence(LEAD_POSITIONS),
    meaning={
        "converted": "leads whose conversion stands, the last one where there were several",
        "month": "local month of the conversion; (missing) = its time is unknown",
        "amount": "sum of the deal amounts, in the company currency",
    },
)
