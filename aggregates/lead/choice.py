"""Whom the rules give a lead, and why (R6, R31-R35, R43, R44, A9, A13).

The first rule that matches names a target; of the target's people the least loaded gets the lead.
Nobody who has left, is away, takes no more or does not cover the lead is chosen; when that leaves
nobody, the default target is asked. There somebody always has to take it: when all are at capacity
the least loaded does, and when nobody covers the lead whoever is there. The explanation is what the
choice was made from, and stands on the event:

- `policy` kind, version and hash of the rules; `rule` the one that matched, null = none did
- `target` kind and name of whom was asked last; `by_default` when that is the rules' default
- `candidates` in order, the chosen one first: person, load, weight, and the log position of the
  last lead that the rules gave them; at most 10, then `more_candidates` counts the others
- `over_capacity`, `outside_coverage` when the default gave it to somebody all the same
- `left_out` person and why; at most 10, then `more_left_out` counts the others by reason
- `nobody_free` target and left_out of the match, when the default had to be asked
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from heapq import nsmallest
from typing import Any

from aggregates.directory.owners import OWNING_ROLES
from aggregates.directory.state import Person, Team
from aggregates.event import PolicyRef
from aggregates.policy.ownership import Assignment, AssignmentRule, Target

MOST_NAMED = 10
INACTIVE, ABSENT, FULL, ELSEWHERE = "inactive", "absent", "at capacity", "does not cover it"
CANNOT_OWN, UNKNOWN = "owns no leads", "unknown"

Profile = Mapping[str, Any]
LOOKED_AT = ("region", "industry", "customer_type", "source", "level")
Kind = tuple[Any, ...]
"""What a choice looks at of a lead: those of one kind go the same way."""


@dataclass(frozen=True, slots=True)
class Load:
    """Open, unpaused leads owned, and where in the log the rules last gave a lead; 0 = never."""

    active: int = 0
    last_given: int = 0


NO_LOAD = Load()
Loads = Mapping[str, Load]


@dataclass(frozen=True, slots=True)
class Choice:
    """An owner with their team, or a pool; neither = nobody was found."""

    explanation: Mapping[str, Any]
    owner: str | None = None
    team: str | None = None
    pool: str | None = None

    @property
    def found(self) -> bool:
        """Whether there is somewhere for the lead to go."""
        return bool(self.owner or self.pool)


def kind_of(profile: Profile) -> Kind:
    """The kind of a lead of this profile."""
    return tuple(profile.get(name) for name in LOOKED_AT)


def profile_of(kind: Kind) -> Profile:
    """As much of a profile as a choice looks at."""
    return dict(zip(LOOKED_AT, kind, strict=True))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a target comes to before anybody's load is looked at."""

    target: Target
    free: Sequence[str]
    left_out: Mapping[str, str] = field(default_factory=dict)


class Chooser:
    """Chooses by one version of the rules, among the people of one day.

    What does not depend on loads is worked out once for all leads that ask the same.
    """

    def __init__(
        self,
        rules: Assignment,
        ref: PolicyRef,
        people: Mapping[str, Person],
        teams: Mapping[str, Team],
        day: date,
    ) -> None:
        self._rules = rules
        self._policy = {"kind": ref.kind, "version": ref.version, "hash": ref.hash}
        self._people, self._teams, self._day = people, teams, day
        self._asked: dict[tuple[Any, ...], _Asked] = {}

    def choose(self, profile: Profile, loads: Loads, *, without: str | None = None) -> Choice:
        """Who gets a lead of this profile; `without` = who is not to have it again."""
        rule = next((rule for rule in self._rules.rules if _matches(rule, profile)), None)
        why: dict[str, Any] = {"policy": self._policy, "rule": rule.name if rule else None}
        if rule:
            choice, asked = self._ask(rule.target, profile, loads, without, why)
            if choice:
                return choice
            why["nobody_free"] = {"target": _named(rule.target), **_left_out(asked.left_out)}
        why["by_default"] = True
        choice, asked = self._ask(self._rules.default, profile, loads, without, why, default=True)
        return choice or Choice(
            {**why, "target": _named(asked.target), **_left_out(asked.left_out)}
        )

    def _ask(
        self,
        target: Target,
        profile: Profile,
        loads: Loads,
        without: str | None,
        why: Mapping[str, Any],
        *,
        default: bool = False,
    ) -> tuple[Choice | None, _Asked]:
        """The choice of a target, None when nobody of it is free, and who was left out."""
        if target.kind == "pool":
            return Choice({**why, "target": _named(target)}, pool=target.name), _Asked(target, ())
        before = self._before_loads(target, profile)
        busy = self._busy(before.free, loads)
        free = [name for name in before.free if name not in busy and name != without]
        asked = _Asked(target, free, {**before.left_out, **busy})
        if default and not free:
            asked = self._whoever_is_there(asked, loads, without)
        if not asked.free:
            return None, asked
        first = nsmallest(MOST_NAMED, asked.free, key=lambda name: self._rank(name, loads))
        owner = first[0]
        why = {**why, "target": _named(target), **self._in_spite_of(asked, owner, loads)}
        why |= self._candidates(first, len(asked.free), loads)
        others = {name: why for name, why in asked.left_out.items() if name not in asked.free}
        team = target.name if target.kind in ("team", "supervisor") else self._people[owner].team
        return Choice({**why, **_left_out(others)}, owner=owner, team=team), asked

    def _whoever_is_there(self, asked: _Asked, loads: Loads, without: str | None) -> _Asked:
        """Who of a target could take a lead that nobody is free for: who covers it comes first,
        then who has room.
        """
        out = {name: why for name, why in asked.left_out.items() if name != without}
        full = [name for name, why in out.items() if why == FULL]
        elsewhere = [name for name, why in out.items() if why == ELSEWHERE]
        busy = self._busy(elsewhere, loads)
        return replace(asked, free=full or [n for n in elsewhere if n not in busy] or elsewhere)

    def _in_spite_of(self, asked: _Asked, owner: str, loads: Loads) -> dict[str, bool]:
        """What of a chosen one would rule them out anywhere but in the default target."""
        spite = {
            "over_capacity": bool(self._busy((owner,), loads)),
            "outside_coverage": asked.left_out.get(owner) == ELSEWHERE,
        }
        return {name: True for name, true in spite.items() if true}

    def _before_loads(self, target: Target, profile: Profile) -> _Asked:
        key = (target, *(profile.get(name) for name in ("region", "industry", "customer_type")))
        if key not in self._asked:
            reasons = {name: self._why_not(target, name, profile) for name in self._members(target)}
            free = [name for name, why in reasons.items() if not why]
            self._asked[key] = _Asked(target, free, {n: why for n, why in reasons.items() if why})
        return self._asked[key]

    def _members(self, target: Target) -> Iterable[str]:
        """Those whom a target stands for, free or not."""
        match target.kind:
            case "person":
                return (target.name,)
            case "supervisor":
                team = self._teams.get(target.name)
                return (team.supervisor,) if team and team.supervisor else ()
            case "team":
                in_it = (n for n, p in self._people.items() if p.team == target.name)
                return (n for n in in_it if self._people[n].role == "sales")
            case _:
                return (n for n, p in self._people.items() if p.role == "sales")

    def _why_not(self, target: Target, name: str, profile: Profile) -> str | None:
        """Why somebody cannot have the lead whatever their load; None = they can."""
        person = self._people.get(name)
        if person is None:
            return UNKNOWN
        if not person.active:
            return INACTIVE
        if person.role not in OWNING_ROLES:
            return CANNOT_OWN
        if any(away.since <= self._day <= away.until for away in person.absences):
            return ABSENT
        if target.kind in ("team", "everybody") and not _covers(person, profile):
            return ELSEWHERE
        return None

    def _busy(self, names: Iterable[str], loads: Loads) -> dict[str, str]:
        limits = ((name, self._people[name].capacity) for name in names)
        return {
            name: FULL
            for name, most in limits
            if most is not None and loads.get(name, NO_LOAD).active >= most
        }

    def _rank(self, name: str, loads: Loads) -> tuple[float, int, str]:
        """The least loaded first, then who has waited longest, then by name."""
        load = loads.get(name, NO_LOAD)
        return load.active / self._people[name].weight, load.last_given, name

    def _candidates(self, first: Sequence[str], number: int, loads: Loads) -> dict[str, Any]:
        shown = [
            {
                "person": name,
                "load": load.active,
                "weight": self._people[name].weight,
                "last_given": load.last_given,
            }
            for name in first
            for load in (loads.get(name, NO_LOAD),)
        ]
        more = number - len(shown)
        return {"candidates": shown, **({"more_candidates": more} if more else {})}


def _matches(rule: AssignmentRule, profile: Profile) -> bool:
    wanted = (
        (rule.regions, "region"),
        (rule.industries, "industry"),
        (rule.customer_types, "customer_type"),
        (rule.sources, "source"),
        (rule.levels, "level"),
    )
    return all(not values or profile.get(name) in values for values, name in wanted)


def _covers(person: Person, profile: Profile) -> bool:
    """One of each kind that the person's coverage names (R34)."""
    coverage = person.coverage
    wanted = (
        (coverage.regions, "region"),
        (coverage.industries, "industry"),
        (coverage.customer_types, "customer_type"),
    )
    return all(not values or profile.get(name) in values for values, name in wanted)


def _named(target: Target) -> dict[str, str]:
    return {"kind": target.kind, **({"name": target.name} if target.name else {})}


def _left_out(reasons: Mapping[str, str]) -> dict[str, Any]:
    if not reasons:
        return {}
    named = [{"person": name, "why": why} for name, why in reasons.items()]
    more = Counter(entry["why"] for entry in named[MOST_NAMED:])
    shown = {"left_out": named[:MOST_NAMED]}
    return {**shown, **({"more_left_out": dict(more)} if more else {})}
