"""Activity: contacts with customers, by who made them and how (R13, R109)."""

from projections.reports.dimensions import month
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report


def _figures(_: ReportParams) -> Json:
    return {
        "follow_ups": "count(*)",
        "connected": "count(*) FILTER (WHERE f.connected)",
        "leads": "count(DISTINCT f.lead)",
    }


REPORT = Report(
    name="activity",
    projections=("leads", "follow_ups"),
    source=lambda _: "follow_ups f JOIN leads l ON l.lead = f.lead",
    position="f.position",
    period="f.at",
    period_of="contacted",
    own_dimensions={"by": "f.by", "method": "f.method", "month": month("f.at")},
    figures=_figures,
    evidence=lambda _: Evidence({"position": "f.position", "connected": "f.connected"}),
    meaning={
        "follow_ups": "recorded contacts with customers, those of unknown time included",
        "connected": "those that reached the customer",
        "leads": "different leads contacted",
        "by": "who made the contact, which may not be the lead's owner",
        "month": "local month of the contact; (missing) = its time is unknown",
    },
)
