"""The tables of `notifications` as they follow from a log, for the checker.

Whom an event tells is found in all that its lead's history says until then, where the product keeps
that in a row event by event.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias
from uuid import UUID, uuid5

from tests.checker_lead import CONVERSION, ERASED, OWNED, PAUSE, standing, without_contacts

if TYPE_CHECKING:
    from tests.checker_fold import Fact

History: TypeAlias = "Sequence[Fact]"
Row = dict[str, Any]

NAMES = UUID("c1f5a9f2-53a0-4c0b-8f6e-6d6e7b0c4a35")
NEWS = timedelta(minutes=1)
CAPTURED, ASSIGNED, CLAIMED = "lead.captured", "lead.assigned", "lead.claimed"
PASSED_ON = ("lead.reassigned", "lead.handed-over")
POOLED, CONTACT = "lead.released-to-pool", "lead.follow-up-recorded"
ISSUED, SCHEDULED = "lead.first-follow-up-task-issued", "lead.task-scheduled"
FAILED, INCOMPLETE = "lead.assignment-failed", "lead.info-completion-overdue"
BREACHED, ESCALATED = "lead.first-response-breached", "lead.escalated-to-supervisor"
OVERDUE, REVIEW = "lead.task-overdue", "review.opened"
BECAME = {f"notification.{state}": state for state in ("sent", "dead", "retried", "read")}
TOPICS = {
    *OWNED, *PAUSE, *BECAME, CAPTURED, POOLED, CONTACT, CONVERSION[0], "lead.info-changed",
    ISSUED, SCHEDULED, FAILED, INCOMPLETE, BREACHED, ESCALATED, OVERDUE, REVIEW, ERASED,
}  # fmt: skip


class Told(NamedTuple):
    """A message to each of `whom`."""

    kind: str
    whom: Sequence[str | None]
    due_at: datetime | None = None
    about: Row = {}  # noqa: RUF012


def notifications(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `notified_subjects`, `notifications` and `deliveries`."""
    streams: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS:
            streams[fact.stream].append(fact)
    return {
        "notified_subjects": [
            _subject(own) for own in streams.values() if own[0].topic.startswith("lead.")
        ],
        "notifications": [row for own in streams.values() for row in _messages(own)],
        "deliveries": [row for own in streams.values() for row in _deliveries(own)],
    }


def _subject(own: History) -> Row:
    captures = [f for f in own if f.topic == CAPTURED]
    return {
        "subject": own[0].stream,
        **_shown(own),
        "owner": _said(own, "owner"),
        "entered_by": _entered_by(own),
        "recorded_at": captures[-1].recorded_at if captures else None,
        "historical": _is_history(own),
        "reached": _is_reached(own),
        "paused": _is_paused(own),
        "knows": _knows(own),
        "untold": _is_untold(own),
    }


def _messages(own: History) -> Iterator[Row]:
    for n, fact in enumerate(own):
        for told in _told(own[:n], fact):
            for person in filter(None, dict.fromkeys(told.whom)):
                cause = f"{fact.stream}/{fact.version}"
                yield {
                    "subject": fact.stream,
                    "id": uuid5(NAMES, f"{cause}\n{person}\n{told.kind}"),
                    "kind": told.kind,
                    "recipient": person,
                    **_shown(own[: n + 1]),
                    "about": {name: value for name, value in told.about.items() if value},
                    "due_at": told.due_at,
                    "created_at": fact.at,
                    "recorded_at": fact.recorded_at,
                    "position": fact.position,
                }


def _told(before: History, fact: "Fact") -> Iterator[Told]:
    """What an event tells, by what was before it; a paused lead reminds nobody."""
    said = fact.data
    match fact.topic:
        case "lead.resumed":
            if said.get("by_clock") or _is_untold(before):
                yield Told("resumed", [_said(before, "owner")])
        case "lead.assignment-failed":
            yield Told("assignment-failed", said.get("supervisors") or [])
        case "lead.info-completion-overdue":
            owner, missing = said.get("responsible"), ", ".join(said["missing"])
            whom = [owner, *said.get("supervisors", [])]
            yield Told("info-overdue", whom, fact.at, {"missing": missing, "owner": owner})
        case "lead.first-response-breached":
            yield Told("first-response-late", [said["owner"]], fact.at, _of(said, "level"))
        case "lead.escalated-to-supervisor":
            yield Told("escalated", said.get("supervisors", []), None, _of(said, "owner", "team"))
            yield Told("late-reason", [said["owner"]])
        case "lead.task-overdue":
            yield Told("task-overdue", [said.get("owner")], fact.at, _of(said, "task"))
            yield Told("nobodys-task", said.get("supervisors", []), fact.at, _of(said, "task"))
        case "review.opened":
            period = _of(said, "team", "since", "until", "total") | {"review": said["kind"]}
            yield Told("review", said.get("supervisors", []), None, period)
        case _ if not _is_paused(before):
            yield from _told_of_work(before, fact)


def _told_of_work(before: History, fact: "Fact") -> Iterator[Told]:
    """A lead to work on, or something to do about one that goes on."""
    said = fact.data
    due_at = datetime.fromisoformat(said["due_at"]) if "due_at" in said else None
    if _gives(before, fact) and _is_reached(before):
        yield Told("assigned", [_said([fact], "owner")])
    if fact.topic == ISSUED and _is_news(before, fact) and not _knows(before):
        yield Told("first-follow-up", [said["owner"]], due_at, _of(said, "level"))
    if fact.topic == SCHEDULED and said["kind"] == "complete-info":
        yield Told("complete-info", [_said(before, "owner") or _entered_by(before)], due_at)


def _gives(before: History, fact: "Fact") -> bool:
    """Whether somebody gets the lead who does not know."""
    if fact.topic == ASSIGNED:
        owner = _said([fact], "owner")
        return bool(owner) and _is_news(before, fact) and not _by_themselves(before, fact)
    return fact.topic in PASSED_ON


def _by_themselves(before: History, fact: "Fact") -> bool:
    """Whether somebody entered the lead for themselves: it was theirs in the same commit."""
    entered = [f.recorded_at for f in before if f.topic == CAPTURED][-1:]
    theirs = _said([fact], "owner") == _entered_by(before) and not fact.data.get("explanation")
    return theirs and entered == [fact.recorded_at]


def _knows(own: History) -> bool:
    """Whether the owner took it themselves, and that was the last of it."""
    for n, fact in reversed(list(enumerate(own))):
        if fact.topic in (*PASSED_ON, CLAIMED, ISSUED):
            return fact.topic == CLAIMED
        if fact.topic == ASSIGNED and _said([fact], "owner"):
            return _by_themselves(own[:n], fact)
    return False


def _is_untold(own: History) -> bool:
    """Whether somebody got the lead during the pause that lasts, and does not know."""
    pause = standing(own, *PAUSE)[:1]
    for n, fact in reversed(list(enumerate(own))):
        if not pause or fact.position < pause[0].position or fact.topic in (CLAIMED, POOLED):
            return False
        if fact.topic == ISSUED:
            return not _knows(own[:n])
        if _gives(own[:n], fact):
            return True
    return False


def _is_news(own: History, fact: "Fact") -> bool:
    just_now = fact.at is not None and abs(fact.recorded_at - fact.at) <= NEWS
    return just_now or not _is_history(own)


def _is_history(own: History) -> bool:
    """Whether another system's history brought the lead."""
    captures = [f.data for f in own if f.topic == CAPTURED]
    if not captures:
        return True
    return bool(captures[-1].get("source_system")) and not captures[-1].get("by_command")


def _is_reached(own: History) -> bool:
    return any(f.topic == CONVERSION[0] or f.data.get("connected") for f in own)


def _is_paused(own: History) -> bool:
    return bool(standing(own, *PAUSE))


def _shown(own: History) -> Row:
    """The code and the name, its contact details masked."""
    codes = [f.data["code"] for f in own if f.topic == CAPTURED]
    return {
        "code": codes[0] if codes else None,
        "customer": without_contacts(_said(own, "customer")),
    }


def _entered_by(own: History) -> str | None:
    by = (f.data.get("entered_by") for f in own if f.topic == CAPTURED)
    return next(filter(None, by), None)


def _said(own: History, name: str) -> Any:
    return dict(pair for fact in own for pair in fact.values).get(name)


def _of(said: Row, *names: str) -> Row:
    return {name: said.get(name) for name in names}


def _deliveries(own: History) -> Iterator[Row]:
    """The last that became of a message on each channel; its list is one of them."""
    last = {f.data.get("channel", "in-app"): f for f in own if f.topic in BECAME}
    for channel, fact in last.items():
        yield {
            "id": fact.stream,
            "channel": channel,
            "recipient": fact.data["recipient"],
            "state": BECAME[fact.topic],
            "at": fact.at,
            "error": fact.data.get("error"),
            "attempts": fact.data.get("attempts", 0),
            "position": fact.position,
        }
