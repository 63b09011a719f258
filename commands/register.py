"""The company as its directory and its policies say it is: what decisions are told of it.

A fold of the directory's and the policies' streams, kept in memory by every process. It may be up
to a second behind another process's change; each automatic decision cites the version it saw.
"""

import logging
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Protocol

from aggregates.directory.events import PersonEvent, ReferenceEvent, TeamEvent
from aggregates.directory.references import BUILT_IN
from aggregates.directory.scope import Scope, scope_of
from aggregates.directory.state import (
    Person,
    Reference,
    Team,
    evolve,
    evolve_reference,
    evolve_team,
)
from aggregates.event import PolicyRef, Recorded
from aggregates.policy.book import Policies
from aggregates.policy.events import PolicyVersionActivated
from commands.policy_documents import load

logger = logging.getLogger("leadlog.register")


@dataclass(frozen=True)
class Register:
    """Everybody and everything by name, as of a log position. References by kind, then name."""

    position: int = 0
    people: Mapping[str, Person] = field(default_factory=dict)
    teams: Mapping[str, Team] = field(default_factory=dict)
    references: Mapping[str, Mapping[str, Reference]] = field(default_factory=lambda: BUILT_IN)
    policies: Policies = field(default_factory=Policies)
    _scopes: dict[tuple[str, str], Scope] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

    def scope(self, person: str, role: str) -> Scope:
        """The leads that a person with this role may see (R114-R116), worked out once."""
        if (person, role) not in self._scopes:
            self._scopes[person, role] = scope_of(person, role, self.people, self.teams)
        return self._scopes[person, role]

    @property
    def team_names(self) -> Set[str]:
        """Every team: those of the directory, and those that only an import gave people."""
        return self.teams.keys() | {p.team for p in self.people.values() if p.team}

    @property
    def administrators(self) -> Set[str]:
        """Those active whose role it is."""
        return {n for n, p in self.people.items() if p.active and p.role == "admin"}

    def supervisors(self, team: str | None) -> tuple[str, ...]:
        """Who is told when something goes wrong in a team: its supervisor, else administrators."""
        leader = self.teams.get(team or "", Team()).supervisor or ""
        is_there = leader in self.people and self.people[leader].active
        return (leader,) if is_there else tuple(sorted(self.administrators))

    def teams_led_by(self, person: str) -> tuple[str, ...]:
        """The teams whose supervisor a person is."""
        return tuple(n for n, team in self.teams.items() if team.supervisor == person)


class Registry(Protocol):
    """Where the register comes from."""

    async def current(self) -> Register:
        """The register, at most a second old."""
        ...

    async def latest(self) -> Register:
        """The register as the log has it now."""
        ...


def advance(register: Register, recorded: Sequence[Recorded]) -> Register:
    """The register after further events, in log order; those of leads only move its position."""
    policies = register.policies
    people, teams = dict(register.people), dict(register.teams)
    references = {kind: dict(entries) for kind, entries in register.references.items()}
    for item in recorded:
        match event := item.event:
            case PersonEvent():
                people[event.name] = evolve(people.get(event.name, Person()), event)
            case TeamEvent():
                teams[event.name] = evolve_team(teams.get(event.name, Team()), event)
            case ReferenceEvent():
                entries = references.setdefault(event.kind, {})
                entry = entries.get(event.name, Reference())
                entries[event.name] = evolve_reference(entry, event)
            case PolicyVersionActivated():
                policies = _activated(policies, event)
            case _:
                pass
    return replace(
        register,
        position=recorded[-1].position if recorded else register.position,
        people=people,
        teams=teams,
        references=references,
        policies=policies,
    )


def _activated(policies: Policies, event: PolicyVersionActivated) -> Policies:
    """The policies with this version; without it when this program cannot read it."""
    rules = load(event.kind, event.document)
    if rules is None:
        logger.error(
            "version %d of the %s rules cannot be read by this program: the version before stays"
            " in force",
            event.version,
            event.kind,
        )
        return policies
    return policies.with_version(rules, PolicyRef(event.kind, event.version, event.hash))
