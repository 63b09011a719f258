"""Assignment by rule on real PostgreSQL: R6-R8, R31, R35, R43, R44, R103, A13; decision 2."""

from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from random import Random
from uuid import uuid4

import anyio
import pytest

from adapters.postgres.runner import catch_up
from aggregates.directory import events as d
from aggregates.event import PolicyRef
from aggregates.lead import events as e
from aggregates.lead.choice import Chooser, Load
from aggregates.policy.entry import Screening
from aggregates.policy.ownership import Assignment, AssignmentRule, Target
from aggregates.values import local_date
from commands.lead.ownership import AssignLead
from tests.integration.assigning import Company, worker_process, working
from tests.seed import SEED

pytestmark = pytest.mark.anyio

EAST = AssignmentRule(name="east", regions=("华东",), target=Target(kind="team", name="east"))
EAST_TEAM = AssignmentRule(name="all", target=Target(kind="team", name="east"))
TEAM_OR_NOBODY = Assignment(rules=(EAST_TEAM,), default=Target(kind="team", name="nobody's"))
"""Leads wait for room in a team."""


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Company]:
    company = Company(dsn)
    yield company
    await company.close()


async def test_a_burst_spreads_within_one_lead_of_the_ideal(company: Company) -> None:
    """R43, R44: 1,000 captures at once for seven people."""
    await company.people(*"abcdefg")
    with working(company.dsn):
        await company.capture(1000)
        counts = await company.assigned(1000)
    assert len(counts) == 7
    assert max(counts.values()) - min(counts.values()) <= 1


async def test_workers_that_are_killed_assign_every_lead_once(company: Company) -> None:
    """R8: three workers come and go by kill -9; who is left goes on, and nobody gets more."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    await company.people(*"abcde")
    with ExitStack() as stack:
        workers = [stack.enter_context(worker_process(company.dsn))]
        for _ in range(3):
            workers.append(stack.enter_context(worker_process(company.dsn)))
            await company.capture(150)
            await anyio.sleep(rng.uniform(0.2, 1.5))
            workers.pop(rng.randrange(2)).kill()
            await company.capture(50)
        counts = await company.assigned(600)
    assert sum(counts.values()) == 600
    assert max(counts.values()) - min(counts.values()) <= 2


async def test_two_at_once_without_a_lease_assign_every_lead_once(company: Company) -> None:
    """Decision 2, section 5 of the architecture: a lease is for speed, not for correctness."""
    other = Company(company.dsn)
    await company.people("a", "b")
    await company.capture(60)
    await anyio.to_thread.run_sync(catch_up, company.dsn)
    async with anyio.create_task_group() as group:
        for process in (company.process, other.process):
            group.start_soon(process.step)
    await other.close()
    assert sum(company.owners().values()) == 60


async def test_everybody_sees_why(company: Company) -> None:
    """R43, A13: rule, candidates, loads and who was left out stand on the event and the lead."""
    await company.people("chen", "li", "wang", team="east")
    await company.about(d.PersonDeactivated(name="wang"))
    await company.rules(Assignment(rules=(EAST,)))
    [lead] = await company.capture(region="华东")
    await company.turn()
    found = await company.lead(lead)
    assert (found.owner, found.profile["team"], found.stage) == ("chen", "east", "待跟进")
    [(_, event)] = company.assignments()
    assert event["explanation"] == found.explanation
    assert event["meta"]["actor"] == "process:assignment"
    why = found.explanation
    assert (why["policy"]["version"], why["rule"]) == (2, "east")
    assert [c["person"] for c in why["candidates"]] == ["chen", "li"]
    assert why["left_out"] == [{"person": "wang", "why": "inactive"}]


async def test_loads_are_open_unpaused_leads_whoever_gave_them(company: Company) -> None:
    """A13: manual assignments count; leads that are paused, lost or won do not."""
    await company.people("a", "b")
    held = await company.capture(4)
    for lead in held:
        await company.do(AssignLead(owner="a"), lead)
    await company.capture(2)
    await company.turn()
    assert company.owners() == {"a": 4, "b": 2}
    await company.say(held[0], e.LeadPaused(reason="later"))
    await company.say(held[1], e.LeadInvalidated())
    await company.say(held[2], e.LeadConverted())
    await company.capture(1)
    await company.turn()
    assert company.owners() == {"a": 5, "b": 2}


async def test_what_people_assign_moves_nobodys_turn(company: Company) -> None:
    """ES RoundRobin: a manual or imported lead moves the pointer. Here only the rules do."""
    await company.people("a", "b")
    [first] = await company.capture()
    await company.turn()
    assert (await company.lead(first)).owner == "a"
    await company.say(first, e.LeadInvalidated())
    [by_hand] = await company.capture()
    await company.do(AssignLead(owner="b"), by_hand)
    await company.say(by_hand, e.LeadInvalidated())
    [third] = await company.capture()
    await company.turn()
    assert (await company.lead(third)).owner == "b"


async def test_leads_nobody_was_free_for_are_tried_again_oldest_first(company: Company) -> None:
    """R8, R103; chatwoot #10376, odoo PR #227387: visible at once, and never forgotten."""
    await company.people("a", team="east")
    await company.rules(TEAM_OR_NOBODY)
    await company.about(d.WorkloadSet(name="a", weight=1, capacity=1))
    leads = [(await company.capture())[0] for _ in range(4)]
    await company.turn()
    waiting = [await company.lead(lead) for lead in leads]
    assert [lead.owner for lead in waiting] == ["a", None, None, None]
    why = waiting[1].explanation["nobody_free"]
    assert why["left_out"] == [{"person": "a", "why": "at capacity"}]
    await company.say(leads[0], e.LeadInvalidated())
    await company.turn()
    assert (await company.lead(leads[1])).owner == "a"
    await company.about(d.WorkloadSet(name="a", weight=1, capacity=2))
    await company.turn()
    assert [(await company.lead(lead)).owner for lead in leads[2:]] == ["a", None]
    await company.people("b", team="east")
    await company.turn()
    assert (await company.lead(leads[3])).owner == "b"
    events = await company.log.load(leads[3])
    assert [type(event) for event in events].count(e.AssignmentFailed) == 1


async def test_everybody_at_capacity_somebody_gets_it(company: Company) -> None:
    """Requirements section 5: the built-in default finds somebody while anybody is there."""
    await company.people("a")
    await company.about(d.WorkloadSet(name="a", weight=1, capacity=1))
    leads = [(await company.capture())[0] for _ in range(3)]
    await company.turn()
    found = [await company.lead(lead) for lead in leads]
    assert [lead.owner for lead in found] == ["a", "a", "a"]
    assert ["over_capacity" in lead.explanation for lead in found] == [False, True, True]


async def test_who_is_away_gets_leads_again_on_the_next_day(company: Company) -> None:
    """A13: availability; SuiteCRM #8935."""
    today = local_date(datetime.now(UTC), company.zone)
    await company.people("a")
    await company.about(d.AbsenceNoted(name="a", since=today - timedelta(3), until=today))
    [lead] = await company.capture()
    await company.turn()
    assert (await company.lead(lead)).owner is None
    company.process._clock = _Tomorrow()
    await company.turn()
    assert (await company.lead(lead)).owner == "a"


async def test_screened_sources_wait_for_marketing(company: Company) -> None:
    """R118, A28; decision 4: acceptance triggers the assignment."""
    await company.people("a")
    await company.rules(Screening(sources=("官网注册",)), "screening")
    lead, other = [(await company.capture(source="官网注册"))[0] for _ in range(2)]
    await company.capture(source="转介绍")
    await company.turn()
    assert company.owners() == {"a": 1}
    await company.say(lead, e.LeadScreened(accepted=True))
    await company.say(other, e.LeadScreened(accepted=False, reason="无需求"))
    await company.turn()
    assert (await company.lead(lead)).owner == "a"
    assert (await company.lead(other)).owner is None


async def test_imported_histories_are_never_assigned(company: Company) -> None:
    await company.people("a")
    imported = e.LeadCaptured(code="X1", external_id="1", source_system="crm")
    await company.say(uuid4(), imported, e.StageChanged(stage="New"))
    await company.turn()
    assert not company.owners()


async def test_rules_that_assign_by_hand_leave_leads_to_people(company: Company) -> None:
    await company.people("a")
    await company.rules(Assignment(automatic=False))
    await company.capture()
    await company.turn()
    assert not company.owners()
    await company.rules(Assignment())
    await company.turn()
    assert company.owners() == {"a": 1}


async def test_a_company_without_sales_people_is_left_in_peace(company: Company) -> None:
    await company.people("boss", role="admin")
    [lead] = await company.capture()
    await company.turn()
    assert not (await company.lead(lead)).explanation


async def test_the_actual_rules_reproduce_the_actual_assignments(company: Company) -> None:
    """What-if, beyond.md 5: replaying with the versions that were in force changes nothing."""
    rng = Random(SEED)
    print(f"SEED={SEED}")
    await company.people(*"abc", team="east")
    await company.people(*"de", team="south")
    books: dict[int, Assignment] = {1: Assignment()}
    for version in (2, 3):
        book = Assignment(rules=(EAST,) if version == 2 else ())
        await company.rules(book)
        books[version] = book
        for _ in range(25):
            await company.capture(rng.randint(1, 3), region=rng.choice(("华东", "华南")))
        await company.turn()
    register = await company.registry.latest()
    loads: Counter[str] = Counter()
    last: dict[str, int] = {}
    for lead, event in company.assignments():
        why = event["explanation"]
        ref = PolicyRef(**why["policy"])
        day = date.fromisoformat(event["occurred_at"][:10])
        chooser = Chooser(books[ref.version], ref, register.people, register.teams, day)
        now = {name: Load(loads[name], last.get(name, 0)) for name in register.people}
        profile = (await company.lead(lead)).profile
        again = chooser.choose(profile, now)
        assert (again.owner, again.team) == (event["owner"], event.get("team"))
        shown = [(c["person"], c["load"]) for c in again.explanation["candidates"]]
        assert shown == [(c["person"], c["load"]) for c in why["candidates"]]
        loads[event["owner"]] += 1
        last[event["owner"]] = sum(loads.values())


class _Tomorrow:
    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(days=1)
