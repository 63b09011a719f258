"""No open lead stays with somebody who has left, or may own none any more (R102, R103)."""

import time
from collections.abc import AsyncIterator, Sequence
from random import Random
from typing import Any
from uuid import UUID

import anyio
import psycopg
import pytest

from adapters.postgres.lead_queries import history
from adapters.postgres.register import read_register
from adapters.postgres.tables import connect
from aggregates.directory import events as d
from aggregates.directory.owners import has_gone
from aggregates.lead import events as e
from aggregates.lead.evolve import fold
from aggregates.lead.state import Disposition, Lead
from aggregates.lead.time_events import FirstFollowUpTaskIssued
from aggregates.policy.ownership import Assignment, AssignmentRule, Target
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.lead.ownership import AssignLead
from processes.left_behind import OWNER_LEFT
from tests.integration.api_client import CUSTOMER, Api
from tests.integration.assigning import Company, working
from tests.seed import SEED
from tests.size import size

pytestmark = pytest.mark.anyio

LEADS = "SELECT DISTINCT originator_id FROM log.leadlog_events WHERE topic = 'lead.captured'"
HANDED_OVER = (
    "SELECT DISTINCT originator_id FROM log.leadlog_events WHERE topic = 'lead.handed-over'"
)
PATIENCE = 60.0


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Company]:
    company = Company(dsn)
    yield company
    await company.close()


async def with_somebody_gone(company: Company, *, back: e.Event) -> Lead:
    """What becomes of a lead that comes back to life, by this event, when its owner has left."""
    await company.people("a", "b", team="east")
    [lead] = await company.capture()
    await company.do(AssignLead(owner="a"), lead)
    before = {
        e.LeadReopened: e.LeadInvalidated(),
        e.MergeUndone: e.LeadsMerged(into=UUID(int=1)),
        e.ConversionReversed: e.LeadConverted(),
    }[type(back)]
    await company.say(lead, before)
    await company.about(d.PersonDeactivated(name="a"))
    await company.turn()
    assert (await company.lead(lead)).owner == "a", "closed, it stays as it was"
    await company.say(lead, back)
    await company.turn()
    return await company.lead(lead)


@pytest.mark.parametrize(
    "back",
    [
        e.LeadReopened(),
        e.MergeUndone(into=UUID(int=1)),
        e.ConversionReversed(reason="合同撤销"),
    ],
    ids=lambda event: event.topic,
)
async def test_a_lead_that_comes_back_gets_an_owner_who_is_there(
    company: Company, back: e.Event
) -> None:
    """R102: reopened, unmerged, its conversion taken back; with the reason and the explanation."""
    lead = await with_somebody_gone(company, back=back)
    assert (lead.owner, lead.profile["team"]) == ("b", "east")
    *_, handed, task = await company.log.load(lead.id)
    assert isinstance(handed, e.LeadHandedOver)
    assert isinstance(task, FirstFollowUpTaskIssued), "with time of their own (A31)"
    assert (handed.previous_owner, handed.reason) == ("a", OWNER_LEFT)
    assert handed.explanation == lead.explanation
    assert [c["person"] for c in lead.explanation["candidates"]] == ["b"]


async def test_what_a_process_gave_to_somebody_just_gone_goes_on(company: Company) -> None:
    """R102: a register may be a second old, the directory is not waited for; paused leads too."""
    await company.people("a", "b", "c")
    leads = await company.capture(2)
    await company.registry.latest()
    await company.about(d.PersonDeactivated(name="a"))
    await company.about(d.RoleChanged(name="b", role="analyst"))
    for lead, owner in zip(leads, "ab", strict=True):
        await company.commands.execute(
            AssignLead(owner=owner), lead=lead, caller=Caller("user:boss")
        )
    await company.say(leads[1], e.LeadPaused(reason="later"))
    await company.turn()
    assert [(await company.lead(lead)).owner for lead in leads] == ["c", "c"]
    assert (await company.lead(leads[1])).pause


async def test_it_waits_where_nobody_is_free_and_spreads_where_some_are(company: Company) -> None:
    """R44, R103: tried again once somebody is there; each counts for the next."""
    await company.people("a")
    leads = await company.capture(6)
    for lead in leads:
        await company.do(AssignLead(owner="a"), lead)
    await company.about(d.PersonDeactivated(name="a"))
    await company.turn()
    assert {(await company.lead(lead)).owner for lead in leads} == {"a"}
    await company.people("b", "c")
    await anyio.sleep(5)
    await company.turn()
    owners = [(await company.lead(lead)).owner for lead in leads]
    assert (owners.count("b"), owners.count("c")) == (3, 3)


async def test_the_rules_may_send_it_to_a_pool(company: Company) -> None:
    """A32."""
    await company.people("a", "b")
    [lead] = await company.capture(region="华东")
    await company.do(AssignLead(owner="a"), lead)
    east = AssignmentRule(name="east", regions=("华东",), target=Target(kind="pool", name="公海"))
    await company.rules(Assignment(rules=(east,)))
    await company.about(d.PersonDeactivated(name="a"))
    await company.turn()
    assert (await company.lead(lead)).pool == "公海"


async def test_who_is_known_from_an_import_only_keeps_their_leads(company: Company) -> None:
    """Decision 11: an imported history is not assigned anew."""
    await company.people("b")
    [lead] = await company.capture()
    await company.about(d.PersonAdded(name="赵敏"))
    await company.say(lead, e.LeadAssigned(owner="赵敏"))
    await company.turn()
    assert (await company.lead(lead)).owner == "赵敏"


HOW_OFTEN = {"invalidate": 2, "convert": 2, "reopen": 4, "unmerge": 4, "reverse": 4, "assign": 3}
NAMES = ("王芳", "李雷", "韩梅", "赵敏")


async def test_after_any_history_no_open_lead_belongs_to_somebody_gone(api: Api) -> None:
    """R102, R103: whatever people and leads go through, once the process has caught up."""
    rng = Random(SEED)
    print(f"SEED={SEED}")
    for name in NAMES:
        await api.post("/v1/users", {"name": name, "role": "sales"})
    await api.post("/v1/users", {"name": "郑总", "role": "supervisor"})  # who never leaves
    other = Company(api.dsn)
    leads = [(await api.lead(customer=f"客户{n}"))["id"] for n in range(4)]
    with working(api.dsn):
        for n in range(size(20, 40)):  # most often the first two put it to the test
            if n >= size(2, 20) and handed_over(api.dsn):
                break
            await some_history(api, other, rng, leads)
        await caught_up(api.dsn)
    await other.close()
    assert handed_over(api.dsn), f"SEED={SEED}: nothing was put to the test"


async def some_history(api: Api, other: Company, rng: Random, leads: list[str]) -> None:
    """200 commands, each accepted or refused."""
    for _ in range(200):
        if rng.random() < 0.2:
            await given_by_another_process(other, rng, leads)
            continue
        what, path, body = any_command(rng, leads)
        answer = await api.post(path, body)
        assert answer.status_code in (200, 201, 422), (what, answer.text, f"SEED={SEED}")
        if what == "capture" and answer.status_code == 201:
            leads.append(answer.json()["id"])


def handed_over(dsn: str) -> bool:
    """Whether a lead went on because its owner had gone; the reason is read with the lead's key."""
    with psycopg.connect(dsn) as conn:
        leads = [lead for (lead,) in conn.execute(HANDED_OVER).fetchall()]
    with connect(dsn) as conn:
        events = [recorded.event for lead in leads for recorded in history(conn, lead)[1]]
    return any(isinstance(ev, e.LeadHandedOver) and ev.reason == OWNER_LEFT for ev in events)


def any_command(rng: Random, leads: Sequence[str]) -> tuple[str, str, dict[str, Any]]:
    """What is done, where, with what."""
    lead, person = f"/v1/leads/{rng.choice(leads)}", f"/v1/users/{rng.choice(NAMES)}"
    to = rng.choice((*NAMES, "郑总"))
    owner = rng.choice(({}, {"owner": to}))
    into = rng.choice(leads)
    choices: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("capture", "/v1/leads", CUSTOMER | {"customer": f"客户{len(leads)}"} | owner),
        ("assign", f"{lead}:assign", {"owner": to}),
        ("hand-over", f"{lead}:hand-over", {"to": rng.choice((to, "by-rule"))}),
        ("release", f"{lead}:release", {}),
        ("pause", f"{lead}:pause", {"reason": "预算"}),
        ("resume", f"{lead}:resume", {}),
        ("invalidate", f"{lead}:invalidate", {"reason": "无需求"}),
        ("reopen", f"{lead}:reopen", {}),
        ("merge", f"{lead}:merge", {"into": into}),
        ("unmerge", f"{lead}:unmerge", {}),
        ("convert", f"{lead}:convert", {}),
        ("reverse", f"{lead}:reverse-conversion", {"reason": "撤销"}),
        ("deactivate", f"{person}:deactivate", rng.choice(({}, {"hand_over": "by-rule"}))),
        ("deactivate", f"{person}:deactivate", {"hand_over": to}),
        ("reactivate", f"{person}:reactivate", {}),
        ("role", f"{person}:change", {"role": rng.choice(("analyst", "sales", "sales"))}),
    )
    return rng.choices(choices, [HOW_OFTEN.get(what, 1) for what, *_ in choices])[0]


async def given_by_another_process(other: Company, rng: Random, leads: Sequence[str]) -> None:
    """Its register may be a second old: it may not know yet who has left."""
    command = AssignLead(owner=rng.choice(NAMES))
    try:
        lead = UUID(rng.choice(leads))
        await other.commands.execute(command, lead=lead, caller=Caller("user:boss"))
    except Refusal:
        pass  # it knows, or the lead is closed


async def caught_up(dsn: str) -> None:
    """Until no open lead is with somebody gone."""
    end = time.monotonic() + PATIENCE
    while left := await anyio.to_thread.run_sync(left_behind, dsn):
        assert time.monotonic() < end, (left, f"SEED={SEED}")
        await anyio.sleep(0.2)


def left_behind(dsn: str) -> list[tuple[str | None, str | None]]:
    """Code and owner of each such lead, by the events alone."""
    with psycopg.connect(dsn) as conn:
        streams = [stream for (stream,) in conn.execute(LEADS).fetchall()]
    with connect(dsn) as conn:
        people = read_register(conn).people
        states = [fold(Lead(s), (r.event for r in history(conn, s)[1])) for s in streams]
    return [
        (lead.code, lead.owner)
        for lead in states
        if lead.disposition is Disposition.OPEN
        and lead.owner in people
        and has_gone(people[lead.owner])
    ]
