"""Which leads a person may see and work on: the one place of row access (R114-R116, A17, A28, A32).

Sales work on the leads they own; supervisors on their team's and those that nobody owns yet;
marketing on what is not handed over to sales; administrators and auditors have all in scope.
Whoever entered a lead works on it until it has an owner (A8). A share lets a person see a lead, and
nothing more. A pool has a view of its own, without contact details: a lead in a pool is seen
through it alone, whoever it is shared with.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aggregates.directory.state import Person, Team
from aggregates.lead.state import Lead
from aggregates.policy.ownership import PoolRules


@dataclass(frozen=True, slots=True)
class Scope:
    """The leads of `owners` and `teams`, those without owner, or everything; `person` asks."""

    person: str | None = None
    everything: bool = False
    owners: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    unowned: bool = False

    def sees(self, lead: Lead) -> bool:
        """Whether the person may know of the lead: what they work on and what is shared."""
        return self.works_on(lead) or (not lead.pool and self.person in lead.shared_with)

    def works_on(self, lead: Lead) -> bool:
        """Whether the person may change the lead, as far as their role allows the command."""
        if self.everything:
            return True
        if lead.owner is None:
            return not lead.pool and (self.unowned or self.person == lead.entered_by is not None)
        return lead.owner in self.owners or lead.profile.get("team") in self.teams


EVERYTHING = Scope(everything=True)


def scope_of(
    name: str, role: str, people: Mapping[str, Person], teams: Mapping[str, Team]
) -> Scope:
    """The scope of a person with a role, by the directory. An unknown role sees nothing."""
    match role:
        case "admin" | "auditor":
            return Scope(name, everything=True)
        case "sales":
            return Scope(name, owners=frozenset({name}))
        case "marketing":
            return Scope(name, unowned=True)
        case "supervisor":
            own = frozenset(_supervised(name, people, teams))
            members = {n for n, person in people.items() if person.team in own}
            return Scope(name, owners=frozenset(members | {name}), teams=own, unowned=True)
        case _:
            return Scope(name)


def opens(pool: PoolRules, scope: Scope, people: Mapping[str, Person]) -> bool:
    """Whether a person may see and take what is in a pool: it is for all, or for their team, or
    they have everything in scope (A32).
    """
    person = people.get(scope.person or "")
    return scope.everything or not pool.teams or (person is not None and person.team in pool.teams)


def _supervised(name: str, people: Mapping[str, Person], teams: Mapping[str, Team]) -> set[str]:
    """The teams that the directory puts under them, and the one they are a member of."""
    supervised = {team for team, entry in teams.items() if entry.supervisor == name}
    person = people.get(name)
    return supervised | ({person.team} if person and person.team else set())
