"""Activity: contacts with customers, by who made them and how (R13, R109)."""

from projections.reports.dimensions import month
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.survivors import survivor


def _figures(_: ReportParams) -> Json:
    return {
        "follow_ups": "count(*)",
        "connected": "count(*) FILTER (WHERE f.connected)",
        "leads": "count(DISTINCT l.lead)",
    }


REPORT = Report(
    name="activity",
    projections=("leads", "follow_ups"),
    source=lambda _: (
        f"""follow_ups f JOIN leads m ON m.lead = f.lead
JOIN leads l ON l.lead = {survivor("m")}"""
    ),
    position="f.position",
    period="f.at",
    period_of="contacted",
    own_dimensions={"by": "f.by", "method": "f.method", "month": month("f.at")},
    figures=_figures,
    evidence=lambda _: Evidence({"position": "f.position", "connected": "f.connected"}),
    meaning={
        "follow_ups": "recorded contacts with customers, those of unknown time included",
        "connected": "those that reached the customer",
        "leads": "different leads contacted; a merged one is the lead it is merged into",
        "by": "who made the contact, which may not be the lead's owner",
        "month": "local month of the contact; (missing) = its time is unknown",
    },
)
