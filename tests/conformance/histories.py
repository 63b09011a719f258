"""Random histories: every kind of event, in orders that commands allow and others too.

Times may be unknown, leads uncaptured or captured twice, conversions reversed and made again,
sources changed: what imports may bring, the folds have to take. Behind an erasure comes nothing
personal.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg

from aggregates.event import Event, Meta
from aggregates.lead import events as e
from aggregates.lead.privacy_events import ContactRevealed, PersonalDataErased
from aggregates.personal import without_personal
from tests.conformance import beside_leads, time_histories
from tests.sealed import Sealing

APPEND = (
    "SELECT outcome FROM log.append(%s::uuid[], %s::bytea[], %s::int[], %s::uuid[], %s::bigint[],"
    " %s::text[], %s::bytea[])"
)
FIRST_DAY = datetime(2024, 1, 1, tzinfo=UTC)
SOURCES = ("官网注册", "展会咨询", "转介绍", "", None)
PEOPLE = ("王芳", "李雷", "Ana", None)
STAGES = ("待分配", "待跟进", "已联系", "需求确认", "foreign stage", "成交")
TEXTS = (None, "", "请回电13912345678", "mail li.lei@example.cn", "需采购50台办公电脑", "'\"\\\t,")


SEALING = Sealing()


class Entry(NamedTuple):
    """An event and its place in its stream."""

    stream: UUID
    version: int
    event: Event


class Stored(NamedTuple):
    """An event as the log takes it."""

    command: UUID
    stream: UUID
    version: int
    topic: str
    state: bytes


def history(
    rng: Random, leads: int = 2, longest: int = 9, *, captured_first: bool = False
) -> list[list[Entry]]:
    """The events of a few leads, each in its order; behind them those of a review and a message."""
    early = 1.0 if captured_first else 0.64
    own = [_lead(rng, rng.randint(1, longest), early) for _ in range(leads)]
    beside = (beside_leads.review(rng), beside_leads.message(rng))
    return [_stream(rng, events) for events in (*own, *beside)]


def interleaved(rng: Random, leads: Sequence[Sequence[Entry]]) -> list[Entry]:
    """One log of many leads: a random order that keeps each lead's own."""
    turns = [n for n, own in enumerate(leads) for _ in own]
    rng.shuffle(turns)
    following = [iter(own) for own in leads]
    return [next(following[n]) for n in turns]


def append(dsn: str, entries: Sequence[Entry], *, per_commit: int = 200) -> None:
    """Put entries into the log, each as a command of its own."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        for start in range(0, len(entries), per_commit):
            _commit(conn, [_stored(entry) for entry in entries[start : start + per_commit]])


def append_bytes(dsn: str, stream: UUID, version: int, topic: str, state: bytes) -> None:
    """Put an event into the log as it is."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        _commit(conn, [Stored(uuid4(), stream, version, topic, state)])


def _commit(conn: psycopg.Connection[Any], rows: Sequence[Stored]) -> None:
    commands, *events = map(list, zip(*rows, strict=True))
    owners = list(range(1, len(rows) + 1))
    erased = {stream for (stream,) in conn.execute("SELECT stream FROM privacy.erasures")}
    SEALING.store_keys(conn, set(events[0]) - erased)  # a key does not come back
    outcomes = conn.execute(APPEND, (commands, [b"x"] * len(rows), owners, *events))
    assert {outcome for (outcome,) in outcomes} == {"appended"}


def _stored(entry: Entry) -> Stored:
    command = UUID(int=entry.stream.int ^ entry.version)
    state = SEALING.encode(entry.stream, entry.version, entry.event, Meta("user:test", command))
    return Stored(command, entry.stream, entry.version, entry.event.topic, state)


def _lead(rng: Random, length: int, captured_first: float) -> list[Event]:
    events = [_event(rng, rng.choice(MAKERS)) for _ in range(length)]
    if (luck := rng.random()) < captured_first:
        events.insert(0, _captured(rng))
    elif luck < 0.8:
        events.insert(rng.randint(0, length), _captured(rng))
    return _erased(rng, events) if rng.random() < 1 / 4 else events


def _erased(rng: Random, events: Sequence[Event]) -> list[Event]:
    """The lead is erased, most often at the end, and sometimes twice."""
    place = rng.choice((len(events), len(events), rng.randint(0, len(events))))
    erasures = [PersonalDataErased(occurred_at=_at(rng), reason="撤回同意", by="Ana")]
    erasures *= rng.choice((1, 1, 1, 2))
    return [*events[:place], *erasures, *map(without_personal, events[place:])]


def _stream(rng: Random, events: Sequence[Event]) -> list[Entry]:
    stream = UUID(int=rng.getrandbits(128) & ~0xFFFF)
    return [Entry(stream, n, event) for n, event in enumerate(events, 1)]


def _event(rng: Random, make: Any) -> Event:
    event: Event = make(rng)
    return event


def _at(rng: Random) -> datetime | None:
    """An instant within two years, microseconds and all; some are unknown, and some just now."""
    if (luck := rng.random()) < 3 / 16:
        return None if luck < 1 / 8 else datetime.now(UTC)
    return FIRST_DAY + timedelta(microseconds=rng.randrange(2 * 365 * 86_400 * 10**6))


def _details(rng: Random) -> dict[str, Any]:
    """Some values: profile fields and attributes of every JSON type."""
    possible: dict[str, Any] = {
        "source": rng.choice(SOURCES),
        "industry": rng.choice(("制造业", "信息技术", None)),
        "owner": rng.choice(PEOPLE),
        "team": rng.choice(("华东一组", None)),
        "phone": rng.choice(("13912345678", "010-6555 1234", None)),
        "email": rng.choice(("zhang.wei@example.cn", None)),
        "need": rng.choice(TEXTS),
        "level": rng.choice(("high", "unrated")),
        "customer": rng.choice(("A科技有限公司", "Ünïcode & Söhne", "李总13912345678")),
        "size": rng.choice((7, 1.5, True, None, "大", ["a", 1], {"deep": [None]})),
        "remark": rng.choice(TEXTS),
        "19-digit": str(rng.randrange(10**18, 10**19)),
    }
    names = rng.sample(sorted(possible), rng.randint(0, 4))
    return {name: possible[name] for name in names}


def _captured(rng: Random) -> Event:
    return e.LeadCaptured(
        occurred_at=_at(rng),
        code=f"XLSH20240501{rng.randrange(1000):03}",
        details=_details(rng),
        external_id=rng.choice((None, "1234567890123456789")),
        source_system=rng.choice((None, "crm")),
        by_command=rng.choice((None, True)),
        entered_by=rng.choice((None, "王芳")),
    )


def _assigned(rng: Random) -> Event:
    return e.LeadAssigned(
        occurred_at=_at(rng),
        owner=rng.choice(PEOPLE),
        team=rng.choice(("华东一组", "华南", None)),
        explanation=rng.choice(({}, {}, {"rule": "east", "candidates": _candidates(rng)})),
        details=_details(rng),
    )


def _candidates(rng: Random) -> list[dict[str, Any]]:
    names = rng.sample(("王芳", "李雷", "Ana", "Bo"), rng.randint(1, 3))
    return [{"person": name, "load": rng.randrange(9), "weight": 0.5} for name in names]


def _reassigned(rng: Random) -> Event:
    return e.LeadReassigned(
        occurred_at=_at(rng),
        owner=rng.choice(("王芳", "李雷", "Bo")),
        team=rng.choice(("华南", None)),
        previous_owner="王芳",
        reason=rng.choice(TEXTS),
    )


def _handed_over(rng: Random) -> Event:
    return e.LeadHandedOver(
        occurred_at=_at(rng),
        owner=rng.choice(("王芳", "李雷", "Bo")),
        team=rng.choice(("华南", None)),
        previous_owner="王芳",
        explanation=rng.choice(({}, {"rule": "east"})),
    )


def _pooled(rng: Random) -> Event:
    return e.LeadReleasedToPool(occurred_at=_at(rng), pool=rng.choice(("公海", "华南")))


def _claimed(rng: Random) -> Event:
    owner, team = rng.choice(("王芳", "Bo")), rng.choice(("华南", None))
    return e.LeadClaimed(occurred_at=_at(rng), owner=owner, team=team, pool="公海")


def _paused(rng: Random) -> Event:
    reason = rng.choice(("预算未批", "请回电13912345678"))
    return e.LeadPaused(occurred_at=_at(rng), reason=reason, resume_at=_at(rng))


def _resumed(rng: Random) -> Event:
    reason, by_clock = rng.choice(((None, None), ("客户回来了", None), (None, True)))
    return e.LeadResumed(occurred_at=_at(rng), reason=reason, by_clock=by_clock)


def _unassignable(rng: Random) -> Event:
    told = rng.choice((None, ("Ana",), ("Ana", "李雷")))
    return e.AssignmentFailed(occurred_at=_at(rng), reason="nobody is free", supervisors=told)


def _stage_changed(rng: Random) -> Event:
    return e.StageChanged(occurred_at=_at(rng), stage=rng.choice(STAGES))


def _follow_up(rng: Random) -> Event:
    outcome = rng.choice(("connected", "no_answer", "refused", "wrong_number"))
    return e.FollowUpRecorded(
        occurred_at=_at(rng),
        code=f"GJ20240501{rng.randrange(1000):03}",
        connected=outcome in ("connected", "refused"),
        outcome=outcome,
        by=rng.choice(PEOPLE),
        method=rng.choice(("电话沟通", "邮件", None)),
        content=rng.choice(TEXTS),
        feedback=rng.choice(TEXTS),
        next_step=rng.choice(TEXTS),
        next_step_due=rng.choice((None, FIRST_DAY.date())),
        stage=rng.choice((None, "已联系")),
        quality=rng.choice(({}, {"verdict": "vague", "late": True}, {"verdict": "attempt"})),
        details=_details(rng),
    )


def _attached(rng: Random) -> Event:
    return e.AttachmentAdded(
        occurred_at=_at(rng),
        attachment=UUID(int=rng.getrandbits(128)),
        name=f"A公司-{rng.choice(('手册', '报价13912345678'))}-20240502.pdf",
        content_type="application/pdf",
        size=rng.randrange(10**7),
        sha256=f"{rng.getrandbits(256):064x}",
        follow_up=rng.choice((None, "GJ20240501001")),
        warning=rng.choice((None, "call it otherwise")),
    )


def _converted(rng: Random) -> Event:
    amounts = (None, Decimal("85000.00"), Decimal("0.1"), Decimal(10) ** 15, Decimal("1E+3"))
    return e.LeadConverted(
        occurred_at=_at(rng),
        amount=rng.choice(amounts),
        basis=rng.choice(("contract_signed", "first_order", None)),
        details=_details(rng),
    )


def _revealed(rng: Random) -> Event:
    field, by = rng.choice(("phone", "need")), rng.choice(PEOPLE)
    return ContactRevealed(occurred_at=_at(rng), field=field, purpose="回访", by=by)


def _suspected(rng: Random) -> Event:
    by = rng.choice((("phone",), ("customer",), ("phone", "email")))
    return e.DuplicateSuspected(
        occurred_at=_at(rng), other=_other(rng), certain=by != ("customer",), by=by
    )


def _other(rng: Random) -> UUID:
    return UUID(int=rng.randrange(5))


MAKERS = (
    *time_histories.MAKERS,
    _captured,
    *[_assigned] * 5,  # whoever entered the lead is among the owners now and then
    _reassigned,
    _handed_over,
    _pooled,
    _claimed,
    _unassignable,
    lambda rng: e.LeadTeamChanged(occurred_at=_at(rng), team=rng.choice(("华东", None))),
    lambda rng: e.LeadScreened(occurred_at=_at(rng), accepted=rng.random() < 0.5),
    lambda rng: e.LeadShared(occurred_at=_at(rng), person=rng.choice(("王芳", "李雷"))),
    _paused,
    _paused,
    _resumed,
    _resumed,
    _stage_changed,
    _follow_up,
    _follow_up,
    _attached,
    _revealed,
    lambda rng: e.LeadInvalidated(occurred_at=_at(rng), reason=rng.choice((None, *TEXTS[1:4]))),
    lambda rng: e.LeadReopened(occurred_at=_at(rng)),
    _converted,
    _converted,
    lambda rng: e.ConversionReversed(occurred_at=_at(rng), reason="合同撤销"),
    lambda rng: e.InfoChanged(occurred_at=_at(rng), details=_details(rng)),
    lambda rng: e.InfoMarkedIncomplete(occurred_at=_at(rng), missing=("need", "phone|email")),
    lambda rng: e.InfoCompleted(occurred_at=_at(rng)),
    lambda rng: e.LeadLabelled(occurred_at=_at(rng), level="high", segment="决策层", rule="a"),
    lambda rng: e.LabelOverridden(occurred_at=_at(rng), level=rng.choice(("low", "medium"))),
    lambda rng: e.LabelCleared(occurred_at=_at(rng)),
    _suspected,
    lambda rng: e.DuplicateDismissed(occurred_at=_at(rng), other=_other(rng)),
    lambda rng: e.LeadsMerged(occurred_at=_at(rng), into=_other(rng), into_code="XLSH1"),
    lambda rng: e.MergeUndone(occurred_at=_at(rng), into=_other(rng)),
)
