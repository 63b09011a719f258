"""Commands that enter a lead and say what is known of it (R15-R30)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from aggregates.directory.owners import require_owner, team_of
from aggregates.event import Event
from aggregates.lead import label
from aggregates.lead.capture import Entry, capture
from aggregates.lead.events import Details
from aggregates.lead.info import complete_info
from aggregates.lead.state import Lead
from aggregates.policy.entry import Level
from aggregates.refusal import Refusal
from aggregates.values import LEAD_PREFIX
from commands import marks
from commands.fields import (
    Attributes,
    ChangedAttributes,
    Class,
    Command,
    Email,
    Label,
    Note,
    Phone,
    Text,
    example,
    text,
)
from commands.lead.offered import of_the_lists, require_team
from commands.lead.wiring import Facts, Judgement, Wiring, simply
from commands.loop import Held
from commands.ports import MOST_STREAMS

Doubted = Literal[
    "customer", "contact", "contact_title", "phone", "email", "source", "industry", "region",
    "customer_type", "campaign", "need",
]  # fmt: skip
Customer = Annotated[str, text(200, 1)]


class Described(Command):
    """What anybody may say of a new lead (R16-R22)."""

    customer: Customer
    """Full name of the company or customer (R73)."""
    contact: Label | None = None
    contact_title: Label | None = None
    phone: Phone | None = None
    """With area code and extension, or + and the country; shown masked ever after (R75)."""
    email: Email | None = None
    """Shown masked ever after (A4)."""
    industry: Class | None = None
    region: Class | None = None
    customer_type: Class | None = None
    campaign: Class | None = None
    need: Text | None = None
    attributes: Attributes = Field(default_factory=dict)
    """Up to 50 further facts about the lead, each a text, number or boolean."""


class CaptureLead(Described):
    """Enter a new lead (R15-R22)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            customer="A科技有限公司",
            contact="李经理",
            phone="13912345678",
            source="官网注册",
            industry="信息技术",
            need="需采购办公自动化系统",
        )
    )

    source: Class | None = None
    owner: Label | None = None
    """Who is responsible; the lead is assigned at once."""
    team: Label | None = None
    level: Level | None = None
    """A label by hand, which rules leave alone (R25, A6)."""
    segment: Class | None = None
    """With a level: one of the company's segments."""
    missing: tuple[Doubted, ...] = ()
    """Fields that lack something though they are given: the lead is 待补充 (R26, A7)."""


class CompleteInfo(Command):
    """Add to what is known of a lead, or correct it (R28, R30). What is not given stays."""

    model_config = ConfigDict(
        json_schema_extra=example(contact_title="采购总监", phone="010-65551234")
    )

    customer: Customer = ""
    contact: Label | None = None
    """null takes a value away, here and below."""
    contact_title: Label | None = None
    phone: Phone | None = None
    email: Email | None = None
    source: Class | None = None
    industry: Class | None = None
    region: Class | None = None
    customer_type: Class | None = None
    campaign: Class | None = None
    need: Text | None = None
    missing: tuple[Doubted, ...] = ()
    """Fields that lack something though they have a value: the lead is 待补充 (R26, A7)."""
    attributes: ChangedAttributes = Field(default_factory=dict)


class SetLabel(Command):
    """Label a lead by hand; rules leave it alone until it is cleared (R25, A6)."""

    model_config = ConfigDict(json_schema_extra=example(level="high", segment="采购决策"))

    level: Level
    segment: Class | None = None
    """One of the company's segments."""
    reason: Note | None = None


class ClearLabel(Command):
    """Give the label back to the rules (A6)."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户需求有变"))

    reason: Note | None = None


NOT_DETAILS = {"owner", "team", "level", "segment", "missing", "attributes"}


def _capture(c: CaptureLead, facts: Facts) -> Judgement:
    described = {k: v for k, v in c.__dict__.items() if v and k not in NOT_DETAILS}
    people = facts.register.people
    if c.owner:
        require_owner(people, c.owner)
    require_team(c.team, facts)
    entry = Entry(
        code=facts.code,
        details={**described, **c.attributes},
        owner=c.owner or None,
        team=c.team or (team_of(people, c.owner) if c.owner else None),
        level=c.level,
        segment=_segment(c.segment, facts, c.level),
        doubted=c.missing,
        entered_by=facts.caller.person,
    )
    decide = partial(capture, now=facts.now, entry=entry, policies=facts.policies)
    return of_the_lists(_compared(decide, entry.details, facts), described, facts)


def _complete(c: CompleteInfo, facts: Facts) -> Judgement:
    given = {name: c.__dict__[name] or None for name in c.model_fields_set - NOT_DETAILS}
    decide = partial(
        complete_info,
        now=facts.now,
        values={**given, **c.attributes},
        doubted=c.missing,
        policies=facts.policies,
    )
    return of_the_lists(_compared(decide, given, facts), given, facts)


def _compared(decide: Callable[..., Sequence[Event]], details: Details, facts: Facts) -> Judgement:
    """A decision that is told which leads have the same phone, e-mail or customer name."""
    claimed = marks.of_details(details, facts.mark)

    def judge(lead: Lead, held: Held) -> Sequence[Event]:
        return decide(lead, same={field: held[m].streams for field, m in claimed.items()})

    return Judgement(judge, tuple(claimed.values()), enough=MOST_STREAMS)


def _label(c: SetLabel, facts: Facts) -> Judgement:
    segment = _segment(c.segment, facts, c.level)
    decide = partial(
        label.override, now=facts.now, level=c.level, segment=segment, reason=c.reason or None
    )
    return simply(decide)


def _clear(c: ClearLabel, facts: Facts) -> Judgement:
    policy = facts.policies.labelling
    return simply(partial(label.clear, now=facts.now, reason=c.reason or None, policy=policy))


def _segment(name: str | None, facts: Facts, level: str | None) -> str | None:
    """The segment of a label by hand: one of the company's, and never without a level (A5)."""
    if not name:
        return None
    if not level:
        raise Refusal("segment-without-level", "give the level, too: high, medium, low", "level")
    known = [n for n, entry in facts.register.references["segment"].items() if entry.active]
    if name not in known:
        raise Refusal("unknown-segment", f"choose one of {', '.join(known)}", "segment")
    return name


WIRING: Mapping[type[Command], Wiring] = {
    CaptureLead: Wiring(_capture, LEAD_PREFIX),
    CompleteInfo: Wiring(_complete),
    SetLabel: Wiring(_label),
    ClearLabel: Wiring(_clear),
}
