"""Conversion: how many leads became customers (R65, R66, A21)."""

from projections.reports.params import Denominator, ReportParams
from projections.reports.query import Json
from projections.reports.report import LEAD_POSITIONS, Evidence, Report
from projections.reports.statistics import money, rate

VALID = "NOT (l.invalidated AND NOT l.converted)"


def _counted(params: ReportParams) -> str:
    valid_only = params.denominator is Denominator.VALID
    return f"NOT l.merged AND {VALID}" if valid_only else "NOT l.merged"


def _figures(params: ReportParams) -> Json:
    counted = _counted(params)
    leads = f"count(*) FILTER (WHERE {counted})"
    converted = f"count(*) FILTER (WHERE {counted} AND l.converted)"
    lost = f"count(*) FILTER (WHERE {counted} AND l.invalidated AND NOT l.converted)"
    return {
        "leads": leads,
        "converted": converted,
        "lost": lost,
        "open": f"{leads} - {converted} - {lost}",
        "merged": "count(*) FILTER (WHERE l.merged)",
        "rate": rate(converted, leads),
        "amount": money(f"sum(l.amount) FILTER (WHERE {counted} AND l.converted)"),
    }


REPORT = Report(
    name="conversion",
    projections=("leads",),
    source=lambda _: "leads l",
    where="l.captured",
    figures=_figures,
    evidence=lambda params: Evidence(LEAD_POSITIONS, _counted(params)),
    options=frozenset({"attribution", "denominator"}),
    meaning={
        "rate": "converted / leads, of the leads captured in the period; null without leads",
        "converted": "leads whose conversion stands, on any basis the company accepted when it "
        "was recorded; for imported ones, whatever their source calls a conversion",
        "lost": "invalid and not converted",
        "denominator": "`all` counts invalid leads too, `valid` leaves them out",
        "merged": "duplicates merged into another lead; they count in no other figure",
        "amount": "sum of the deal amounts of converted leads, in the company currency",
    },
)
