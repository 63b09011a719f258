"""Claims and hand-overs by several processes on one PostgreSQL: R8, R102, R103, A32."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from uuid import UUID

import anyio
import pytest

from adapters.postgres.runner import catch_up
from aggregates.directory import events as d
from aggregates.lead import events as e
from aggregates.lead.choice import Choice
from aggregates.lead.state import Lead
from aggregates.policy.ownership import Assignment, AssignmentRule, PoolRules, Pools, Target
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.lead.entry import CompleteInfo
from commands.lead.ownership import AssignLead, ClaimLead, HandOverLead, ReleaseLead
from commands.leads import UnknownLead
from commands.loop import Reply
from commands.ports import Unavailable
from tests.integration.assigning import Company, working

pytestmark = pytest.mark.anyio

POOLS = Pools(
    pools=(
        PoolRules(name="公海", claims_per_day=3, owned_at_most=100),
        PoolRules(name="east", teams=("east",), owned_at_most=4),
    )
)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Company]:
    company = Company(dsn)
    await company.rules(Assignment(automatic=False))
    await company.rules(POOLS, "pool")
    await anyio.to_thread.run_sync(catch_up, dsn)
    yield company
    await company.close()


@pytest.fixture
async def companies(company: Company) -> AsyncIterator[Sequence[Company]]:
    """Four processes."""
    others = [Company(company.dsn) for _ in range(3)]
    yield [company, *others]
    for other in others:
        await other.close()


async def pooled(company: Company, number: int, pool: str = "公海") -> Sequence[UUID]:
    leads = await company.capture(number)
    for lead in leads:
        await company.do(ReleaseLead(pool=pool), lead)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    return leads


def codes(done: Sequence[object]) -> Counter[str]:
    """How often which refusal; `ok` = carried out."""
    assert all(isinstance(answer, Reply | Refusal) for answer in done), done
    return Counter(a.code if isinstance(a, Refusal) else "ok" for a in done)


async def test_one_lead_many_claim_it_one_gets_it(
    company: Company, companies: Sequence[Company]
) -> None:
    """R8; CO claim: no lock around it, so two people can claim one lead."""
    people = [f"p{n}" for n in range(12)]
    await company.people(*people)
    for lead in await pooled(company, 3):
        claims = (
            companies[n % 4].do(ClaimLead(pool="公海"), lead, name) for n, name in enumerate(people)
        )
        done = await asyncio.gather(*claims, return_exceptions=True)
        assert codes(done) == {"ok": 1, "not-in-pool": 11}
        events = await company.log.load(lead)
        assert [type(event) for event in events].count(e.LeadClaimed) == 1


async def test_the_days_claims_are_counted_across_processes(
    company: Company, companies: Sequence[Company]
) -> None:
    """However many claim at once for one person."""
    await company.people("a", "b")
    leads = await pooled(company, 10)
    claims = (
        companies[n % 4].do(ClaimLead(pool="公海"), lead, "a") for n, lead in enumerate(leads)
    )
    done = await asyncio.gather(*claims, return_exceptions=True)
    assert codes(done) == {"ok": 3, "claim-limit": 7}
    left = [lead for lead, answer in zip(leads, done, strict=True) if isinstance(answer, Refusal)]
    assert (await company.do(ClaimLead(pool="公海"), left[0], "b")).state.owner == "b"


async def test_releasing_does_not_give_a_claim_back(company: Company) -> None:
    """CO validateDailyPickNum: claim, release, claim again evades the quota."""
    await company.people("a")
    [lead] = await pooled(company, 1)
    for _ in range(3):
        await company.do(ClaimLead(pool="公海"), lead, "a")
        await company.do(ReleaseLead(pool="公海"), lead, "a")
    with pytest.raises(Refusal, match="you have claimed 3 leads"):
        await company.do(ClaimLead(pool="公海"), lead, "a")


async def test_nobody_claims_more_than_one_may_own(
    company: Company, companies: Sequence[Company]
) -> None:
    """The load that the limit looks at is a read model: what it may lack is counted as there."""
    await company.people("a", team="east")
    leads = await pooled(company, 8, "east")
    held = await company.capture(2)
    for lead in held:
        await company.do(AssignLead(owner="a"), lead)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    claims = (
        companies[n % 4].do(ClaimLead(pool="east"), lead, "a") for n, lead in enumerate(leads)
    )
    done = await asyncio.gather(*claims, return_exceptions=True)
    assert all(isinstance(answer, Reply | Refusal | Unavailable) for answer in done), done
    assert sum(isinstance(answer, Reply) for answer in done) <= 2
    for lead in leads:
        await anyio.to_thread.run_sync(catch_up, company.dsn)
        with suppress(Refusal):
            await company.do(ClaimLead(pool="east"), lead, "a")
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    assert (await company.workloads.current()).loads["a"].active == 4


async def test_a_pause_makes_no_room_to_claim_more(company: Company) -> None:
    """Claim, pause, claim more, resume: what is paused is owned all the same."""
    await company.people("a", team="east")
    *claimed, more = await pooled(company, 5, "east")
    for lead in claimed:
        await company.do(ClaimLead(pool="east"), lead, "a")
        await company.say(lead, e.LeadPaused(reason="later"))
        await anyio.to_thread.run_sync(catch_up, company.dsn)
    with pytest.raises(Refusal, match="you own 4 open leads"):
        await company.do(ClaimLead(pool="east"), more, "a")
    workload = await company.workloads.current()
    assert (workload.loads["a"].active, workload.owned) == (0, {"a": 4})


async def test_pools_are_open_to_their_teams(company: Company) -> None:
    await company.people("li", team="south")
    await company.people("chen", team="east")
    [lead] = await pooled(company, 1, "east")
    register = await company.registry.latest()

    async def claim(name: str) -> Reply[Lead]:
        scope, caller = register.scope(name, "sales"), Caller(f"user:{name}")
        command = ClaimLead(pool="east")
        return await company.commands.execute(command, lead=lead, caller=caller, scope=scope)

    with pytest.raises(UnknownLead):
        await claim("li")
    reply = await claim("chen")
    assert (reply.state.owner, reply.state.profile["team"]) == ("chen", "east")


async def test_a_pool_has_to_be_named_where_there_are_several(company: Company) -> None:
    [lead] = await pooled(company, 1)
    with pytest.raises(Refusal, match="公海, east"):
        await company.do(ClaimLead(), lead, "a")
    with pytest.raises(Refusal, match="公海, east"):
        await company.do(ReleaseLead(pool="west"), lead)
    await company.rules(Pools(), "pool")
    assert (await company.do(ClaimLead(), lead, "a")).state.owner == "a"


async def test_owners_are_people_in_sales(company: Company) -> None:
    """R7, R102: who left, who screens and who is unknown own nothing; the team follows them."""
    [lead] = await company.capture()
    anybody = await company.do(AssignLead(owner="anybody"), lead)
    assert anybody.state.owner == "anybody"  # no sales people: the company uses no directory
    await company.people("王芳", team="east")
    await company.people("韩雪梅", role="marketing")
    await company.people("gone")
    await company.about(d.PersonDeactivated(name="gone"))
    for name, code, hint in (
        ("王方", "unknown-person", "did you mean 王芳"),
        ("韩雪梅", "cannot-own", "marketing"),
        ("gone", "not-active", "left"),
    ):
        for command in (AssignLead(owner=name), HandOverLead(to=name)):
            with pytest.raises(Refusal, match=hint) as refused:
                await company.do(command, lead)
            assert refused.value.code == code
    reply = await company.do(AssignLead(owner="王芳"), lead)
    assert (reply.state.owner, reply.state.profile["team"]) == ("王芳", "east")


async def test_one_lead_is_handed_over_by_rule(company: Company) -> None:
    """R102: to whom the rules choose, but not to whom it comes from."""
    await company.people("a", "b")
    [lead] = await company.capture()
    await company.do(AssignLead(owner="a"), lead)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    reply = await company.do(HandOverLead(to="by-rule", reason="休假"), lead)
    assert reply.state.owner == "b"
    assert reply.state.explanation["candidates"][0]["person"] == "b"


async def owned_by_leaver(company: Company, number: int) -> Sequence[UUID]:
    await company.people("leaver", "a", "b", "c")
    leads = await company.capture(number)
    for lead in leads:
        await company.do(AssignLead(owner="leaver"), lead)
    await company.say(leads[0], e.LeadInvalidated())
    await company.say(leads[1], e.LeadPaused(reason="later"))
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    return leads


async def test_a_leavers_leads_go_to_one_person(company: Company) -> None:
    """R102, R103: open ones, paused ones too; asking again finds nothing left."""
    leads = await owned_by_leaver(company, 12)
    caller = Caller("user:boss")
    assert await company.hand_overs.of_person("leaver", "a", caller, "离职") == (11, [])
    owners = Counter([(await company.lead(lead)).owner for lead in leads])
    assert owners == {"leaver": 1, "a": 11}
    [*_, handed, _] = await company.log.load(leads[2])
    assert isinstance(handed, e.LeadHandedOver)
    assert (handed.previous_owner, handed.reason) == ("leaver", "离职")
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    assert await company.hand_overs.of_person("leaver", "a", caller) == (0, [])


async def test_a_leavers_leads_spread_by_rule(company: Company) -> None:
    """R44, R102: each counts for the next."""
    leads = await owned_by_leaver(company, 31)
    assert await company.hand_overs.of_person("leaver", None, Caller("user:boss")) == (30, [])
    owners = Counter([(await company.lead(lead)).owner for lead in leads[1:]])
    assert owners == {"a": 10, "b": 10, "c": 10}


async def test_two_who_hand_over_at_once_do_it_once(
    company: Company, companies: Sequence[Company]
) -> None:
    """R102: what one of them did is not done again, to somebody else."""
    leads = await owned_by_leaver(company, 31)
    each = [one.hand_overs.of_person("leaver", None, Caller("user:boss")) for one in companies]
    with working(company.dsn):
        assert sum(done.number for done in await asyncio.gather(*each)) == 30
    for lead in leads[1:]:
        events = await company.log.load(lead)
        assert [type(event) for event in events].count(e.LeadHandedOver) == 1


async def test_a_lead_that_got_another_owner_meanwhile_is_left_to_them(company: Company) -> None:
    """R8: what was read a moment ago is looked at again under the decision."""
    leads = await owned_by_leaver(company, 3)
    read = await company.lead(leads[2])
    await company.do(AssignLead(owner="b"), leads[2])
    caller = Caller("user:boss")
    assert not await company.hand_overs._pass_on(read, Choice({}, "a"), caller, None)
    assert (await company.lead(leads[2])).owner == "b"


async def test_a_hand_over_that_finds_nobody_says_so(company: Company) -> None:
    """R103: what could be handed over is; the rest stays where it is, not with nobody."""
    leads = await owned_by_leaver(company, 4)
    await company.do(CompleteInfo(region="华东"), leads[3])
    only_east = AssignmentRule(
        name="east", regions=("华东",), target=Target(kind="person", name="a")
    )
    nobody = Target(kind="team", name="none")
    await company.rules(Assignment(automatic=False, rules=(only_east,), default=nobody))
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    done = await company.hand_overs.of_person("leaver", None, Caller("user:boss"))
    assert done.number == 1
    assert {left.lead.id for left in done.left} == set(leads[1:3])
    whys = [left.why for left in done.left]
    assert [why.code for why in whys if isinstance(why, Refusal)] == ["nobody-free"] * 2
    assert [(await company.lead(lead)).owner for lead in leads] == ["leaver"] * 3 + ["a"]
