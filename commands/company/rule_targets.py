"""Whom rules name: people, teams and pools that are there, so that no lead ends up out of sight."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aggregates.directory.owners import may_own
from aggregates.policy.ownership import Assignment, Pools, Target
from commands.policy_documents import InvalidPolicy
from commands.register import Register

Path = tuple[str | int, ...]
Fault = tuple[Path, str]


def require_known_targets(rules: Any, register: Register, in_pools: Mapping[str, int]) -> None:
    """InvalidPolicy when rules name somebody or something that is not there, or drop a pool that
    is in use. `in_pools`: how many open leads each pool holds.
    """
    match rules:
        case Assignment():
            kind, found = "assignment", _of_assignment(rules, register)
        case Pools():
            kind, found = "pool", _of_pools(rules, register, in_pools)
        case _:
            return
    if faults := list(found):
        raise InvalidPolicy(kind, faults)


def _of_assignment(rules: Assignment, register: Register) -> Iterator[Fault]:
    for path, _, target in _targets(rules):
        if what := _unknown(target, register):
            yield (*path, "name"), what


def _of_pools(rules: Pools, register: Register, in_pools: Mapping[str, int]) -> Iterator[Fault]:
    for n, pool in enumerate(rules.pools):
        for m, team in enumerate(pool.teams):
            if what := _unknown_team(team, register):
                yield ("pools", n, "teams", m), what
    for _, where, target in _targets(register.policies.assignment.rules):
        if target.kind == "pool" and not rules.find(target.name):
            yield (
                ("pools",),
                f"the pool {target.name} is the target of {where} in the assignment rules:"
                " keep it, or activate assignment rules without it first",
            )
    for name in dropped_pools(rules, register):
        if number := in_pools.get(name):
            yield (
                ("pools",),
                f"the pool {name} still holds {number} open leads: keep it, or assign or claim"
                " them first",
            )


def dropped_pools(rules: Pools, register: Register) -> list[str]:
    """The pools of now that there would not be any more."""
    now = register.policies.pool.rules.pools
    return [pool.name for pool in now if not rules.find(pool.name)]


def _targets(rules: Assignment) -> Iterator[tuple[Path, str, Target]]:
    """Every target: where it stands in the document, and in words."""
    for n, rule in enumerate(rules.rules):
        yield ("rules", n, "target"), f"the rule {rule.name}", rule.target
    yield ("default",), "the default", rules.default


def _unknown(target: Target, register: Register) -> str | None:
    """What is wrong with the name of a target; None = nothing."""
    match target.kind:
        case "person":
            person = register.people.get(target.name)
            if person and may_own(person):
                return None
            return (
                f"{target.name} is nobody in the directory who may own leads: name somebody"
                " active in sales, or add them first"
            )
        case "team" | "supervisor":
            return _unknown_team(target.name, register)
        case "pool":
            pools = register.policies.pool.rules
            if pools.find(target.name):
                return None
            known = _listed(pool.name for pool in pools.pools)
            return (
                f"there is no pool {target.name}: name one of {known}, or activate pool rules"
                " with it first"
            )
        case _:
            return None


def _unknown_team(name: str, register: Register) -> str | None:
    if name in register.team_names:
        return None
    known = _listed(sorted(register.team_names))
    return f"there is no team {name}: name one of {known}, or add it first"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names) or "none so far"
