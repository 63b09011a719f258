"""Which leads a person may see and work on: the one place of row access (R114-R116, A17, A28, A32).

Sales see the leads they own and those shared with them; supervisors their team's and those that
nobody owns yet; marketing what is not handed over to sales; administrators and auditors all.
Whoever entered a lead sees it until it has an owner (A8). A pool has a view of its own, without
contact details.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from aggregates.directory.state import Person, Team
from aggregates.lead.state import Lead


@dataclass(frozen=True, slots=True)
class Scope:
    """The leads of `owners` and `teams`, those without owner, or everything; `person` asks."""

    person: str | None = None
    everything: bool = False
    owners: frozenset[str] = frozenset()
    teams: frozenset[str] = frozenset()
    unowned: bool = False

    def admits(self, lead: Lead) -> bool:
        """Whether the lead is within it."""
        if self.everything or self.person in lead.shared_with:
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


def _supervised(name: str, people: Mapping[str, Person], teams: Mapping[str, Team]) -> set[str]:
    """The teams that the directory puts under them, and the one they are a member of."""
    supervised = {team for team, entry in teams.items() if entry.supervisor == name}
    person = people.get(name)
    return supervised | ({person.team} if person and person.team else set())
