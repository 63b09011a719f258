"""Leads that nobody is there for, and leads that fail, hold up no other: R8, R103; ADR 10."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import anyio
import psycopg
import pytest

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.runner import catch_up
from aggregates.directory import events as d
from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.policy.ownership import Assignment, AssignmentRule, Target
from commands.lead.ownership import AssignLead
from commands.lead_loop import LeadLoop
from commands.ports import Appended, NewEvents
from processes import assignment, backlog
from tests.integration.assigning import Company

pytestmark = pytest.mark.anyio

RULES = (
    AssignmentRule(
        name="fair", sources=("展会咨询",), target=Target(kind="person", name="always there")
    ),
    AssignmentRule(name="all", target=Target(kind="team", name="east")),
)
UNREADABLE = (
    "INSERT INTO log.leadlog_events SELECT originator_id, max(originator_version) + 1,"
    " 'lead.follow-up-recorded', '{\"outcome\": 1}', (SELECT max(notification_id) + 1 FROM"
    " log.leadlog_events), now() FROM log.leadlog_events WHERE originator_id = %s GROUP BY 1"
)


class Watched(PostgresEventLog):
    """Counts what is read, and lets another process be faster on the leads of `rivals`."""

    def __init__(self, company: Company) -> None:
        super().__init__(company.dsn)
        self.company, self.reads = company, 0
        self.rivals: set[UUID] = set()

    async def load(self, stream: UUID) -> Sequence[Event]:
        self.reads += 1
        return await super().load(stream)

    async def append(self, new: NewEvents) -> Appended:
        if new.stream in self.rivals:
            await self.company.say(new.stream, e.LeadShared(person="somebody"))
        return await super().append(new)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Company]:
    """The team has one person, who takes one lead; the default has nobody."""
    company = Company(dsn)
    await company.people("a", team="east")
    await company.people("always there")
    await company.about(d.WorkloadSet(name="a", weight=1, capacity=1))
    nobody = Target(kind="team", name="nobody's")
    await company.rules(Assignment(rules=RULES, default=nobody))
    yield company
    await company.close()


@pytest.fixture
async def log(company: Company) -> AsyncIterator[Watched]:
    """The log as the company's process sees it."""
    watched = Watched(company)
    company.process = process(company, watched)
    yield watched
    await watched.close()


def process(company: Company, log: Watched) -> assignment.Assignment:
    loop = LeadLoop(log, company.registry, company.clock, company.zone)
    parts = (company.registry, company.workloads, company.clock, company.zone)
    return assignment.Assignment(loop, *parts)


async def project(company: Company) -> None:
    await anyio.to_thread.run_sync(catch_up, company.dsn, ["workload"])


async def until_idle(company: Company) -> None:
    """One pass over everything, past the pause between two of them."""
    await project(company)
    await anyio.sleep(assignment.AGAIN.total_seconds())
    while await company.process.step():
        pass


@pytest.mark.parametrize("left_over", [60, 600])
async def test_what_nobody_is_there_for_is_not_read_again(
    company: Company, log: Watched, left_over: int
) -> None:
    """However many there are: no read when loads change, and one for each that is assigned."""
    leads = await company.capture(1 + left_over)
    await until_idle(company)
    await until_idle(company)
    assert sum(company.owners().values()) == 1
    [elsewhere] = await company.capture(source="展会咨询")
    log.reads = 0
    await until_idle(company)
    await until_idle(company)
    assert (await company.lead(elsewhere)).owner == "always there"
    assert log.reads <= 2
    [owned] = [lead for lead in leads if (await company.lead(lead)).owner]
    await company.say(owned, e.LeadInvalidated())
    log.reads = 0
    await until_idle(company)
    assert company.owners()["a"] == 2
    assert log.reads <= 2


async def test_new_leads_do_not_queue_behind_old_ones(
    company: Company, log: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a new holder of the lease goes through all that were left over."""
    monkeypatch.setattr(assignment, "PAGE", 8)
    await company.capture(30)
    await until_idle(company)
    company.process = process(company, log)
    assert await company.process.step()
    [new] = await company.capture(source="展会咨询")
    await project(company)
    assert await company.process.step()
    assert (await company.lead(new)).owner == "always there"


async def test_the_oldest_is_next_whatever_became_of_those_before(company: Company) -> None:
    """Somebody else took them meanwhile: their turn goes to the next one."""
    leads = [(await company.capture())[0] for _ in range(6)]
    await until_idle(company)
    for lead in leads[1:4]:
        await company.do(AssignLead(owner="always there"), lead)
    await company.about(d.WorkloadSet(name="a", weight=1, capacity=2))
    await until_idle(company)
    await until_idle(company)
    owners = [(await company.lead(lead)).owner for lead in leads]
    assert owners == ["a", *["always there"] * 3, "a", None]


async def test_a_lead_that_others_keep_changing_holds_up_no_other(
    company: Company, log: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its turn is counted for nobody, and comes again."""
    monkeypatch.setattr(backlog, "FIRST_PAUSE", 0.1)
    busy, *others = await company.capture(5, source="展会咨询")
    log.rivals.add(busy)
    before = company.process._tally
    await until_idle(company)
    assert [(await company.lead(lead)).owner for lead in others] == ["always there"] * 4
    assert (await company.lead(busy)).owner is None
    assert company.process._tally is before
    assert before.loads["always there"].active == 4
    log.rivals.clear()
    await until_idle(company)
    assert (await company.lead(busy)).owner == "always there"


async def test_a_lead_that_cannot_be_read_holds_up_no_other(company: Company, log: Watched) -> None:
    broken, *others = await company.capture(5, source="展会咨询")
    with psycopg.connect(company.dsn) as conn:
        conn.execute(UNREADABLE, (broken,))
    await until_idle(company)
    assert [(await company.lead(lead)).owner for lead in others] == ["always there"] * 4
    log.reads = 0
    await until_idle(company)
    assert not log.reads, "not again at once"
