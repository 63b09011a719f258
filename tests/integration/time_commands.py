"""Random commands on leads, as people give them over the weeks, for runs in simulated time."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random
from string import ascii_lowercase
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.refusal import Refusal
from commands.fields import Command
from commands.lead.entry import CompleteInfo, SetLabel
from commands.lead.outcome import (
    ConvertLead,
    InvalidateLead,
    PauseLead,
    ReopenLead,
    ResumeLead,
    ReverseConversion,
)
from commands.lead.ownership import AssignLead, ReleaseLead
from commands.lead.work import AdvanceLead, RecordFollowUp
from tests.integration.living import Living

ZONE = ZoneInfo("Asia/Shanghai")
PEOPLE = ("chen", "li")
LEVELS = ("high", "medium", "low", "unrated")
ANSWERED = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}


async def a_lead(here: Living, rng: Random, *, owned: float = 0.5) -> UUID:
    """A lead is entered: so often with an owner, every fourth without a title."""
    name = "".join(rng.choices(ascii_lowercase, k=12))
    given = {"level": rng.choice(LEVELS), "email": f"{name}@example.cn", "customer": name}
    if rng.random() < owned:
        given |= {"owner": rng.choice(PEOPLE), "team": "east"}
    if rng.random() < 0.25:
        given["contact_title"] = ""
    return await here.capture(**given)


async def work_on(here: Living, rng: Random, leads: Sequence[UUID]) -> None:
    """Somebody gives a command on one of the leads; it may be refused."""
    lead = rng.choice(leads)
    try:
        await here.say(a_command(rng, here.clock.now()), lead)
    except Refusal:
        return


def a_command(rng: Random, now: datetime) -> Command:
    """What is done with a lead: every clock begins, moves, ends and begins again."""
    some = timedelta(minutes=rng.randrange(1, 8_000))
    chance = rng.randrange(100)
    if chance < 30:
        return AssignLead(owner=rng.choice(PEOPLE))
    if chance < 60:
        return _a_contact(rng, now, some)
    choices: Sequence[Command] = (
        PauseLead(reason="预算未批", resume_at=now + some if rng.random() < 0.8 else None),
        PauseLead(reason="出差", resume_at=now + some),
        ResumeLead(),
        SetLabel(level=rng.choice(LEVELS)),
        SetLabel(level=rng.choice(LEVELS)),
        AdvanceLead(stage=rng.choice(("方案提交", "商务谈判"))),
        CompleteInfo(contact_title="采购经理"),
        CompleteInfo(contact_title=None),
        ReleaseLead(pool="公海"),
        InvalidateLead(reason="无需求"),
        ReopenLead(),
        ReopenLead(),
        ConvertLead(amount="85000"),
        ReverseConversion(reason="合同撤回"),
        ReverseConversion(reason="合同撤回"),
    )
    return rng.choice(choices)


def _a_contact(rng: Random, now: datetime, some: timedelta) -> RecordFollowUp:
    """An attempt or a contact, perhaps entered late, with a plan or a stage."""
    plan = (now + timedelta(days=rng.randrange(-1, 8))).astimezone(ZONE).date()
    said = ANSWERED if rng.random() < 0.4 else {"outcome": "no_answer"}
    return RecordFollowUp(
        **said,
        occurred_at=now - some if rng.random() < 0.3 else None,
        next_step_due=plan if rng.random() < 0.3 else None,
        stage=rng.choice(("方案提交", "商务谈判")) if rng.random() < 0.3 else None,
    )
