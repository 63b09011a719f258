"""Funnel: how far leads get, and where they are given up (R52, A15)."""

from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report

# A lead's stage is the one it entered last in the order of the log.
CURRENT = "s.stage = l.stage"
DROPPED = f"{CURRENT} AND l.invalidated AND NOT l.converted"


def _figures(_: ReportParams) -> Json:
    return {
        "entries": "count(*)",
        "leads": "count(DISTINCT s.lead)",
        "current": f"count(DISTINCT s.lead) FILTER (WHERE {CURRENT})",
        "dropped": f"count(DISTINCT s.lead) FILTER (WHERE {DROPPED})",
    }


REPORT = Report(
    name="funnel",
    key="stage",
    projections=("leads", "stages"),
    source=lambda _: "stage_changes s JOIN leads l ON l.lead = s.lead",
    position="s.position",
    by_lead=False,
    own_dimensions={"stage": "s.stage"},
    default_dimension="stage",
    options=frozenset(),
    in_pipeline_order=True,
    figures=_figures,
    evidence=lambda _: Evidence({"position": "s.position", "current": CURRENT, "dropped": DROPPED}),
    meaning={
        "entries": "how often the stage was entered",
        "leads": "different leads that ever entered it",
        "current": "leads whose last stage change in the log it is",
        "dropped": "those of them that are invalid and not converted",
        "order": "the pipeline's, then foreign stages by their first position in the log",
    },
)
