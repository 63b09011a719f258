"""Follow-up cadence: how long a lead waited between contacts, the other half of 跟进周期 (A3)."""

from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.reports.statistics import elapsed, statistics
from projections.survivors import survivor

DAY = 86_400
BEFORE = "lag(c.at) OVER (PARTITION BY c.lead ORDER BY c.at, c.position)"


def _source(_: ReportParams) -> str:
    return f"""leads l LEFT JOIN (
  SELECT c.lead, c.position, {elapsed(BEFORE, "c.at", DAY)} AS days FROM (
    SELECT {survivor("m")} AS lead, f.position, f.at
    FROM follow_ups f JOIN leads m ON m.lead = f.lead WHERE f.at IS NOT NULL
  ) AS c
) AS gap ON gap.lead = l.lead"""


def _figures(_: ReportParams) -> Json:
    return {"n": "count(gap.days)", "gap_days": statistics("gap.days")}


REPORT = Report(
    name="follow-up-cadence",
    projections=("leads", "follow_ups"),
    source=_source,
    position="coalesce(gap.position, l.captured_position)",
    figures=_figures,
    evidence=lambda _: Evidence({"position": "gap.position"}, where="gap.days IS NOT NULL"),
    meaning={
        "n": "gaps between two consecutive follow-ups of a lead, both of known time",
        "gap_days": "their length in days of 24 hours, by the time of the contacts",
        "merged": "contacts of a merged lead count for the lead it is merged into",
        "percentiles": "linear interpolation",
    },
)
