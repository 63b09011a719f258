"""Rules for who owns a lead: assignment and pools."""

from dataclasses import dataclass
from typing import Literal

from aggregates.policy.checks import DAYS, above_zero, above_zero_up_to, named_apart

Kind = Literal["person", "team", "supervisor", "pool", "everybody"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Whom a rule gives a lead: a person; the least loaded of a team, or of everybody in sales;
    the supervisor of a team; a pool. `name` is that person's, team's or pool's.
    """

    kind: Kind
    name: str = ""

    def __post_init__(self) -> None:
        if (self.kind == "everybody") == bool(self.name):
            raise ValueError(f"a target of kind {self.kind} has {'no' if self.name else 'a'} name")


@dataclass(frozen=True, kw_only=True, slots=True)
class AssignmentRule:
    """Matches a lead whose every named field has one of the values (empty = any) (R32-R34)."""

    name: str
    target: Target
    regions: tuple[str, ...] = ()
    industries: tuple[str, ...] = ()
    customer_types: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Ordered rules, the first match decides (R31, A9); `default` gets what nothing matches, and
    what a match finds nobody free for. `automatic` = new leads are assigned by a process.
    """

    automatic: bool = True
    rules: tuple[AssignmentRule, ...] = ()
    default: Target = Target(kind="everybody")

    def __post_init__(self) -> None:
        named_apart("assignment rules", (rule.name for rule in self.rules))


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolRules:
    """A pool: the teams it is open to (empty = all of sales), and how much one may take."""

    name: str
    teams: tuple[str, ...] = ()
    claims_per_day: int = 20
    owned_at_most: int = 200

    def __post_init__(self) -> None:
        above_zero(claims_per_day=self.claims_per_day, owned_at_most=self.owned_at_most)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pools:
    """The company's pools; leads without follow-up return to one after `recycle_after_days`
    (None = never).
    """

    pools: tuple[PoolRules, ...] = (PoolRules(name="公海"),)
    recycle_after_days: int | None = None

    def __post_init__(self) -> None:
        named_apart("pools", (pool.name for pool in self.pools))
        if self.recycle_after_days is not None:
            above_zero_up_to(DAYS, recycle_after_days=self.recycle_after_days)

    def find(self, name: str) -> PoolRules | None:
        """The pool of this name."""
        return next((pool for pool in self.pools if pool.name == name), None)
