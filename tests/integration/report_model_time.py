"""The reports of time again in plain Python, on what an independent fold of the log says.

Rows of the read tables come from the checker, figures from here: no SQL, no product code.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from tests import checker_fold, checker_sla, checker_tasks
from tests.checker_fold import Fact
from tests.integration.report_model import HOUR, ratio, spread, units

ZONE = ZoneInfo("Asia/Shanghai")
Row = dict[str, Any]
LEVELS = ("high", "medium", "low")
DUE = ("met", "late", "open_overdue")


def _local(at: datetime | None, form: str) -> str | None:
    return at and at.astimezone(ZONE).strftime(form)


def _six(x: Fraction | float) -> float:
    return round(float(x), 6)


def sla(tasks: list[Row]) -> Row:
    n = {s: sum(t["state"] == s for t in tasks) for s in (*DUE, "pending", "withdrawn")}
    late = [
        units(t["response_at"] - t["due_at"], HOUR)
        for t in tasks if t["state"] == "late" and t["response_at"]
    ]  # fmt: skip
    due = sum(n[s] for s in DUE)
    return {
        "due": due, **n, "rate": ratio(n["met"], due), "late_hours": spread(late),
        "recorded_late": sum(t["breached"] and t["state"] == "met" for t in tasks),
        "escalated": sum(t["escalated"] for t in tasks),
        "reasons": sum(t["reason"] is not None for t in tasks),
        "paused_hours": _six(sum(t["paused"] for t in tasks)),
    }  # fmt: skip


def _paused(task: Row, pauses: Iterable[Row]) -> Fraction:
    """Hours of the task's time, until its answer or end, in which its lead was paused."""
    hours = Fraction(0)
    for pause in pauses:
        ends = [pause["until"], task["response_at"], task["ended_at"]]
        known = [end for end in ends if end]
        start = max(pause["since"], task["since"])
        if pause["lead"] == task["lead"] and known and min(known) > start:
            hours += units(min(known) - start, HOUR)
    return hours


def workload(leads: list[Row]) -> Row:
    since = [lead["assigned_at"] for lead in leads if lead["assigned_at"]]
    return {
        "open": len(leads),
        "unpaused": sum(not lead["paused"] for lead in leads),
        "paused": sum(lead["paused"] for lead in leads),
        "overdue": sum(lead["late"] for lead in leads),
        **{level: sum(lead["level"] == level for lead in leads) for level in LEVELS},
        "unrated": sum(lead["level"] not in LEVELS for lead in leads),
        "oldest": _local(min(since, default=None), "%Y-%m-%d"),
    }


def fairness(rows: list[Row]) -> Row:
    given = [r for r in rows if r["kind"] in ("rule", "hand")]
    seen = [r for r in rows if r["kind"] == "candidate"]
    tasks = [r for r in rows if r["kind"] == "task"]
    late = sum(r["state"] != "met" for r in tasks)
    weights = {r["owner"]: r["weight"] for r in sorted(seen, key=lambda r: r["position"])}
    people = {r["owner"] for r in (*given, *seen)}
    shares = [
        sum(r["owner"] == person for r in given) / Fraction(weights.get(person, 1))
        for person in people
    ]  # fmt: skip
    mean = sum(shares, Fraction(0)) / len(shares) if shares else 0
    apart = sum(abs(a - b) for a in shares for b in shares)
    return {
        "assigned": len(given),
        "by_rule": sum(r["kind"] == "rule" for r in given),
        "by_hand": sum(r["kind"] == "hand" for r in given),
        "claimed": sum(r["kind"] == "claim" for r in rows),
        "candidate": len(seen),
        "passed_over": sum(not r["chosen"] for r in seen),
        "mean_load": _six(Fraction(sum(r["load"] for r in seen), len(seen))) if seen else None,
        "due": len(tasks),
        "late": late,
        "late_rate": ratio(late, len(tasks)),
        "people": len(people),
        "gini": _six(apart / (2 * len(shares) ** 2 * mean)) if mean else None,
        "max_to_mean": _six(max(shares) / mean) if mean else None,
    }


FIGURES: dict[str, Callable[[list[Row]], Row]] = {
    "sla-compliance": sla, "workload": workload, "fairness": fairness,
}  # fmt: skip
PERIOD = {"sla-compliance": "due_at", "workload": "captured_at", "fairness": "at"}
BEHIND: dict[str, Callable[[Row], int]] = {
    "sla-compliance": lambda row: row["due"] + row["pending"] + row["withdrawn"],
    "workload": lambda row: row["open"],
    "fairness": lambda row: row["assigned"] + row["claimed"] + row["due"],
}
"""How many rows of evidence stand behind a row."""


def _things(name: str, facts: Sequence[Fact]) -> list[Row]:
    """What a report counts, each with `of`, its lead."""
    own = checker_sla.sla(facts)
    if name == "workload":
        tasks = checker_tasks.tasks(facts)["tasks"]
        late = {t["lead"] for t in tasks if t["state"] == "open" and t["overdue"]}
        leads = checker_fold.leads(facts)["leads"]
        opened = [r for r in leads if not (r["converted"] or r["invalidated"])]
        return [{**row, "late": row["lead"] in late} for row in opened]
    tasks = own["response_tasks"]
    if name == "sla-compliance":
        return [
            {**t, "month": _local(t["due_at"], "%Y-%m"), "paused": _paused(t, own["lead_pauses"])}
            for t in tasks
        ]
    given = checker_sla.assignments(facts)
    rows = [{**r, "owner": r["person"], "kind": r["how"]} for r in given["assignments"]]
    rows += [{**r, "owner": r["person"], "kind": "candidate"} for r in given["candidates"]]
    rows += [{**t, "at": t["since"], "kind": "task"} for t in tasks if t["state"] in DUE]
    own_names = ("position", "lead", "owner", "kind", "at", "state", "chosen", "load", "weight")
    return [{n: r.get(n) for n in own_names} | {"month": _local(r["at"], "%Y-%m")} for r in rows]


def answer(
    name: str, given: dict[str, Any], facts: Sequence[Fact]
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Rows and total of a report on the facts that its parameters let through."""
    until, before = given.get("at_position"), given.get("as_of")
    facts = [f for f in facts if until is None or f.position <= until]
    if before:
        facts = [f for f in facts if f.at and f.at < before]
    leads = {row["lead"]: row for row in checker_fold.leads(facts)["leads"]}
    counted: list[Row] = []
    for thing in _things(name, facts):
        lead = leads[thing["lead"]]
        cohort = _local(lead["captured_at"], "%Y-%m")
        if not lead["captured"] or lead["merged"]:
            continue
        if given.get("cohort") not in (None, cohort):
            continue
        day = _local(thing[PERIOD[name]], "%Y-%m-%d") or ""
        if not given.get("from", "") <= day < given.get("to", "9"):
            continue
        counted.append({**lead, "cohort_month": cohort, **thing})
    by_bucket: defaultdict[str, list[Row]] = defaultdict(list)
    for thing in counted:
        names = given["dimension"].split(",")
        values = ["all" if n == "all" else thing[n] or "(missing)" for n in names]
        by_bucket[" | ".join(values)].append(thing)
    figures = FIGURES[name]
    rows = [{"bucket": bucket, **figures(by_bucket[bucket])} for bucket in sorted(by_bucket)]
    return rows, figures(counted)
