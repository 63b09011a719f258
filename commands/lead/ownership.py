"""Commands about who owns a lead (R7, R8, R31-R44, R102, A31, A32)."""

from collections.abc import Mapping, Sequence
from functools import partial

from pydantic import ConfigDict

from aggregates.directory.owners import require_owner, team_of
from aggregates.directory.register import BY_RULE
from aggregates.directory.scope import Scope, opens
from aggregates.directory.state import Person
from aggregates.event import Event
from aggregates.lead.assign import assign, hand_over, release
from aggregates.lead.choice import Choice, Chooser
from aggregates.lead.claim import Claimant, claim
from aggregates.lead.state import Lead
from aggregates.policy.ownership import PoolRules
from aggregates.refusal import Refusal
from aggregates.values import local_date
from commands.fields import Command, Label, Name, Note, example
from commands.lead.offered import require_team
from commands.lead.wiring import Facts, Judgement, Wiring, simply
from commands.loop import Held
from commands.ports import Unavailable


class AssignLead(Command):
    """Give a lead to one person (R7, R31)."""

    model_config = ConfigDict(json_schema_extra=example(owner="王芳", team="华东一组"))

    owner: Name
    team: Label | None = None
    """The owner's own team, if not given."""
    reason: Note | None = None


class HandOverLead(Command):
    """Pass a lead on to another owner (R102)."""

    model_config = ConfigDict(json_schema_extra=example(to="李雷", reason="休假"))

    to: Name
    """A person's name, or `by-rule`."""
    reason: Note | None = None


class ReleaseLead(Command):
    """Put a lead into a pool, where those whom it is open to may claim it (A32)."""

    model_config = ConfigDict(json_schema_extra=example(pool="公海", reason="长期未跟进"))

    pool: Label | None = None
    """The company's only pool, if not given."""
    reason: Note | None = None


class ClaimLead(Command):
    """Take a lead out of a pool and own it (A32)."""

    model_config = ConfigDict(json_schema_extra=example(pool="公海"))

    pool: Label | None = None
    """The company's only pool, if not given."""


def _assign(c: AssignLead, facts: Facts) -> Judgement:
    people = facts.register.people
    require_owner(people, c.owner)
    require_team(c.team, facts)
    team = c.team or team_of(people, c.owner)
    return simply(partial(assign, now=facts.now, owner=c.owner, team=team, reason=c.reason or None))


def _hand_over(c: HandOverLead, facts: Facts) -> Judgement:
    reason = c.reason or None
    if c.to != BY_RULE:
        choice = named(facts.register.people, c.to, "to")
        return simply(partial(hand_over, now=facts.now, choice=choice, reason=reason))
    rules = facts.policies.assignment
    day = local_date(facts.now, facts.zone)
    chooser = Chooser(rules.rules, rules.ref, facts.register.people, facts.register.teams, day)

    def decide(lead: Lead) -> Sequence[Event]:
        choice = chooser.choose(lead.profile, facts.workload.loads, without=lead.owner)
        return hand_over(lead, now=facts.now, choice=choice, reason=reason)

    return simply(decide)


def named(people: Mapping[str, Person], name: str, field: str) -> Choice:
    """The choice of a person by name, who has to be able to own leads."""
    require_owner(people, name, field)
    return Choice({}, owner=name, team=team_of(people, name))


def _release(c: ReleaseLead, facts: Facts) -> Judgement:
    pool = _pool(c.pool, facts).name
    return simply(partial(release, now=facts.now, pool=pool, reason=c.reason or None))


def _claim(c: ClaimLead, facts: Facts) -> Judgement:
    """Claims are counted by marks, which nobody can take back: one of the person's claims from
    this pool today, one of all their claims today.
    """
    person = facts.caller.person
    if person is None:
        raise Refusal("not-a-person", "a lead is claimed by the person who will own it")
    people = facts.register.people
    require_owner(people, person)
    pool = _pool(c.pool, facts)
    day = local_date(facts.now, facts.zone)
    here = facts.mark("claims", f"{day}\n{person}\n{pool.name}")
    anywhere = facts.mark("claims", f"{day}\n{person}")

    def decide(lead: Lead, held: Held) -> Sequence[Event]:
        owned = facts.workload.owned.get(person, 0)
        most = owned + held[anywhere].count  # if none of today's claims is in the load yet
        if held[anywhere].position > facts.workload.position and owned < pool.owned_at_most <= most:
            raise Unavailable("your last claim is still being counted: try again")
        by = Claimant(person, team_of(people, person), held[here].count, owned)
        return claim(lead, now=facts.now, pool=pool, by=by)

    return Judgement(decide, (here, anywhere))


def _claimable(lead: Lead, scope: Scope, facts: Facts) -> bool:
    """Leads in a pool are in nobody's scope, and there for all whom the pool is open to (A32).

    So are those just claimed from it: who comes second hears that, and not that there is no lead.
    """
    if scope.works_on(lead):
        return True
    pool = facts.policies.pool.rules.find(lead.pool or lead.claimed_from or "")
    return pool is not None and opens(pool, scope, facts.register.people)


def _pool(name: str | None, facts: Facts) -> PoolRules:
    pools = facts.policies.pool.rules
    if not name and len(pools.pools) == 1:
        return pools.pools[0]
    if found := pools.find(name or ""):
        return found
    known = ", ".join(pool.name for pool in pools.pools)
    raise Refusal("unknown-pool", f"the pool is one of {known}", "pool")


WIRING: Mapping[type[Command], Wiring] = {
    AssignLead: Wiring(_assign),
    HandOverLead: Wiring(_hand_over, weighs=True),
    ReleaseLead: Wiring(_release),
    ClaimLead: Wiring(_claim, weighs=True, works_on=_claimable),
}
