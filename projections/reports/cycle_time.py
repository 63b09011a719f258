"""Cycle time: days from entry to signing (R61, R67, A20)."""

from itertools import pairwise

from projections.reports.dimensions import local
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import LEAD_POSITIONS, Evidence, Report
from projections.reports.statistics import elapsed, statistics

DAY = 86_400
EDGES = ("NULL", "0", "1", "3", "7", "14", "30", "60", "90", "180", "365", "NULL")
"""Edges of the histogram in calendar days, from inclusive to exclusive; open at both ends."""


def _source(_: ReportParams) -> str:
    return f"""leads l CROSS JOIN LATERAL (
  SELECT {local("l.converted_at")}::date - {local("l.captured_at")}::date AS calendar_days,
         {elapsed("l.captured_at", "l.converted_at", DAY)} AS elapsed_days
) AS cycle"""


def _bin(start: str, end: str) -> Json:
    inside = f"cycle.calendar_days <@ int4range({start}, {end})"
    return {"from": start, "to": end, "n": f"count(*) FILTER (WHERE {inside})"}


def _figures(_: ReportParams) -> Json:
    return {
        "n": "count(cycle.elapsed_days)",
        "n_negative": "count(*) FILTER (WHERE cycle.elapsed_days < 0)",
        "calendar_days": statistics("cycle.calendar_days", nearest=True),
        "elapsed_days": statistics("cycle.elapsed_days", nearest=True),
        "histogram": [_bin(start, end) for start, end in pairwise(EDGES)],
    }


REPORT = Report(
    name="cycle-time",
    projections=("leads",),
    source=_source,
    figures=_figures,
    evidence=lambda _: Evidence(LEAD_POSITIONS, "cycle.elapsed_days IS NOT NULL"),
    meaning={
        "n": "converted leads whose capture and conversion times are both known",
        "calendar_days": "difference of the local dates of conversion and capture",
        "elapsed_days": "exact seconds between the two / 86400",
        "n_negative": "converted before they were captured; kept in every figure",
        "percentiles": "linear interpolation; p90_nearest is a value that occurs",
        "histogram": "leads by calendar_days, from inclusive, to exclusive, null = open-ended",
    },
)
