"""Fairness: who is given how much, how late they are, and how evenly it is spread (R43, R44, A13).

The evenness of a distribution of x over n people: Gini's coefficient (C. Gini, Variabilita e
mutabilita, 1912) in the form for sorted values, 2 * sum(i * x_i) / (n * sum(x)) - (n + 1) / n, with
i = 1 for the smallest: 0 = all have the same, (n - 1) / n = one has everything. Here x is what
somebody was assigned / their weight.
"""

from projections.assignments import BY_HAND, BY_RULE, CLAIMED
from projections.reports.dimensions import month
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import Evidence, Report
from projections.reports.statistics import rate, rounded
from projections.sla import LATE, MET, OPEN_OVERDUE

CANDIDATE, TASK = "candidate", "task"
ASSIGNED = f"f.kind IN ('{BY_RULE}', '{BY_HAND}')"
# What somebody was given, was looked at for, and had to answer.
SOURCE = f"""(
  SELECT position, lead, person, at, how AS kind, NULL::boolean AS chosen, NULL::bigint AS load,
         NULL::float8 AS weight, NULL AS state FROM assignments
  UNION ALL
  SELECT position, lead, person, at, '{CANDIDATE}', chosen, load, weight, NULL FROM candidates
  UNION ALL
  SELECT position, lead, owner, since, '{TASK}', NULL, NULL, NULL, state FROM response_tasks
  WHERE state IN ('{MET}', '{LATE}', '{OPEN_OVERDUE}')
) AS f JOIN leads l ON l.lead = f.lead"""
# A person's weight is the one seen last; 1 where none was.
SHARES = f"""(
  SELECT count(*) FILTER (WHERE g.assigned)
         / coalesce((array_agg(g.weight ORDER BY g.position DESC)
                     FILTER (WHERE g.weight IS NOT NULL))[1], 1) AS x
  FROM unnest(array_agg(f.person), array_agg({ASSIGNED}), array_agg(f.kind = '{CANDIDATE}'),
              array_agg(f.weight), array_agg(f.position))
    AS g (person, assigned, candidate, weight, position)
  WHERE g.assigned OR g.candidate GROUP BY g.person
)"""


def _evenness(figure: str) -> str:
    return f"""(SELECT {figure} FROM (
  SELECT s.x, row_number() OVER (ORDER BY s.x) AS i FROM {SHARES} AS s) AS share)"""


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _figures(_: ReportParams) -> Json:
    due = _count(f"f.kind = '{TASK}'")
    late = _count(f"f.state IN ('{LATE}', '{OPEN_OVERDUE}')")
    gini = "2 * sum(share.i * share.x) / nullif(count(*) * sum(share.x), 0) - 1 - 1.0 / count(*)"
    return {
        "assigned": _count(ASSIGNED),
        "by_rule": _count(f"f.kind = '{BY_RULE}'"),
        "by_hand": _count(f"f.kind = '{BY_HAND}'"),
        "claimed": _count(f"f.kind = '{CLAIMED}'"),
        "candidate": _count(f"f.kind = '{CANDIDATE}'"),
        "passed_over": _count("NOT f.chosen"),
        "mean_load": rounded("avg(f.load)"),
        "due": due,
        "late": late,
        "late_rate": rate(late, due),
        "people": _evenness("count(*)"),
        "gini": _evenness(f"CASE WHEN count(*) > 0 THEN {rounded(gini)} END"),
        "max_to_mean": _evenness(rounded("max(share.x) / nullif(avg(share.x), 0)")),
    }


REPORT = Report(
    name="fairness",
    projections=("leads", "assignments", "sla"),
    source=lambda _: SOURCE,
    position="f.position",
    period="f.at",
    period_of="given, looked at or asked to follow up",
    own_dimensions={"owner": "f.person", "month": month("f.at")},
    default_dimension="owner",
    options=frozenset(),
    figures=_figures,
    evidence=lambda _: Evidence(
        {"position": "f.position", "owner": "f.person", "kind": "f.kind", "state": "f.state"},
        where=f"f.kind <> '{CANDIDATE}'",
    ),
    meaning={
        "owner": "who was given the lead, was a candidate for it or was to follow it up",
        "assigned": "leads given, by_rule or by_hand; a lead given again counts again",
        "claimed": "leads taken out of a pool by themselves; not among assigned",
        "candidate": "times that the rules looked at them, of ten at most for each lead",
        "passed_over": "times that somebody else was chosen",
        "mean_load": "mean of the open, unpaused leads that they had when they were candidates",
        "due": "first follow-ups due, issued in the period",
        "late": "those that were late or are overdue",
        "late_rate": "late / due; null when nothing was due",
        "people": "different people who were assigned leads or were candidates",
        "gini": "Gini's coefficient of assigned / weight over these people: 0 = all the same; "
        "2 * sum(i * x_i) / (n * sum(x)) - (n + 1) / n, x in ascending order",
        "max_to_mean": "the largest assigned / weight over the mean of all",
        "weight": "the one that the rules saw last for them, else 1",
        "month": "local month of the assignment",
    },
)
