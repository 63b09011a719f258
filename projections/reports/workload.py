"""Workload: who has how many open leads, and how they stand (R43, R44, A13)."""

from projections.reports.dimensions import local
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import COUNTED, Evidence, Report
from projections.tasks import OPEN, RANKS

OVERDUE = f"""EXISTS (
  SELECT FROM tasks k WHERE k.lead = l.lead AND k.overdue AND k.state = '{OPEN}')"""
LEVELS = tuple(level for level in RANKS if level)


def _figures(_: ReportParams) -> Json:
    named = ", ".join(f"'{level}'" for level in LEVELS)
    return {
        "open": "count(*)",
        "unpaused": "count(*) FILTER (WHERE NOT l.paused)",
        "paused": "count(*) FILTER (WHERE l.paused)",
        "overdue": "count(*) FILTER (WHERE late.overdue)",
        **{level: f"count(*) FILTER (WHERE l.level = '{level}')" for level in LEVELS},
        "unrated": f"count(*) FILTER (WHERE (l.level IN ({named})) IS NOT TRUE)",
        "oldest": f"to_char({local('min(l.assigned_at)')}, 'YYYY-MM-DD')",
    }


REPORT = Report(
    name="workload",
    projections=("leads", "tasks"),
    source=lambda _: f"leads l CROSS JOIN LATERAL (SELECT {OVERDUE} AS overdue) AS late",
    where=f"{COUNTED} AND NOT l.converted AND NOT l.invalidated",
    own_dimensions={"owner": "l.owner"},
    default_dimension="owner",
    options=frozenset(),
    figures=_figures,
    evidence=lambda _: Evidence(
        {
            "captured_position": "l.captured_position",
            "level": "l.level",
            "paused": "l.paused",
            "overdue": "late.overdue",
        }
    ),
    meaning={
        "open": "leads that are neither converted nor invalid; (missing) = nobody has them",
        "unpaused": "those that are not paused: the load that assignment by rule goes by",
        "overdue": "those with something to be done that is overdue",
        "unrated": "those without one of the three levels",
        "oldest": "local date since which the owner has had the one they have had longest",
        "owner": "who has the lead now",
    },
)
