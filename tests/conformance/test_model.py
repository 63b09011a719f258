"""Decisions against an independently written reference model, random commands and facts (T1)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event
from aggregates.lead.assign import assign
from aggregates.lead.capture import Entry, capture
from aggregates.lead.close import invalidate, reopen
from aggregates.lead.convert import convert, reverse_conversion
from aggregates.lead.duplicates import Same, dismiss, merge, unmerge
from aggregates.lead.events import FollowUpRecorded, LeadCaptured, LeadInvalidated, LeadsMerged
from aggregates.lead.evolve import evolve, fold
from aggregates.lead.follow_up import record_follow_up
from aggregates.lead.info import complete_info
from aggregates.lead.label import clear, override
from aggregates.lead.pause import pause, resume
from aggregates.lead.screen import screen
from aggregates.lead.stage import advance
from aggregates.lead.state import Lead, Suspicion
from aggregates.policy.book import InForce, Policies
from aggregates.policy.entry import Completeness, Labelling, LabelRule, Screening
from aggregates.policy.work import Basis, ConversionRules, PauseRules, Pipeline
from aggregates.refusal import Refusal
from tests.conformance import model
from tests.conformance.model import Command, Fact, Model, Refused
from tests.seed import SEED
from tests.size import size

ZONE = ZoneInfo("Asia/Shanghai")
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
    {"customer": "A科技", "need": "采购电脑", "phone": "13912345678", "industry": "教育"},
    {"customer": "A科技", "need": "采购前想试用", "email": "a@b.cn", "source": "展会"},
    {"customer": "A科技", "need": "暂不采购", "seats": 50},
)
VALUES: Sequence[dict[str, Any]] = (
    *DETAILS,
    {"need": "采购电脑", "phone": "13912345678"},
    {"email": None, "phone": None},
    {"source": "展会", "need": None},
    {"customer": "B科技", "email": "c@d.cn", "seats": None},
)
IMPORTED: Sequence[dict[str, Any]] = (
    *DETAILS,
    {"owner": "chen", "team": "east", "industry": "教育"},
    {"owner": "li", "team": None},
)
REASONS = ("refused", "wrong_contact")
BASES: tuple[Basis, ...] = ("contract_signed", "first_order")
OTHERS = tuple(UUID(int=n) for n in range(2, 5))
POLICIES = replace(
    Policies(),
    completeness=InForce(
        Completeness(required=("customer", "need")), Policies().completeness.ref
    ),
    labelling=InForce(
        Labelling(
            rules=(
                LabelRule(name="rejects", level="low", segment="潜在需求", any_of=("暂不",)),
                LabelRule(
                    name="buys", level="high", segment="采购决策",
                    any_of=("采购", "购买"), none_of=("试用",),
                ),
                LabelRule(name="fair", level="medium", sources=("展会", "会展")),
            )
        ),
        Policies().labelling.ref,
    ),
)  # fmt: skip


CAPTURED_FIRST: Refused = ("not-captured", None)
REOPENED_FIRST: Refused = ("lead-invalid", None)
REVERSED_FIRST: Refused = ("lead-converted", None)
MERGED: Refused = ("lead-merged", None)
STAGE: tuple[Refused, ...] = (("use-convert", "stage"), ("unknown-stage", "stage"))
REASON: Refused = ("unknown-reason", "reason")
VAGUE: tuple[Refused, ...] = (("vague-follow-up", "content"), ("vague-follow-up", "feedback"))
ANSWERS: Mapping[str, Sequence[int | Refused]] = {
    "capture": (*range(2, 10), ("already-captured", None)),
    "complete": (*range(7), CAPTURED_FIRST, REOPENED_FIRST),
    "override": (0, 1, CAPTURED_FIRST),
    "clear": (0, 2, CAPTURED_FIRST),
    "dismiss": (0, 1, CAPTURED_FIRST),
    "merge": (
        *(0, 1, 2, CAPTURED_FIRST, ("unknown-lead", "into"), ("lead-merged", "into")),
        *(("lead-invalid", "into"), ("lead-converted", "into")),
    ),
    "unmerge": (0, 1),
    "assign": (0, 1, 2, CAPTURED_FIRST, REOPENED_FIRST),
    "advance": (0, 1, CAPTURED_FIRST, REOPENED_FIRST, REVERSED_FIRST, *STAGE),
    "record_follow_up": (
        *(1, 2, CAPTURED_FIRST, REOPENED_FIRST, ("in-the-future", "occurred_at")),
        *(*VAGUE, *STAGE, ("lead-converted", "stage")),
    ),
    "screen": (
        *(0, 1, 2, 3, CAPTURED_FIRST, REOPENED_FIRST, REVERSED_FIRST),
        *(("not-screened", None), ("already-owned", None), REASON),
    ),
    "pause": (
        *(0, 1, CAPTURED_FIRST, REOPENED_FIRST, REVERSED_FIRST),
        *(("not-in-the-future", "resume_at"), ("pause-too-long", "resume_at")),
    ),
    "resume": (0, 1, CAPTURED_FIRST),
    "invalidate": (0, 1, 2, CAPTURED_FIRST, REVERSED_FIRST, REASON),
    "reopen": (0, 1, CAPTURED_FIRST),
    "convert": (
        *(0, 1, 2, 3, CAPTURED_FIRST, REOPENED_FIRST, ("in-the-future", "converted_at")),
        *(("basis-not-accepted", "basis"), ("already-converted", None)),
        *(("before-capture", "converted_at"), ("amount-required", "amount")),
    ),
    "reverse_conversion": (0, 1, 2, CAPTURED_FIRST),
}
UNTOUCHED = ("capture", "unmerge")
"""The only commands that do not ask first whether the lead is merged."""
EVERYWHERE = {(do, answer) for do, answers in ANSWERS.items() for answer in answers} | {
    (do, MERGED) for do in ANSWERS if do not in UNTOUCHED
}
"""Where a random walk must have been: how many events each command may record, each refusal.
The rarest of them, `screen` with three events, happens some 12 times in 100,000 steps."""


def any_command(chance: Random, now: datetime) -> Command:
    """A command somebody may give, sensible or not."""
    pick = chance.choice
    at = pick([None, now, now - timedelta(days=3), now + timedelta(minutes=pick([4, 5, 6]))])
    why = pick([None, "客户要求"])
    return {"now": now} | pick(
        [
            {
                "do": "capture",
                "code": f"XLSH{now:%Y%m%d%f}",
                "details": pick(DETAILS),
                "owner": pick([None, *PEOPLE]),
                "team": pick(TEAMS),
                "level": pick([None, None, "high"]),
                "doubted": pick([(), (), ("need",)]),
                "same": any_same(chance),
            },
            {
                "do": "complete",
                "values": pick(VALUES),
                "doubted": pick([(), (), ("need", "phone")]),
                "same": any_same(chance),
            },
            {
                "do": "override",
                "level": pick(["high", "low"]),
                "segment": pick([None, "决策层", "潜在需求"]),
            },
            {"do": "clear"},
            {"do": "dismiss", "other": pick(OTHERS), "theirs": pick([0, 0, 3, 7])},
            {"do": "merge", "into": any_other(chance, now)},
            {"do": "unmerge"},
            {"do": "assign", "owner": pick(PEOPLE), "team": pick(TEAMS), "reason": why},
            {"do": "advance", "stage": pick(STAGES), "reason": why},
            {"do": "record_follow_up", "record": any_record(chance, at)},
            *[any_screening(chance, why) for _ in range(3)],
            any_pause(chance, now),
            any_pause(chance, now),
            {"do": "resume", "reason": why},
            {"do": "invalidate", "reason": pick([*REASONS, "bored"]), "note": why},
            {"do": "reopen", "reason": why},
            {
                "do": "convert",
                "converted_at": at,
                "amount": pick([None, Decimal(80000), Decimal("85000.50")]),
                "basis": pick(["contract_signed", "first_order"]),
                "first_order_counts": pick([True, False]),
                "amount_required": pick([True, False]),
            },
            {"do": "reverse_conversion", "reason": "withdrawn"},
        ]
    )


def any_screening(chance: Random, why: str | None) -> Command:
    """A verdict of marketing, which few leads are open to: rarely an acceptance, which ends it."""
    return {
        "do": "screen",
        "accepted": chance.random() < 0.2,
        "reason": chance.choice([None, "无需求", "无需求", "没兴趣"]),
        "note": why,
    }


def any_pause(chance: Random, now: datetime) -> Command:
    """A pause; the walk takes minutes of time, so its longest end comes near from the start."""
    ends = [timedelta(days=90), timedelta(days=90, seconds=1), timedelta(days=7), timedelta(0)]
    return {
        "do": "pause",
        "reason": chance.choice(["预算未批", "出差"]),
        "resume_at": chance.choice([None, None, *(now + end for end in ends)]),
    }


def any_same(chance: Random) -> dict[str, list[UUID]]:
    """Which other leads have the same phone, e-mail or name: as often as not, none."""
    most = chance.choice((0, len(OTHERS)))
    return {
        name: chance.sample(OTHERS, chance.randint(0, most))
        for name in ("phone", "email", "customer")
    }


def any_other(chance: Random, now: datetime) -> Model:
    """A lead to merge into, as the model sees it."""
    state = {name: chance.random() < 0.1 for name in ("merged", "invalid")}
    captured = chance.random() < 0.9
    return {"id": chance.choice(OTHERS), "code": "XLSH1", "captured": captured, "at": now, **state}


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
    """What imports and other programs may say of a lead, at any time of its life or an unknown."""
    pick = chance.choice
    kind, fields = pick(
        [
            ("captured", {"code": "imported", "details": pick(IMPORTED)}),
            ("assigned", {"owner": pick(PEOPLE), "team": pick(TEAMS), "details": {"region": "x"}}),
            ("stage-changed", {"stage": pick(STAGES)}),
            ("follow-up-recorded", {"code": "imported", "connected": pick([True, False])}),
            ("invalidated", {"reason": pick([None, "lost"])}),
            ("converted", {"amount": pick([None, Decimal(1)]), "details": pick(IMPORTED)}),
            ("handed-over", {"owner": pick(PEOPLE), "previous_owner": "x", "team": pick(TEAMS)}),
            ("released-to-pool", {"pool": "公海"}),
            ("claimed", {"owner": pick(PEOPLE), "team": pick(TEAMS), "pool": "公海"}),
            ("shared", {"person": pick(PEOPLE)}),
        ]
    )
    at = pick([None, now, now - timedelta(days=pick([1, 400]))])
    stated = {k: v for k, v in fields.items() if v is not None}  # type: ignore[attr-defined]
    return {"topic": f"lead.{kind}", "occurred_at": at, **stated}


def _record(lead: Lead, *, now: datetime, record: dict[str, Any]) -> Sequence[Event]:
    event = FollowUpRecorded(**record)
    quality = Policies().follow_up
    return record_follow_up(lead, now=now, record=event, quality=quality, pipeline=Pipeline())


def _convert(
    lead: Lead, *, first_order_counts: bool, amount_required: bool, **said: Any
) -> Sequence[Event]:
    bases = BASES if first_order_counts else BASES[:1]
    rules = ConversionRules(bases=bases, amount_required=amount_required)
    return convert(lead, zone=ZONE, rules=rules, **said)


def _capture(lead: Lead, *, now: datetime, same: Same, **entered: Any) -> Sequence[Event]:
    return capture(lead, now=now, entry=Entry(**entered), policies=POLICIES, same=same)


def _dismiss(lead: Lead, *, now: datetime, other: UUID, theirs: int) -> Sequence[Event]:
    """`theirs`: the version at which the other lead came to suspect this one; 0 = it does not."""
    suspects = {lead.id: Suspicion(certain=False, by=(), at=theirs)} if theirs else {}
    return dismiss(lead, Lead(other, suspects=suspects), now=now, reason=None)


def _merge(lead: Lead, *, now: datetime, into: Model) -> Sequence[Event]:
    facts: list[Event] = []
    if into["captured"]:
        facts.append(LeadCaptured(occurred_at=into["at"], code=into["code"]))
    if into["merged"]:
        facts.append(LeadsMerged(into=UUID(int=9), into_code="XLSH2"))
    if into["invalid"]:
        facts.append(LeadInvalidated())
    return merge(lead, fold(Lead(into["id"]), facts), now=now, reason="one")


DECISIONS: Mapping[str, Callable[..., Sequence[Event]]] = {
    "capture": _capture,
    "complete": partial(complete_info, policies=POLICIES),
    "override": partial(override, reason=None),
    "clear": partial(clear, reason=None, policy=POLICIES.labelling),
    "dismiss": _dismiss,
    "merge": _merge,
    "unmerge": partial(unmerge, reason="two"),
    "assign": assign,
    "advance": partial(advance, pipeline=Pipeline()),
    "record_follow_up": _record,
    "screen": partial(screen, rules=Screening(sources=("展会",))),
    "pause": partial(pause, zone=ZONE, rules=PauseRules()),
    "resume": resume,
    "invalidate": partial(invalidate, reasons=REASONS),
    "reopen": reopen,
    "convert": _convert,
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
    """An event of the product as the model speaks of it, which knows of one policy only."""
    stated = {k: v for k, v in vars(event).items() if v is not None and v != {} and k != "policy"}
    if found := stated.get("quality"):
        stated["quality"] = {k: v for k, v in found.items() if k != "policy"}
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
        "stage_since": lead.stage_since,
        "won_from": lead.won_from,
        "follow_ups": lead.follow_ups,
        "first_attempt_at": lead.first_attempt_at,
        "first_response_at": lead.first_response_at,
        "converted": {"at": won.at, "basis": won.basis, "owner": won.owner} if won else None,
        "amount": lead.amount,
        "invalid": lead.invalidated,
        "invalid_reason": lead.invalid_reason,
        "missing": lead.missing,
        "by_hand": lead.label_overridden,
        "suspects": {k: (v.certain, frozenset(v.by)) for k, v in lead.suspects.items()},
        "dismissed": lead.dismissed,
        "merged": lead.merged_into,
        "screened": lead.screened,
        "pool": lead.pool,
        "pause": lead.pause and (lead.pause.since, lead.pause.reason, lead.pause.resume_at),
        "paused_seconds": lead.paused_seconds,
        "shared": lead.shared_with,
    }


def test_decisions_agree_with_the_model() -> None:
    """T1: equal refusals, equal events, equal states; R7, R8, R52, R57, R59, R90,
    R107, R118, A15, A19, A25, A26."""
    print(f"SEED={SEED}")
    chance = Random(SEED)
    leads: list[tuple[Lead, Model]] = [(Lead(ID), model.blank()) for _ in range(LEADS)]
    reached: set[object] = set()
    for step in range(STEPS):
        nr, now = chance.randrange(LEADS), START + timedelta(seconds=step)
        lead, twin = leads[nr]
        said = f"SEED={SEED} step {step}, lead {twin}"
        if chance.random() < (0.1 if lead.captured else 0.4):
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
