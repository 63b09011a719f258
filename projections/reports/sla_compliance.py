"""SLA compliance: were customers reached in time, and who was responsible (R38, R110, A26, A30)."""

from projections.reports.dimensions import month
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.reports.statistics import DIGITS, elapsed, rate, statistics
from projections.sla import LATE, MET, OPEN_OVERDUE, PENDING, WITHDRAWN

HOUR = 3_600
# Of a pause, what lies between the start of a task and its answer or end.
PAUSED = f"""(
  SELECT k.lead, k.position, sum({elapsed("span.since", "span.until", HOUR)}) AS hours
  FROM response_tasks k JOIN lead_pauses p ON p.lead = k.lead CROSS JOIN LATERAL (
    SELECT greatest(p.since, k.since) AS since,
           least(p.until, k.response_at, k.ended_at) AS until
  ) AS span WHERE span.until > span.since GROUP BY k.lead, k.position
)"""


def _source(_: ReportParams) -> str:
    late = f"CASE WHEN t.state = '{LATE}' THEN {elapsed('t.due_at', 't.response_at', HOUR)} END"
    return f"""response_tasks t JOIN leads l ON l.lead = t.lead
LEFT JOIN {PAUSED} AS paused ON paused.lead = t.lead AND paused.position = t.position
CROSS JOIN LATERAL (SELECT {late} AS late) AS hours"""


def _in_state(*states: str) -> str:
    named = ", ".join(f"'{state}'" for state in states)
    return f"count(*) FILTER (WHERE t.state IN ({named}))"


def _figures(_: ReportParams) -> Json:
    due = _in_state(MET, LATE, OPEN_OVERDUE)
    return {
        "due": due,
        "met": _in_state(MET),
        "late": _in_state(LATE),
        "open_overdue": _in_state(OPEN_OVERDUE),
        "pending": _in_state(PENDING),
        "withdrawn": _in_state(WITHDRAWN),
        "rate": rate(_in_state(MET), due),
        "late_hours": statistics("hours.late"),
        "recorded_late": f"count(*) FILTER (WHERE t.state = '{MET}' AND t.breached)",
        "escalated": "count(*) FILTER (WHERE t.escalated)",
        "reasons": "count(t.reason)",
        "paused_hours": f"round(coalesce(sum(paused.hours), 0)::numeric, {DIGITS})",
    }


EVIDENCE = {
    "position": "t.position",
    "owner": "t.owner",
    "due_at": "t.due_at",
    "response_at": "t.response_at",
    "state": "t.state",
    "escalated": "t.escalated",
    "reason": "t.reason",
}

REPORT = Report(
    name="sla-compliance",
    projections=("sla", "leads"),
    source=_source,
    position="t.position",
    period="t.due_at",
    period_of="first follow-up due",
    own_dimensions={
        "owner": "t.owner",
        "team": "t.team",
        "level": "t.level",
        "month": month("t.due_at"),
    },
    options=frozenset(),
    figures=_figures,
    evidence=lambda _: Evidence(EVIDENCE),
    meaning={
        "due": "first follow-ups that were answered, or came due while they were to be done",
        "met": "answered by the due instant, by the time of the contact, whenever it was recorded",
        "late": "answered later, or overdue and then taken from the owner",
        "open_overdue": "due, and nobody has reached the customer",
        "pending": "not due yet, as far as the log says",
        "withdrawn": "not due: another owner, a pool or the lead's end came first",
        "rate": "met / due; null when nothing was due",
        "late_hours": "hours by the clock from the due instant to the contact, of late ones that "
        "were answered; percentiles by linear interpolation",
        "recorded_late": "met ones whose contact was recorded only after the due instant",
        "escalated": "told to the supervisor",
        "reasons": "those for which a reason was given",
        "paused_hours": "how long the leads were paused before it was answered or ended; a pause "
        "that lasts counts when it has an end, or the task",
        "owner": "whose task it was, whoever has the lead now",
        "team": "the lead's team when it was issued",
        "level": "the level that gave the task its time",
        "month": "local month of the due instant",
    },
)
