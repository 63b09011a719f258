"""Rows of a history file as facts: every type, and everything that makes a row broken."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import uuid5
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import Event
from aggregates.lead import events as e
from commands.history import TYPES, Fact, HistoryRows, row_id, source_id
from commands.history_mapping import HistoryMapping
from commands.history_values import Broken

ZONE = ZoneInfo("Asia/Shanghai")
NOON = "2024-05-02T12:00:00"


def rows(**mapping: Any) -> HistoryRows:
    return HistoryRows("crm", ZONE, HistoryMapping(**mapping))


def fact(kind: str, data: Any, *, ts: str = NOON, lead: str = "12", on: Any = None) -> Fact:
    text = data if isinstance(data, str) else json.dumps(data)
    return (on or rows()).fact(("1", ts, lead, kind, text))


def event(kind: str, data: Any, **more: Any) -> Event:
    found = fact(kind, data, **more)
    return found.event("C1" if found.prefix else None)


AT = datetime(2024, 5, 2, 4, tzinfo=UTC)
CASES: list[tuple[str, dict[str, Any], Event]] = [
    (
        "LeadCreated",
        {"channel": "website", "city": "Pune", "owner": "Li", "floor": 3},
        e.LeadCaptured(
            occurred_at=AT,
            code="C1",
            external_id="12",
            source_system="crm",
            details={"city": "Pune", "owner": "Li", "floor": 3, "source": "website"},
        ),
    ),
    (
        "OwnerAssigned",
        {"owner": "Li", "team": "T", "region": "East"},
        e.LeadAssigned(occurred_at=AT, owner="Li", team="T", details={"region": "East"}),
    ),
    (
        "StatusChanged",
        {"to": "B", "from": "A"},
        e.StageChanged(occurred_at=AT, stage="B", previous="A"),
    ),
    ("FirstContacted", {}, e.FollowUpRecorded(occurred_at=AT, code="C1", connected=True)),
    (
        "ActivityLogged",
        {"kind": "call", "by": "Li", "status": "no answer", "seconds": 4},
        e.FollowUpRecorded(
            occurred_at=AT, code="C1", connected=False, outcome="no answer", by="Li",
            method="call", details={"seconds": 4},
        ),
    ),
    (
        "LeadConverted",
        {"amount": 0.1, "industry": "retail"},
        e.LeadConverted(occurred_at=AT, amount=Decimal("0.1"), details={"industry": "retail"}),
    ),
    ("LeadLost", {"reason": "price"}, e.LeadInvalidated(occurred_at=AT, reason="price")),
    ("LeadLost", {"reason": "回电13912345678"},
     e.LeadInvalidated(occurred_at=AT, note="回电13912345678")),
    ("LeadLost", {"reason": "王" * 41, "by": "li"},
     e.LeadInvalidated(occurred_at=AT, note='{"reason": "' + "王" * 41 + '", "by": "li"}')),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "data", "expected"), CASES, ids=[c[0] for c in CASES])
def test_every_type_becomes_its_event(kind: str, data: dict[str, Any], expected: Event) -> None:
    assert event(kind, data) == expected


def test_every_type_has_a_case() -> None:
    assert {kind for kind, *_ in CASES} == TYPES


@pytest.mark.parametrize("status", ["connected", "successful"])
def test_these_statuses_reached_the_customer(status: str) -> None:
    assert event("ActivityLogged", {"status": status}).connected  # type: ignore[attr-defined]


def test_a_mapping_says_what_else_does_and_renames() -> None:
    mapped = rows(
        connected=frozenset({"ok"}), types={"Won": "LeadConverted"}, keys={"sum": "amount"}
    )
    assert event("ActivityLogged", {"status": "ok"}, on=mapped).connected  # type: ignore[attr-defined]
    won = mapped.fact(("2", NOON, "12", "Won", '{"sum": 5}')).event(None)
    assert won == e.LeadConverted(occurred_at=AT, amount=Decimal(5))


@pytest.mark.parametrize(
    ("ts", "expected"),
    [
        ("", None),
        ("2024-05-02T12:00:00", AT),
        ("2024-05-02 12:00:00", AT),
        ("2024-05-02T04:00:00Z", AT),
        ("2024-05-02T00:00:00-04:00", AT),
    ],
)
def test_times_are_the_companys_unless_they_say_otherwise(ts: str, expected: datetime) -> None:
    assert event("LeadLost", {}, ts=ts).occurred_at == expected


def test_ids_are_text_and_name_the_stream() -> None:
    long, short, padded = (
        fact("LeadLost", {}, lead=i) for i in ("9007199254740993001", "12", "0012")
    )
    assert len({long.stream, short.stream, padded.stream}) == 3
    assert long.stream == uuid5(source_id("crm"), "9007199254740993001")


def test_missing_values_change_nothing() -> None:
    assert event("LeadCreated", {"channel": None, "industry": ""}).details == {}  # type: ignore[attr-defined]


def test_amounts_are_exact_and_attributes_keep_their_type() -> None:
    text = '{"amount": 12345678901.05, "score": 1.50, "hot": true, "n": 3}'
    won = event("LeadConverted", text)
    assert won == e.LeadConverted(
        occurred_at=AT,
        amount=Decimal("12345678901.05"),
        details={"score": 1.5, "hot": True, "n": 3},
    )


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("1", NOON, "12", "Nonsense", "{}"), "no type 'Nonsense'"),
        (("x", NOON, "12", "LeadLost", "{}"), "seq 'x'"),
        (("", NOON, "12", "LeadLost", "{}"), "seq"),
        ((str(2**63), NOON, "12", "LeadLost", "{}"), "64 bits"),
        (("1", "yesterday", "12", "LeadLost", "{}"), "yesterday"),
        (("1", NOON, "", "LeadLost", "{}"), "lead_id"),
        (("1", NOON, "12", "LeadLost", "[]"), "object"),
        (("1", NOON, "12", "LeadLost", "{"), "JSON"),
        (("1", NOON, "12", "LeadLost", '{"reason": "a\\u0000b"}'), "NUL"),
        (("1", NOON, "12", "LeadLost", '{"reason": "\\ud800"}'), "surrogate"),
        (("1", NOON, "12", "LeadConverted", '{"amount": "much"}'), "amount"),
        (("1", NOON, "12", "LeadConverted", '{"amount": true}'), "amount"),
        (("1", NOON, "12", "LeadConverted", '{"amount": NaN}'), "NaN"),
        (("1", NOON, "12", "StatusChanged", "{}"), "`to`"),
        (("1", NOON, "12", "LeadLost"), "4 cells"),
    ],
)
def test_a_broken_row_says_why(cells: tuple[str, ...], reason: str) -> None:
    with pytest.raises(Broken, match=reason):
        rows().fact(cells)


def test_a_seq_stands_once_in_a_file() -> None:
    file = rows()
    fact("LeadLost", {}, on=file)
    with pytest.raises(Broken, match="seq 1 stands twice"):
        fact("LeadLost", {}, on=file)


def test_a_rows_command_id_is_a_uuid_of_version_5() -> None:
    namespace = source_id("crm")
    for seq in range(-40, 400):
        assert row_id(namespace, seq) == str(uuid5(namespace, f"row:{seq}"))
