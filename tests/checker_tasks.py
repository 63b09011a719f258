"""The tables of `tasks` as they follow from a log, for the checker.

Each task is looked up in its lead's history: where it began last, and what ended it first after
that, where the product keeps every clock in step event by event.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.checker_lead import ERASED, without_contacts

if TYPE_CHECKING:
    from tests.checker_fold import Fact

Row = dict[str, Any]

FLAGS = {
    "paused": ("lead.paused", "lead.resumed"),
    "merged": ("lead.merged", "lead.merge-undone"),
    "converted": ("lead.converted", "lead.conversion-reversed"),
    "invalidated": ("lead.invalidated", "lead.reopened"),
    "erased": (ERASED, ERASED),
}
MOVES = ("lead.reassigned", "lead.handed-over", "lead.claimed", "lead.released-to-pool")
TELLING = ("lead.captured", "lead.info-changed", "lead.converted", "lead.assigned")
LABELS = ("lead.labelled", "lead.label-overridden")
BEGINS = {
    "first-follow-up": "lead.first-follow-up-task-issued",
    "escalation": "lead.first-follow-up-task-issued",
    "late-reason": "lead.escalated-to-supervisor",
    "pause": "lead.paused",
}
RINGS = {
    "first-follow-up": "lead.first-response-breached",
    "escalation": "lead.escalated-to-supervisor",
    "complete-info": "lead.info-completion-overdue",
}
ENDS = {
    "first-follow-up": {"lead.first-response-made": "done", "lead.released-to-pool": "cancelled"},
    "escalation": {
        "lead.escalated-to-supervisor": "done",
        "lead.first-response-made": "cancelled",
        "lead.released-to-pool": "cancelled",
    },
    "late-reason": {"lead.late-reason-recorded": "done"},
    "complete-info": {"lead.info-completed": "done"},
    "pause": {"lead.resumed": "done"},
}
BY_NAME = {"lead.task-done": "done", "lead.task-cancelled": "cancelled"}
CLOCKS = {
    "lead.first-follow-up-task-issued", "lead.first-response-breached", "lead.first-response-made",
    "lead.info-completion-overdue", "lead.task-scheduled", "lead.task-overdue", "lead.task-done",
    "lead.task-cancelled", "lead.deadlines-moved",
}  # fmt: skip
GIVEN, STAGE = "lead.assigned", "lead.stage-changed"
OWN_OWNER = ("first-follow-up", "escalation", "late-reason")
TOPICS = {
    *(topic for pair in FLAGS.values() for topic in pair), *MOVES, *TELLING, *LABELS, *BY_NAME,
    *BEGINS.values(), *RINGS.values(), "lead.team-changed", "lead.stage-changed",
    "lead.first-response-made", "lead.late-reason-recorded", "lead.info-completed",
    "lead.task-scheduled", "lead.task-overdue", "lead.deadlines-moved",
}  # fmt: skip


def tasks(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `timed_leads` and `tasks`."""
    histories: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS:
            histories[fact.stream].append(fact)
    return {
        "timed_leads": [_lead(own) for own in histories.values()],
        "tasks": [_task(own, name) for own in histories.values() for name in sorted(_names(own))],
    }


def clocks(history: Sequence["Fact"]) -> Row:
    """What table `leads` says of the clocks of a lead that ask somebody for something."""
    own = [fact for fact in history if fact.topic in TOPICS]
    silent = ("escalation", "late-reason", "pause")
    running = [t for t in (_task(own, n) for n in _names(own) if n not in silent)
               if t["state"] == "open"] if own else []  # fmt: skip
    paused = bool(own) and _lead(own)["paused"]
    due = {task["name"]: task["due_at"].astimezone(UTC) for task in running}
    rang = sorted(task["name"] for task in running if task["overdue"])
    level = _latest(own, "level")
    return {
        "clocks": {name: at.isoformat() for name, at in due.items()},
        "rang": rang,
        "level_rank": {"high": 0, "medium": 1, "low": 2}.get(level or "", 3),
        "due_at": None if paused else min(due.values(), default=None),
        "overdue": bool(rang) and not paused,
    }


def _names(own: Sequence["Fact"]) -> set[str]:
    named = {f.data["task"] for f in own if f.topic == "lead.task-scheduled"}
    return named | {name for name in BEGINS if any(_begins(f, name) for f in own)}


def _begins(fact: "Fact", name: str) -> bool:
    if fact.topic == "lead.task-scheduled":
        return bool(fact.data["task"] == name)
    if name == "escalation" and fact.data.get("escalate_at") is None:
        return False
    return fact.topic == BEGINS.get(name)


def _rings(fact: "Fact", name: str) -> bool:
    overdue = fact.topic == "lead.task-overdue" and fact.data["task"] == name
    return overdue or fact.topic == RINGS.get(name)


def _end(fact: "Fact", name: str) -> str | None:
    if fact.topic in BY_NAME and fact.data["task"] == name:
        return BY_NAME[fact.topic]
    return ENDS.get(name, {}).get(fact.topic)


def _task(own: Sequence["Fact"], name: str) -> Row:
    start = max(n for n, fact in enumerate(own) if _begins(fact, name))
    began, later = own[start], list(enumerate(own))[start + 1 :]
    ends = [(n, _end(fact, name)) for n, fact in later if _end(fact, name)]
    closed = [(n, "closed") for n in range(start, len(own)) if not _is_open(own[: n + 1])]
    end, how = min([*ends, *closed], default=(len(own), "open"), key=lambda pair: pair[0])
    ended = own[end] if how in ("done", "cancelled") else None
    seen = _lead(own[:end]) if end > start else None
    rung = [fact for _, fact in later if _rings(fact, name)]
    due_at = _due_at(began, name, [fact for _, fact in later])
    paused = bool(seen and seen["paused"] and name != "pause")
    given = began.data.get("owner")
    kind = began.data["kind"] if began.topic == "lead.task-scheduled" else name
    own_owner = kind in OWN_OWNER
    return {
        "lead": began.stream,
        "name": name,
        "kind": kind,
        "owner": given if own_owner or not seen else _whose(seen, kind),
        "team": seen and seen["team"],
        "level_rank": {"high": 0, "medium": 1, "low": 2}.get(seen["level"], 3) if seen else 3,
        "since": _since(own[: start + 1], name),
        "due_at": due_at,
        "due_on": date.fromisoformat(began.data["due_on"]) if began.data.get("due_on") else None,
        "follow_up": began.data.get("follow_up"),
        "stage": began.data.get("stage"),
        "state": "cancelled" if how == "closed" else how,
        "overdue": bool(rung),
        "rang_at": rung[-1].at if rung else None,
        "done_at": ended.at if ended else None,
        "done_by": ended.data.get("by") if ended else None,
        "escalated_to": began.data.get("supervisors", []) if name == "late-reason" else [],
        "reason": _reason(began, name, [fact for _, fact in later]),
        "paused": paused,
        "rings_at": None if how != "open" or rung or paused else due_at,
        "position": began.position,
    }


def _whose(seen: Row, kind: str) -> str | None:
    """Completing is for whoever entered it, while nobody owns the lead."""
    owner: str | None = seen["owner"]
    return owner or (seen["entered_by"] if kind == "complete-info" else None)


def _since(own: Sequence["Fact"], name: str) -> datetime | None:
    """A pause that is changed goes on."""
    first = len(own) - 1
    if name == "pause":
        for n in range(first, -1, -1):
            if own[n].topic == "lead.resumed" or not _is_open(own[: n + 1]):
                break
            first = n if own[n].topic == "lead.paused" else first
    return own[first].at


def _due_at(began: "Fact", name: str, later: Sequence["Fact"]) -> datetime | None:
    field = {"escalation": "escalate_at", "pause": "resume_at"}.get(name, "due_at")
    text = began.data.get(field)
    for fact in later:
        if fact.topic == "lead.deadlines-moved":
            text = {c["name"]: c["due_at"] for c in fact.data["clocks"]}.get(name, text)
    return datetime.fromisoformat(text) if text else None


def _reason(began: "Fact", name: str, later: Sequence["Fact"]) -> str | None:
    if name == "pause":
        return without_contacts(began.data.get("reason"))
    told = [f.data["reason"] for f in later if f.topic == "lead.late-reason-recorded"]
    return without_contacts(told[-1]) if told and name == "late-reason" else None


def _lead(own: Sequence["Fact"]) -> Row:
    topics = [fact.topic for fact in own]
    captures = [fact for fact in own if fact.topic == "lead.captured"]
    entered = [fact.data["entered_by"] for fact in captures if fact.data.get("entered_by")]
    started = [n for n, fact in enumerate(own) if _starts_clocks(fact)]
    later = started[-1] + 1 if started else 0
    arms = [
        fact
        for n, fact in enumerate(own)
        if n >= later and _arms(own[:n], fact, (STAGE,) if started else (GIVEN, STAGE))
    ]
    return {
        "lead": own[0].stream,
        "code": captures[0].data["code"] if captures else None,
        "owner": _latest(own, "owner"),
        "team": _latest(own, "team"),
        "level": _latest(own, "level"),
        "entered_by": without_contacts(entered[0]) if entered else None,
        "historical": _is_historical(captures),
        "captured": bool(captures),
        **{flag: _last(topics, pair) == pair[0] for flag, pair in FLAGS.items()},
        "arms_from": max((fact.at for fact in arms if fact.at), default=None),
        "arms_since": arms[-1].position if arms else None,
    }


def _starts_clocks(fact: "Fact") -> bool:
    by_stage = fact.topic == "lead.task-scheduled" and fact.data["kind"] == "stage"
    return by_stage or fact.topic == "lead.first-follow-up-task-issued"


def _arms(before: Sequence["Fact"], fact: "Fact", topics: Sequence[str]) -> bool:
    captures = [f for f in before if f.topic == "lead.captured"]
    starts = fact.topic in topics and fact.at is not None
    return starts and (not captures or _is_historical(captures))


def _is_historical(captures: Sequence["Fact"]) -> bool:
    last = captures[-1].data if captures else {}
    return bool(last.get("source_system") and not last.get("by_command"))


def _latest(own: Sequence["Fact"], name: str) -> str | None:
    """As the last fact that says anything about it says."""
    for fact in reversed(own):
        told: dict[str, Any] = {}
        if fact.topic in MOVES and name != "level":
            released = fact.topic == "lead.released-to-pool"
            told = {name: None if released else fact.data.get(name)}
        elif (name == "team" and fact.topic == "lead.team-changed") or (
            name == "level" and fact.topic in LABELS
        ):
            told = {name: fact.data.get(name)}
        elif fact.topic in TELLING:
            told = dict(fact.data.get("details", {}))
            if fact.topic == "lead.assigned" and name != "level" and fact.data.get(name):
                told[name] = fact.data[name]
        if name in told:
            value: str | None = told[name]
            return value
    return None


def _last(topics: Sequence[str], pair: tuple[str, str]) -> str | None:
    return next((topic for topic in reversed(topics) if topic in pair), None)


def _is_open(own: Sequence["Fact"]) -> bool:
    topics = [fact.topic for fact in own]
    closed = (
        _last(topics, FLAGS[f]) == FLAGS[f][0]
        for f in ("merged", "converted", "invalidated", "erased")
    )
    return "lead.captured" in topics and not any(closed)
