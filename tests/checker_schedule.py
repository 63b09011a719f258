"""When what becomes due on a lead, computed from its facts alone; no product code.

A clock is due when its time has run, pauses left out; what is due at the instant of a fact, or
before, happens ahead of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from tests.checker_calendar import Span, counted, end_of_day
from tests.checker_fold import Fact

TURNS = {"complete-info": 0, "first-follow-up": 1, "escalation": 2}
OWNERS_OWN = ("first-follow-up", "escalation")

Item = tuple[int, str, datetime | None]
"""Behind so many commands that were given on the lead, what happened, when."""
Clocks = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Rules:
    """The limits as numbers. `working`: hours are those of the calendar, days are days."""

    due_hours: Mapping[str, int] = field(
        default_factory=lambda: {"high": 24, "medium": 48, "low": 72, "unrated": 24}
    )
    escalate_hours: int = 72
    complete_hours: int = 2
    tasks: Mapping[str, tuple[str, int]] = field(default_factory=lambda: {"方案提交": ("回访", 3)})
    working: bool = False


WALL, WORKING = Rules(), Rules(working=True)


class TimedLead:
    """A lead as far as time goes. `stops` are its pauses, the last one perhaps without an end."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.items: list[Item] = []
        self.given = 0
        self.clocks: Clocks = {}
        self.stops: list[list[datetime | None]] = []
        self.now: dict[str, Any] = {
            "captured": False, "lost": False, "won": False, "merged": False, "owner": None,
            "owned_at": None, "told": False, "level": "unrated", "missing": False, "stage": None,
            "reached": False, "resume_at": None,
        }  # fmt: skip

    @property
    def open(self) -> bool:
        return self.now["captured"] and not any(self.now[n] for n in ("lost", "won", "merged"))

    @property
    def paused(self) -> bool:
        return bool(self.stops) and self.stops[-1][1] is None

    def due(self, name: str) -> datetime | None:
        """When a clock is due, if there is one; after a pause that lasts it is later."""
        return self._due(self.clocks[name]) if name in self.clocks else None

    def ring(self, until: datetime) -> None:
        """Everything that is due by an instant happens."""
        while (first := min(self._ringing(), default=None)) and first[0] <= until:
            at, _, name = first
            if name == "pause":
                self.stops[-1][1] = at
                self._add("resumed", at)
            else:
                self._rung(name, at)

    def _ringing(self) -> Iterator[tuple[datetime, int, str]]:
        if self.open and self.paused:
            if self.now["resume_at"]:
                yield self.now["resume_at"], 0, "pause"
        elif self.open:
            for name, clock in self.clocks.items():
                if not clock["rung"]:
                    yield self._due(clock), TURNS.get(name, 3), name

    def _due(self, clock: dict[str, Any]) -> datetime:
        """Pauses that were over when the clock began took nothing from it. A clock whose time turns
        out to have run before a pause rings at its end.
        """
        stops: list[Span] = [
            (start, end) for start, end in self.stops[clock["over"] :] if start and end
        ]
        due = counted(clock["start"], clock["length"], stops, working=clock["working"])
        return max([due, *(end for _, end in stops)])

    def _rung(self, name: str, at: datetime) -> None:
        clock, owner = self.clocks[name], self.now["owner"]
        clock["rung"] = at
        if name == "first-follow-up":
            self._add(f"breached {clock['owner']} {self.now['level']}", at)
        elif name == "escalation":
            self._add(f"escalated {owner}", at)
            self.now["told"] = True
            del self.clocks[name]
        else:
            self._add("incomplete" if name == "complete-info" else f"overdue {name}", at)

    def _add(self, what: str, at: datetime | None) -> None:
        self.items.append((self.given, what, at))

    def take(self, facts: Sequence[Fact], at: datetime) -> None:
        """One command is given at an instant, and what follows from it happens with it."""
        before, was_open, clocks = dict(self.now), self.open, dict(self.clocks)
        self.given += 1
        for fact in facts:
            self._learn(fact)
        first = len(self.items)
        opened = self.open and not was_open
        self._contacts(facts, clocks, before)
        self._stage_tasks(facts, at, opened)
        self._next_steps(facts, at)
        self._owner(before, at, opened)
        self._information(before, at, opened)
        self.items[first:] = sorted(self.items[first:], key=str)

    def _learn(self, fact: Fact) -> None:
        now, data, topic = self.now, fact.data, fact.topic.removeprefix("lead.")
        now.update(
            {n: v for n, v in fact.values if n in ("owner", "level") and (v or n == "owner")}
        )
        if topic == "captured":
            now["captured"] = True
        elif topic in ("labelled", "label-overridden"):
            now["level"] = data["level"]
            self._another_level()
        elif topic in ("assigned", "reassigned", "handed-over", "claimed"):
            now["owned_at"] = fact.at
        elif topic == "released-to-pool":
            now.update(owned_at=None)
            self._end(*OWNERS_OWN)
        elif topic == "info-marked-incomplete":
            now["missing"] = True
        elif topic == "info-completed":
            now["missing"] = False
            self._end("complete-info")
        elif topic == "paused":
            self.stops += [] if self.paused else [[fact.at, None]]
            resume_at = data.get("resume_at")
            now["resume_at"] = datetime.fromisoformat(resume_at) if resume_at else None
        elif topic == "resumed" and self.paused:
            self.stops[-1][1] = fact.at
        elif topic == "stage-changed":
            now["stage"] = data["stage"]
        else:
            self._close(topic)

    def _close(self, topic: str) -> None:
        ends = {"invalidated": "lost", "converted": "won", "merged": "merged"}
        undone = {"reopened": "lost", "conversion-reversed": "won", "merge-undone": "merged"}
        if topic in ends:
            self.now[ends[topic]] = True
            self.clocks.clear()
        elif topic in undone:
            self.now[undone[topic]] = False

    def _end(self, *names: str) -> None:
        for name in names:
            self.clocks.pop(name, None)

    def _another_level(self) -> None:
        for name, hours in (("first-follow-up", self._hours()), ("escalation", self._most_hours())):
            if name in self.clocks:
                self.clocks[name] = {**self.clocks[name], "length": hours}

    def _hours(self) -> timedelta:
        return timedelta(hours=self.rules.due_hours[self.now["level"]])

    def _most_hours(self) -> timedelta:
        return timedelta(hours=self.rules.escalate_hours)

    def _begin(self, name: str, start: datetime, length: timedelta, **more: Any) -> str:
        """Start a clock; returns when it is due if no pause comes between."""
        working = more.pop("working", False)
        over = len(self.stops) - self.paused
        self.clocks[name] = {
            "start": start, "length": length, "over": over, "working": working, "rung": None, **more
        }  # fmt: skip
        return as_text(counted(start, length, [], working=working))

    def _contacts(self, facts: Sequence[Fact], clocks: Clocks, before: Mapping[str, Any]) -> None:
        """A connected contact reaches the customer, and does what was asked for by then."""
        for fact in facts:
            if fact.topic != "lead.follow-up-recorded" or not fact.data["connected"]:
                continue
            assert fact.at is not None
            for name, clock in clocks.items():
                if clock.get("by_contact") and clock.get("asked", clock["start"]) <= fact.at:
                    self._add(f"done {name}", fact.at)
                    self._end(name)
            if not self.now["reached"]:
                self._add(f"responded {self._late(fact.at)}", fact.at)
                self.now["reached"] = True
                self._end(*OWNERS_OWN)

    def _late(self, at: datetime) -> str:
        clock = self.clocks.get("first-follow-up")
        if clock is None:
            return "None"
        return as_text(max((at - clock["rung"]).total_seconds(), 0.0) if clock["rung"] else 0.0)

    def _stage_tasks(self, facts: Sequence[Fact], at: datetime, opened: bool) -> None:
        if not self.open:
            return
        entered = [fact.at or at for fact in facts if fact.topic == "lead.stage-changed"]
        for name, clock in list(self.clocks.items()):
            if clock.get("stage", self.now["stage"]) != self.now["stage"]:
                self._add(f"cancelled {name}", at)
                self._end(name)
        if (entered or opened) and (asked := self.rules.tasks.get(self.now["stage"])):
            name, days = asked
            start, length = (entered or [at])[-1], timedelta(days=days)
            more = {"stage": self.now["stage"], "by_contact": True}
            due = self._begin(name, start, length, **more)
            self._add(f"scheduled {name} {due}", start)

    def _next_steps(self, facts: Sequence[Fact], at: datetime) -> None:
        for fact in facts:
            day = fact.data.get("next_step_due")
            if fact.topic == "lead.follow-up-recorded" and day and self.open:
                end = end_of_day(date.fromisoformat(day))
                standing = self.clocks.get("next-step", {}).get("asked")
                if end > at and not (standing and fact.at and standing > fact.at):
                    due = self._begin("next-step", at, end - at, by_contact=True, asked=fact.at)
                    self._add(f"scheduled next-step {due}", at)

    def _owner(self, before: Mapping[str, Any], at: datetime, opened: bool) -> None:
        now, working = self.now, self.rules.working
        if not now["owner"] or not self.open or now["reached"]:
            return
        got_it = any(before[name] != now[name] for name in ("owner", "owned_at"))
        if not got_it and not opened:
            return
        start = (now["owned_at"] if got_it else None) or at
        escalates = not now["told"] and "escalation" not in self.clocks
        due = self._begin(
            "first-follow-up", start, self._hours(), working=working, owner=now["owner"]
        )
        told = None
        if escalates:
            told = self._begin("escalation", start, self._most_hours(), working=working)
        self._add(f"issued {now['owner']} {now['level']} {due} {told}", start)

    def _information(self, before: Mapping[str, Any], at: datetime, opened: bool) -> None:
        if self.open and self.now["missing"] and (opened or not before["missing"]):
            length = timedelta(hours=self.rules.complete_hours)
            due = self._begin("complete-info", at, length, working=self.rules.working)
            self._add(f"scheduled complete-info {due}", at)


def as_text(value: Any) -> str:
    """One form for an instant, however it was stored, and for seconds."""
    if isinstance(value, str) and value[:2] == "20" and "T" in value:
        value = datetime.fromisoformat(value)
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}"
    return f"{value:.6f}" if isinstance(value, int | float) else str(value)
