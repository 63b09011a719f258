"""Decisions against an independently written reference model, random commands and facts (T1)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import UUID

from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event
from aggregates.lead.assign import assign
from aggregates.lead.capture import capture
from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.events import FollowUpRecorded
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.stage import advance
from aggregates.lead.state import Lead, evolve
from aggregates.policy.builtin import FOLLOW_UP_QUALITY
from aggregates.refusal import Refusal
from tests.conformance import model
from tests.conformance.model import Command, Fact, Model, Refused
from tests.seed import SEED
from tests.size import size

STEPS = size(100_000, 10_000_000)
LEADS = 40
ID = UUID("5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d11")
START = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)

PEOPLE = ("chen", "li", "王芳")
TEAMS = ("east", "south", None)
STAGES = ("待分配", "待跟进", "已联系", "需求确认", "方案提交", "商务谈判", "成交", "Engaging", "")
CONTENTS = (
    None,
    "",
    "已沟通",
    "已电话沟通。",
    "ok",
    "客户要求提供案例",
    "  客户 要求提供案例 ",
    "...... ",
)
REPLIES = (None, "", " ", "需要报价")
DETAILS: Sequence[dict[str, Any]] = (
    {},
    {"source": "官网注册", "budget": "12"},
    {"owner": "chen", "team": "east", "industry": "教育"},
    {"owner": "li", "team": None},
    {"owner": "", "need": "办公电脑", "seats": 50},
)


CAPTURED_FIRST: Refused = ("not-captured", None)
REOPENED_FIRST: Refused = ("lead-invalid", None)
REVERSED_FIRST: Refused = ("lead-converted", None)
STAGE: tuple[Refused, ...] = (("use-convert", "stage"), ("unknown-stage", "stage"))
VAGUE: tuple[Refused, ...] = (("vague-follow-up", "content"), ("vague-follow-up", "feedback"))
ANSWERS: Mapping[str, Sequence[int | Refused]] = {
    "capture": (2, 4, ("already-captured", None)),
    "assign": (0, 1, 2, CAPTURED_FIRST, REOPENED_FIRST),
    "advance": (0, 1, CAPTURED_FIRST, REOPENED_FIRST, REVERSED_FIRST, *STAGE),
    "record_follow_up": (
        *(1, 2, CAPTURED_FIRST, REOPENED_FIRST, ("in-the-future", "occurred_at")),
        *(*VAGUE, *STAGE),
    ),
    "invalidate": (0, 1, CAPTURED_FIRST, REVERSED_FIRST),
    "reopen": (0, 1, CAPTURED_FIRST),
    "convert": (
        *(0, 1, 2, CAPTURED_FIRST, REOPENED_FIRST, ("in-the-future", "converted_at")),
        *(("basis-not-accepted", "basis"), ("already-converted", None)),
    ),
    "reverse_conversion": (0, 1, CAPTURED_FIRST),
}
EVERYWHERE = {(do, answer) for do, answers in ANSWERS.items() for answer in answers}
"""Where a random walk must have been: how many events each command may record, each refusal."""


def any_command(chance: Random, now: datetime) -> Command:
    """A command somebody may give, sensible or not."""
    pick = chance.choice
    at = pick([None, now, now - timedelta(days=3), now + timedelta(minutes=pick([4, 5, 6]))])
    why = pick([None, "客户要求"])
    return {"now": now} | pick(
        [
            {"do": "capture", "code": f"XLSH{now:%Y%m%d%f}", "details": pick(DETAILS)},
            {"do": "assign", "owner": pick(PEOPLE), "team": pick(TEAMS), "reason": why},
            {"do": "advance", "stage": pick(STAGES), "reason": why},
            {"do": "record_follow_up", "record": any_record(chance, at)},
            {"do": "invalidate", "reason": pick(["refused", "wrong_contact"]), "note": why},
            {"do": "reopen", "reason": why},
            {
                "do": "convert",
                "converted_at": at,
                "amount": pick([None, Decimal(80000), Decimal("85000.50")]),
                "basis": pick(["contract_signed", "first_order"]),
                "accepted_bases": pick([{"contract_signed"}, {"contract_signed", "first_order"}]),
            },
            {"do": "reverse_conversion", "reason": "withdrawn"},
        ]
    )


def any_record(chance: Random, at: datetime | None) -> dict[str, Any]:
    """A follow-up to be recorded."""
    pick = chance.choice
    return {
        "occurred_at": at,
        "code": f"GJ{chance.randrange(10**6)}",
        "connected": pick([True, True, False]),
        "by": pick(PEOPLE),
        "content": pick(CONTENTS),
        "feedback": pick(REPLIES),
        "next_step": pick(REPLIES),
        "stage": pick([None, None, *STAGES]),
    }


def any_fact(chance: Random, now: datetime) -> Fact:
    """What an import may say of a lead, at any time of its life or at an unknown one."""
    pick = chance.choice
    kind, fields = pick(
        [
            ("captured", {"code": "imported", "details": pick(DETAILS)}),
            ("assigned", {"owner": pick(PEOPLE), "team": pick(TEAMS), "details": {"region": "x"}}),
            ("stage-changed", {"stage": pick(STAGES)}),
            ("follow-up-recorded", {"code": "imported", "connected": pick([True, False])}),
            ("invalidated", {"reason": pick([None, "lost"])}),
            ("converted", {"amount": pick([None, Decimal(1)]), "details": pick(DETAILS)}),
        ]
    )
    at = pick([None, now, now - timedelta(days=pick([1, 400]))])
    stated = {k: v for k, v in fields.items() if v is not None}  # type: ignore[attr-defined]
    return {"topic": f"lead.{kind}", "occurred_at": at, **stated}


def _record(lead: Lead, *, now: datetime, record: dict[str, Any]) -> Sequence[Event]:
    event = FollowUpRecorded(**record)
    return record_follow_up(lead, now=now, record=event, quality=FOLLOW_UP_QUALITY)


DECISIONS: Mapping[str, Callable[..., Sequence[Event]]] = {
    "capture": capture,
    "assign": assign,
    "advance": advance,
    "record_follow_up": _record,
    "invalidate": invalidate,
    "reopen": reopen,
    "convert": convert,
    "reverse_conversion": reverse_conversion,
}


def decided(lead: Lead, command: Command) -> Sequence[Event] | Refused:
    """What the product makes of a command."""
    arguments = {k: v for k, v in command.items() if k != "do"}
    try:
        return DECISIONS[command["do"]](lead, **arguments)
    except Refusal as refusal:
        return refusal.code, refusal.field


def spoken(event: Event) -> Fact:
    """An event of the product as the model speaks of it."""
    stated = {k: v for k, v in vars(event).items() if v is not None and v != {}}
    return {"topic": event.topic, "occurred_at": event.occurred_at, **stated}


def happened(fact: Fact) -> Event:
    """A fact of the model as an event of the product."""
    return EVENT_TYPES[fact["topic"]](**{k: v for k, v in fact.items() if k != "topic"})


def shown(lead: Lead) -> Model:
    """A lead of the product as the model sees it."""
    won = lead.conversion
    return {
        "version": lead.version,
        "captured": lead.captured,
        "captured_at": lead.captured_at,
        "code": lead.code,
        "values": {**lead.profile, **lead.attributes},
        "stage": lead.stage,
        "follow_ups": lead.follow_ups,
        "first_attempt_at": lead.first_attempt_at,
        "first_response_at": lead.first_response_at,
        "converted": {"at": won.at, "basis": won.basis, "owner": won.owner} if won else None,
        "amount": lead.amount,
        "invalid": lead.invalidated,
        "invalid_reason": lead.invalid_reason,
    }


def test_decisions_agree_with_the_model() -> None:
    """T1: equal refusals, equal events, equal states; R7, R8, R52, R57, R59, R90, A15, A19, A25."""
    print(f"SEED={SEED}")
    chance = Random(SEED)
    leads: list[tuple[Lead, Model]] = [(Lead(ID), model.blank()) for _ in range(LEADS)]
    reached: set[object] = set()
    for step in range(STEPS):
        nr, now = chance.randrange(LEADS), START + timedelta(seconds=step)
        lead, twin = leads[nr]
        said = f"SEED={SEED} step {step}, lead {twin}"
        if chance.random() < 0.1:
            events: Sequence[Event] | Refused = [happened(any_fact(chance, now))]
        else:
            command = any_command(chance, now)
            said += f", command {command}"
            events = decided(lead, command)
            ours = events if isinstance(events, tuple) else [spoken(event) for event in events]
            assert ours == model.judge(twin, command), said
            reached.add((command["do"], ours if isinstance(ours, tuple) else len(ours)))
        if not isinstance(events, tuple):
            for event in events:
                lead = evolve(lead, event)
                model.learn(twin, spoken(event))
            assert shown(lead) == twin, said
            assert lead.disposition == model.disposition(twin), said
        leads[nr] = (Lead(ID), model.blank()) if chance.random() < 0.03 else (lead, twin)
    assert reached == EVERYWHERE
