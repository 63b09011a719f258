"""The tables of `sla` and `assignments` as they follow from a log, for the checker.

Each first follow-up is looked up in its lead's history: between the event that issued it and the
one that ended it, where the product keeps all of a lead's in step event by event.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.checker_lead import without_contacts

if TYPE_CHECKING:
    from tests.checker_fold import Fact

Row = dict[str, Any]

ISSUED = "lead.first-follow-up-task-issued"
ENDS = {
    ISSUED, "lead.converted", "lead.invalidated", "lead.merged", "lead.released-to-pool",
}  # fmt: skip
MOVED, EXPLAINED = "lead.deadlines-moved", "lead.late-reason-recorded"
BREACHED, ESCALATED = "lead.first-response-breached", "lead.escalated-to-supervisor"
CONTACT = "lead.follow-up-recorded"
GIVEN = ("lead.assigned", "lead.reassigned", "lead.handed-over", "lead.claimed")
TOPICS = {
    *ENDS, *GIVEN, MOVED, EXPLAINED, BREACHED, ESCALATED, CONTACT, "lead.paused", "lead.resumed",
    "lead.captured", "lead.info-changed", "lead.team-changed",
}  # fmt: skip


def sla(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `lead_teams`, `response_tasks` and `lead_pauses`."""
    histories: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS:
            histories[fact.stream].append(fact)
    found: dict[str, list[Row]] = {"lead_teams": [], "response_tasks": [], "lead_pauses": []}
    for stream, own in histories.items():
        found["lead_teams"].append({"lead": stream, "team": _team(own)})
        found["response_tasks"] += _explained(own, [_task(own, f) for f in own if _issues(f)])
        found["lead_pauses"] += _pauses(own)
    return found


def assignments(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `assignments` and `candidates`."""
    found: dict[str, list[Row]] = {"assignments": [], "candidates": []}
    for fact in facts:
        named = dict(fact.values).get("owner") if fact.topic in GIVEN else None
        if not named:
            continue
        why = fact.data.get("explanation") or {}
        how = "claim" if fact.topic == "lead.claimed" else "rule" if why else "hand"
        row = {"position": fact.position, "lead": fact.stream, "person": named, "at": fact.at}
        found["assignments"].append({**row, "how": how})
        found["candidates"] += [
            {
                **row,
                "chosen": one["person"] == named,
                "person": one["person"],
                "load": one["load"],
                "weight": one.get("weight", 1.0),
            }
            for one in why.get("candidates", ())
        ]
    return found


def _issues(fact: "Fact") -> bool:
    return fact.topic == ISSUED


def _at(fact: "Fact") -> datetime:
    return fact.at or fact.recorded_at


def _team(own: Sequence["Fact"]) -> str | None:
    return next((v for f in reversed(own) for n, v in reversed(f.values) if n == "team"), None)


def _task(own: Sequence["Fact"], began: "Fact") -> Row:
    later = [f for f in own if f.position > began.position]
    end = next((f for f in later if f.topic in ENDS), None)
    meanwhile = [f for f in later if not end or f.position < end.position]
    moves = [
        (clock, f) for f in meanwhile if f.topic == MOVED
        for clock in f.data["clocks"] if clock["name"] == "first-follow-up"
    ]  # fmt: skip
    levels = [f.data["level"] for _, f in moves if f.data.get("level")]
    due_at = datetime.fromisoformat([began.data, *(clock for clock, _ in moves)][-1]["due_at"])
    topics = {f.topic for f in meanwhile}
    response_at = min(
        (f.at for f in later if f.topic == CONTACT and f.data["connected"] and f.at
         and (f in meanwhile or (end and f.at <= _at(end)))), default=None,
    )  # fmt: skip
    breached = BREACHED in topics
    if response_at:
        state = "late" if breached and response_at > due_at else "met"
    elif end:
        state = "late" if breached else "withdrawn"
    else:
        state = "open_overdue" if breached else "pending"
    return {
        "lead": began.stream, "position": began.position, "owner": began.data["owner"],
        "team": _team([f for f in own if f.position < began.position]),
        "level": [began.data["level"], *levels][-1],
        "since": _at(began), "due_at": due_at, "state": state, "breached": breached,
        "response_at": response_at, "ended_at": _at(end) if end else None,
        "escalated": ESCALATED in topics, "reason": None,
    }  # fmt: skip


def _explained(own: Sequence["Fact"], tasks: list[Row]) -> list[Row]:
    """A reason is for the last task that was escalated by then and has none, else for the last."""
    for fact in [f for f in own if f.topic == EXPLAINED]:
        by_then = [task for task in tasks if task["position"] < fact.position]
        told = [f.position for f in own if f.topic == ESCALATED and f.position < fact.position]
        owed = [
            task for task in by_then
            if not task["reason"] and any(_in_hand(own, task, position) for position in told)
        ]  # fmt: skip
        for task in (owed or by_then)[-1:]:
            task["reason"] = without_contacts(fact.data["reason"])
    return tasks


def _in_hand(own: Sequence["Fact"], task: Row, position: int) -> bool:
    """Whether a task was to be done at a position of the log."""
    start = task["position"]
    between = [f for f in own if start < f.position < position]
    return start < position and not any(f.topic in ENDS for f in between)


def _pauses(own: Sequence["Fact"]) -> list[Row]:
    rows: list[Row] = []
    for fact in own:
        lasts = rows and not rows[-1]["until"]
        if fact.topic == "lead.paused" and not lasts:
            rows.append({"lead": fact.stream, "position": fact.position, "since": _at(fact),
                         "until": None})  # fmt: skip
        elif fact.topic == "lead.resumed" and lasts:
            rows[-1]["until"] = _at(fact)
    return rows
