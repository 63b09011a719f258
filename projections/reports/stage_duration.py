"""Stage duration: how long leads stay in a stage (R58, R119)."""

from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.reports.statistics import elapsed, statistics

DAY = 86_400


def _source(_: ReportParams) -> str:
    # A stay ends when the lead enters its next stage in the order of time, else at an invalidation
    # that is not earlier than the stay.
    return f"""(
  SELECT s.*, lead(s.at) OVER (PARTITION BY s.lead ORDER BY s.at, s.position) AS next_at
  FROM stage_changes s WHERE s.at IS NOT NULL
) AS s JOIN leads l ON l.lead = s.lead CROSS JOIN LATERAL (
  SELECT CASE
    WHEN s.next_at IS NOT NULL THEN s.next_at
    WHEN l.invalidated_at >= s.at THEN l.invalidated_at
  END AS ended_at
) AS stay CROSS JOIN LATERAL (
  SELECT {elapsed("s.at", "stay.ended_at", DAY)} AS days,
         stay.ended_at IS NULL AND (NOT l.invalidated OR l.invalidated_at < s.at) AS open
) AS spent"""


def _figures(_: ReportParams) -> Json:
    return {
        "n": "count(spent.days)",
        "elapsed_days": statistics("spent.days"),
        "open": "count(*) FILTER (WHERE spent.open)",
    }


def _evidence(_: ReportParams) -> Evidence:
    return Evidence(
        columns={"position": "s.position", "open": "spent.open"},
        where="spent.days IS NOT NULL OR spent.open",
    )


REPORT = Report(
    name="stage-duration",
    key="stage",
    projections=("leads", "stages"),
    source=_source,
    position="s.position",
    by_lead=False,
    own_dimensions={"stage": "s.stage"},
    default_dimension="stage",
    options=frozenset(),
    in_pipeline_order=True,
    figures=_figures,
    evidence=_evidence,
    meaning={
        "n": "stays that have ended: with the lead's next stage in the order of time, else with "
        "an invalidation that is not earlier than the stay",
        "elapsed_days": "exact seconds between the two / 86400",
        "open": "stays that have not ended; one ended at an unknown time is in neither figure",
        "unknown_times": "stage changes of unknown time are left out",
        "order": "the pipeline's, then foreign stages by their first position in the log",
    },
)
