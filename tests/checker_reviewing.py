"""The tables of `reviewing` and `reviews` as they follow from a log, for the checker.

Each column is looked up in the lead's whole history, where the product keeps it event by event.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

from tests.checker_lead import ERASED, without_contacts

if TYPE_CHECKING:
    from tests.checker_fold import Fact

History: TypeAlias = "Sequence[Fact]"
Row = dict[str, Any]

FOLLOW_UP, PROPOSED = "lead.follow-up-recorded", "lead.invalidation-proposed"
DISMISSED, REASON = "lead.invalidation-dismissed", "lead.late-reason-recorded"
TAKEN = ("lead.reassigned", "lead.handed-over", "lead.claimed")
TOLD = ("lead.captured", "lead.info-changed", "lead.converted", "lead.assigned")
FLAGS = {
    "merged": ("lead.merged", "lead.merge-undone"),
    "converted": ("lead.converted", "lead.conversion-reversed"),
    "invalidated": ("lead.invalidated", "lead.reopened"),
    "paused": ("lead.paused", "lead.resumed"),
    "erased": (ERASED, ERASED),
}
ANEW = ("lead.reopened", DISMISSED)
BEGINS = {
    *TAKEN, *ANEW, "lead.captured", "lead.assigned", "lead.resumed", "lead.merge-undone",
    "lead.conversion-reversed",
}  # fmt: skip
LAPSES = {
    "lead.first-response-breached": ("late", "first-follow-up"),
    "lead.escalated-to-supervisor": ("escalated", "escalation"),
    "lead.info-completion-overdue": ("incomplete", "complete-info"),
    "lead.task-overdue": ("overdue", ""),
}
BY_TASK = ("lead.task-done", "lead.task-cancelled", "lead.task-scheduled")
OVER = {
    "first-follow-up": "lead.first-response-made",
    "escalation": "lead.first-response-made",
    "complete-info": "lead.info-completed",
}
TOPICS = {
    *BEGINS, *TOLD, *LAPSES, *BY_TASK, *OVER.values(),
    *(topic for pair in FLAGS.values() for topic in pair), FOLLOW_UP, PROPOSED, REASON,
    "lead.stage-changed", "lead.assignment-failed",
    "lead.team-changed", "lead.released-to-pool",
}  # fmt: skip
CLOSES = ("lead.invalidated", "lead.converted", ERASED)
RINGS = {*LAPSES, "lead.resumed"}
SAYS = (
    "since", "owner", "team", "task", "late_reason", "resume_at", "unassignable_since",
    "paused_seconds",
)  # fmt: skip
REVIEWS = {"review.opened", "review.closed"}


def reviewing(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `standings`, `lapses` and `findings`."""
    histories = _streams(facts, TOPICS).values()
    return {
        "standings": [_standing(own) for own in histories],
        "lapses": [_lapse(own, n) for own in histories for n, f in enumerate(own) if _kind(f)],
        "findings": [row for own in histories for row in _findings(own)],
    }


def reviews(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Table `reviews`."""
    return {"reviews": [_review(own) for own in _streams(facts, REVIEWS).values()]}


def _streams(facts: Iterable["Fact"], topics: set[str]) -> dict[UUID, list["Fact"]]:
    found: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in topics:
            found[fact.stream].append(fact)
    return found


def _standing(own: History) -> Row:
    captures = [f for f in own if f.topic == "lead.captured"]
    proposal = _last(own, lambda f: f.topic == PROPOSED)
    stops = _last(own, lambda f: f.topic in FLAGS["paused"])
    is_paused = stops is not None and stops.topic == "lead.paused"
    resume_at = stops.data.get("resume_at") if stops and is_paused else None
    failed = _last(
        own,
        lambda f: (
            f.topic in (*TAKEN, "lead.assigned", "lead.released-to-pool")
            or f.topic == "lead.assignment-failed"
        ),
    )
    pool = _last(own, lambda f: f.topic in (*TAKEN, "lead.assigned", "lead.released-to-pool"))
    return {
        "lead": own[0].stream,
        "code": captures[0].data["code"] if captures else None,
        "owner": _said(own, "owner"),
        "team": _said(own, "team"),
        "pool": pool.data.get("pool") if pool and pool.topic.endswith("pool") else None,
        "daily": any(f.topic == "lead.stage-changed" and f.data["stage"] == "待分配" for f in own),
        "captured": bool(captures),
        "captured_at": next((f.at for f in captures if f.at), None),
        **{flag: _flag(own, *pair) for flag, pair in FLAGS.items()},
        "unassignable_since": failed.at if failed and failed.topic.endswith("failed") else None,
        "paused_since": _pauses(own)[-1][0] if is_paused else None,
        "resume_at": datetime.fromisoformat(resume_at) if resume_at else None,
        "paused_seconds": sum(
            ((end - start).total_seconds() for start, end in _pauses(own) if start and end), 0.0
        ),
        **_effort(own),
        "proposed_reason": without_contacts(proposal.data["reason"]) if proposal else None,
        "proposed_month": proposal.data["month"] if proposal else None,
        "proposed_at": proposal.at if proposal else None,
        "proposed_position": proposal.position if proposal else None,
        "evidence": proposal.data.get("evidence", {}) if proposal else {},
        "stands": proposal is not None and not any(
            f.topic in (DISMISSED, *CLOSES)
            or (f.topic == FOLLOW_UP and f.data["connected"])
            for f in own if f.position > proposal.position
        ),
    }  # fmt: skip


def _effort(own: History) -> Row:
    anew = _last(own, lambda f: f.topic in ANEW)
    since = [f for f in own if anew is None or f.position > anew.position]
    tries = [f for f in since if f.topic == FOLLOW_UP]
    changed = _last(
        since,
        lambda f: (
            f.topic == ERASED
            or (f.topic == "lead.info-changed" and "phone" in f.data.get("details", {}))
        ),
    )
    wrong = [f for f in tries if f.data.get("outcome") == "wrong_number"]
    reached = [f for f in tries if f.data["connected"]]
    newest = [f for n, f in enumerate(reached) if f.at == _latest(reached[: n + 1])]
    last_at = _latest([f for f in own if f.topic == FOLLOW_UP])
    begun_at = _latest([f for f in own if f.topic in BEGINS])
    return {
        "wrong_numbers": sum(changed is None or f.position > changed.position for f in wrong),
        "connected": len(reached),
        "connected_at": _latest(reached),
        "refused": bool(newest) and newest[-1].data.get("outcome") == "refused",
        "last_at": last_at,
        "begun_at": begun_at,
        "quiet_since": max(filter(None, (last_at, begun_at)), default=None),
    }


def _pauses(own: History) -> list[tuple[datetime | None, datetime | None]]:
    """Every pause, by its first instant and its end; the last one may have none."""
    found: list[tuple[datetime | None, datetime | None]] = []
    stops = [f for f in own if f.topic in FLAGS["paused"]]
    for before, fact in zip([None, *stops], stops, strict=False):
        begins = fact.topic == "lead.paused" and (before is None or before.topic != fact.topic)
        if begins:
            found.append((fact.at, None))
        elif fact.topic == "lead.resumed" and before and before.topic == "lead.paused":
            found[-1] = (found[-1][0], fact.at)
    return found


def _kind(fact: "Fact") -> tuple[str, str] | None:
    """Which lapse it is, and in which task."""
    if fact.topic not in LAPSES:
        return None
    kind, task = LAPSES[fact.topic]
    return kind, task or without_contacts(fact.data["task"])


def _lapse(own: History, place: int) -> Row:
    fact, later = own[place], own[place + 1 :]
    kind, task = _kind(fact) or ("", "")
    owner = fact.data.get("responsible" if kind == "incomplete" else "owner")
    return {
        "lead": fact.stream,
        "position": fact.position,
        "kind": kind,
        "task": task,
        "at": fact.at,
        "owner": owner,
        "team": _said(own[:place], "team"),
        "is_open": not any(_is_over(task, f) for f in later),
        "late_reason": _late_reason(own, place, owner) if kind in ("late", "escalated") else None,
    }


def _is_over(task: str, fact: "Fact") -> bool:
    another = _kind(fact)
    if fact.topic in CLOSES:
        return True
    by_name = fact.topic in BY_TASK and without_contacts(fact.data["task"]) == task
    return by_name or fact.topic == OVER.get(task) or bool(another and another[1] == task)


def _findings(own: History) -> list[Row]:
    """Every finding, with from when to when the history said the same of it."""
    found = [_found(own[: n + 1]) for n in range(len(own))]
    rows = []
    for name in dict.fromkeys(name for one in found for name in one):
        began: int | None = None
        for n, fact in enumerate(own):
            before = found[n - 1].get(name) if n else None
            if began is not None and before != found[n].get(name):
                rows.append(_stretch(own[began], name, before or (), _known_at(fact)))
                began = None
            if before is None or before != found[n].get(name):
                began = n if name in found[n] else None
        if began is not None:
            rows.append(_stretch(own[began], name, found[-1][name], None))
    return [r for r in rows if r["known_until"] is None or r["known_until"] > r["known_from"]]


def _stretch(
    fact: "Fact", name: tuple[str, int], said: tuple[Any, ...], until: datetime | None
) -> Row:
    row: Row = {"lead": fact.stream, "position": fact.position, "finding": name[0], "nr": name[1]}
    known = {"known_from": _known_at(fact), "known_until": until}
    return row | known | dict(zip(SAYS, said, strict=True))


def _known_at(fact: "Fact") -> datetime:
    rang = fact.at if fact.topic in RINGS else None
    return min(rang or fact.recorded_at, fact.recorded_at)


def _found(own: History) -> dict[tuple[str, int], tuple[Any, ...]]:
    """What there is to be found after this much of a history."""
    flags = {flag: _flag(own, *pair) for flag, pair in FLAGS.items()}
    places = [n for n, fact in enumerate(own) if _kind(fact)]
    if flags["merged"] or not (places or flags["paused"] or _said(own, "owner") is None):
        return {}
    lead = _standing(own)
    is_open = lead["captured"] and not (lead["converted"] or lead["invalidated"] or lead["erased"])
    found: dict[tuple[str, int], tuple[Any, ...]] = {}
    for nr, place in enumerate(places):
        lapse = _lapse(own, place)
        kind, at, task, reason = (lapse[n] for n in ("kind", "at", "task", "late_reason"))
        if kind in ("late", "escalated"):
            found[kind, nr] = (at, lapse["owner"], lapse["team"], task, reason, None, None, None)
        elif is_open and lapse["is_open"]:
            owner = lead["owner"] or lapse["owner"]
            found[kind, nr] = (at, owner, lead["team"], task, None, None, None, None)
    whose = (lead["owner"], lead["team"], None, None)
    if is_open and lead["paused"]:
        pause = (lead["resume_at"], None, lead["paused_seconds"])
        found["paused", 0] = (lead["paused_since"], *whose, *pause)
    if is_open and lead["daily"] and lead["owner"] is None and lead["pool"] is None:
        found["unowned", 0] = (lead["captured_at"], *whose, None, lead["unassignable_since"], None)
    return found


def _late_reason(own: History, place: int, owner: str | None) -> str | None:
    """The last reason that was given while this owner was the last one who was late."""
    reason = None
    for n, fact in enumerate(own):
        if n > place and fact.topic == REASON:
            late = _last(own[:n], lambda f: (_kind(f) or ("",))[0] in ("late", "escalated"))
            if late and late.data.get("owner") == owner:
                reason = without_contacts(fact.data["reason"])
    return reason


def _review(own: History) -> Row:
    opened = _last(own, lambda f: f.topic == "review.opened")
    closed = _last(own, lambda f: f.topic == "review.closed")
    assert opened
    said = opened.data
    return {
        "review": opened.stream,
        "version": own[-1].version,
        "kind": said["kind"],
        "team": said.get("team"),
        "since": date.fromisoformat(said["since"]),
        "until": date.fromisoformat(said["until"]),
        "supervisors": said.get("supervisors", []),
        "position": said["position"],
        "counts": said.get("counts", {}),
        "total": said.get("total", 0),
        "opened_at": opened.at,
        "opened_position": opened.position,
        "closed_at": closed.at if closed else None,
        "closed_by": closed.data.get("by") if closed else None,
    }


def _said(own: History, name: str) -> str | None:
    """The owner or team, as the last fact that says anything about it says."""
    for fact in reversed(own):
        if fact.topic in TAKEN or (name == "team" and fact.topic == "lead.team-changed"):
            return fact.data.get(name)
        if fact.topic == "lead.released-to-pool":
            return None
        told = dict(fact.data.get("details", {})) if fact.topic in TOLD else {}
        if fact.topic == "lead.assigned" and fact.data.get(name):
            told[name] = fact.data[name]
        if name in told:
            value: str | None = told[name]
            return value
    return None


def _flag(own: History, on: str, off: str) -> bool:
    last = _last(own, lambda f: f.topic in (on, off))
    return last is not None and last.topic == on


def _last(own: History, is_one: Callable[["Fact"], bool]) -> "Fact | None":
    return next((fact for fact in reversed(own) if is_one(fact)), None)


def _latest(own: History) -> datetime | None:
    return max((fact.at for fact in own if fact.at), default=None)
