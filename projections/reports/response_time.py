"""Response time: how long a customer waited for the first contact (A3, A10, A12)."""

from projections.reports.params import ReportParams, Since
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.reports.statistics import elapsed, statistics
from projections.survivors import ABSORBED

HOUR = 3_600
LIMITS = (1, 24, 48, 72)
STARTS = {Since.CAPTURE: "l.captured_at", Since.ASSIGNMENT: "l.first_assigned_at"}


def _source(params: ReportParams) -> str:
    start = STARTS[params.since]
    return f"""leads l LEFT JOIN {ABSORBED} AS absorbed ON absorbed.survivor = l.lead
CROSS JOIN LATERAL (
  SELECT least(l.first_response_at, absorbed.first_response_at) AS response_at,
         least(l.first_attempt_at, absorbed.first_attempt_at) AS attempt_at
) AS first CROSS JOIN LATERAL (
  SELECT {elapsed(start, "first.response_at", HOUR)} AS response,
         {elapsed(start, "first.attempt_at", HOUR)} AS attempt
) AS hours"""


def _waited(hours: str) -> dict[str, Json]:
    return {
        "n": f"count({hours})",
        "hours": statistics(hours),
        "within": {f"{h}h": f"count(*) FILTER (WHERE {hours} <= {h})" for h in LIMITS},
    }


def _figures(_: ReportParams) -> Json:
    return {**_waited("hours.response"), "first_attempt": _waited("hours.attempt")}


def _evidence(_: ReportParams) -> Evidence:
    return Evidence(
        columns={
            "captured_position": "l.captured_position",
            "response_position": """(
    SELECT min(f.position) FROM follow_ups f
    WHERE f.lead = ANY (l.lead || absorbed.leads) AND f.connected AND f.at = first.response_at)""",
        },
        where="hours.response IS NOT NULL",
        projections=("follow_ups",),
    )


REPORT = Report(
    name="response-time",
    projections=("leads",),
    source=_source,
    figures=_figures,
    evidence=_evidence,
    options=frozenset({"attribution", "since"}),
    meaning={
        "n": "leads with a known start and a first connected follow-up of known time",
        "merged": "contacts of a lead count for the lead it is merged into, from whose start on",
        "since": "from the capture, or from the first assignment with since=assignment",
        "hours": "hours from there to the first connected follow-up; negative ones are kept",
        "within": "leads that waited at most so long",
        "first_attempt": "the same for the first follow-up of any outcome",
        "percentiles": "linear interpolation",
    },
)
