"""What a command accepts, from JSON and from Python, and what it makes of it."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from commands.fields import Command
from commands.lead.entry import CaptureLead, ClearLabel, CompleteInfo, SetLabel
from commands.lead.outcome import ConvertLead, InvalidateLead, ReopenLead, ReverseConversion
from commands.lead.ownership import AssignLead
from commands.lead.work import AdvanceLead, RecordFollowUp
from commands.leads import WIRING

MODELS = list(WIRING)


def parsed(model: type[Command], **fields: Any) -> Any:
    return model.model_validate_json(json.dumps(fields))


def refused(model: type[Command], **fields: Any) -> list[tuple[int | str, ...]]:
    with pytest.raises(ValidationError) as error:
        parsed(model, **fields)
    return [item["loc"] for item in error.value.errors()]


@pytest.mark.parametrize("model", MODELS)
def test_unknown_fields_are_refused(model: type[Command]) -> None:
    example = model.model_json_schema()["examples"][0]
    assert refused(model, **example, unknown=1) == [("unknown",)]


@pytest.mark.parametrize("model", MODELS)
def test_a_command_never_changes(model: type[Command]) -> None:
    command = parsed(model, **model.model_json_schema()["examples"][0])
    with pytest.raises(ValidationError, match="frozen"):
        setattr(command, next(iter(model.model_fields)), "x")


@pytest.mark.parametrize(
    ("model", "required"),
    [
        (CaptureLead, ["customer"]),
        (CompleteInfo, []),
        (SetLabel, ["level"]),
        (ClearLabel, []),
        (AssignLead, ["owner"]),
        (AdvanceLead, ["stage"]),
        (RecordFollowUp, []),
        (InvalidateLead, ["reason"]),
        (ReopenLead, []),
        (ConvertLead, []),
        (ReverseConversion, ["reason"]),
    ],
)
def test_what_is_required_is_required_and_not_blank(
    model: type[Command], required: list[str]
) -> None:
    assert [name for name, f in model.model_fields.items() if f.is_required()] == required
    for name in required:
        assert refused(model) == [(name,)]
        assert refused(model, **{name: " \n"}) == [(name,)]


LONGEST = {
    "customer": 200, "contact": 100, "source": 100, "need": 8000, "owner": 100,
    "campaign": 100, "region": 100, "industry": 100, "customer_type": 100, "team": 100,
}  # fmt: skip


@pytest.mark.parametrize(("name", "longest"), LONGEST.items())
def test_texts_have_a_longest_length(name: str, longest: int) -> None:
    fields = {"customer": "A", name: "长" * longest}
    assert getattr(parsed(CaptureLead, **fields), name) == "长" * longest
    assert refused(CaptureLead, **{**fields, name: "长" * (longest + 1)}) == [(name,)]


@pytest.mark.parametrize(
    ("name", "typed", "kept"),
    [("phone", "+86 139 1234 5678", "13912345678"), ("email", "z.w@Example.CN", "z.w@example.cn"),
     ("phone", " ", ""), ("email", "", "")],
)  # fmt: skip
def test_contact_details_are_kept_in_their_one_form(name: str, typed: str, kept: str) -> None:
    """R18, R30; tests/unit/test_contact.py has the forms."""
    assert getattr(parsed(CaptureLead, customer="A", **{name: typed}), name) == kept


@pytest.mark.parametrize(
    ("name", "typed"), [("phone", "1391234567"), ("email", "a@b"), ("email", "a@b.cn\u0000")]
)
def test_what_is_no_contact_detail_is_refused(name: str, typed: str) -> None:
    assert refused(CaptureLead, customer="A", **{name: typed}) == [(name,)]


@pytest.mark.parametrize(
    ("amount", "kept"),
    [("85000", "85000.00"), ("0", "0.00"), ("0.1", "0.10"), (85000, "85000.00"),
     ("999999999999.99", "999999999999.99")],
)  # fmt: skip
def test_money_is_kept_to_the_cent(amount: Any, kept: str) -> None:
    assert str(parsed(ConvertLead, amount=amount).amount) == kept


@pytest.mark.parametrize(
    "amount",
    [0.1, 85000.0, "-1", "-0", "1.234", "1e5", "NaN", "Infinity", " 1 ", "1_000", "1,000", "١٢",
     "1000000000000", "", True, [], "+1"],
)  # fmt: skip
def test_what_is_no_exact_amount_is_refused(amount: Any) -> None:
    assert refused(ConvertLead, amount=amount) == [("amount",)]


@given(st.decimals(0, Decimal("999999999999.99"), places=2))
def test_an_amount_given_in_python_is_the_one_given_in_json(amount: Decimal) -> None:
    assert ConvertLead(amount=amount).amount == parsed(ConvertLead, amount=str(amount)).amount


def test_times_carry_an_offset_and_become_utc() -> None:
    command = parsed(ConvertLead, converted_at="2024-05-20T11:00:00+08:00")
    assert command.converted_at == datetime(2024, 5, 20, 3, tzinfo=UTC)
    assert command.converted_at.tzinfo is UTC


@pytest.mark.parametrize(
    "time",
    ["2024-05-20T11:00:00", "2024-05-20", 1716174000, "1716174000", "today",
     "0001-01-01T00:00:00+08:00", "9999-12-31T23:59:59-08:00", "2024-02-30T00:00:00Z"],
)  # fmt: skip
def test_other_times_are_refused(time: Any) -> None:
    assert refused(ConvertLead, converted_at=time) == [("converted_at",)]


def test_a_due_date_is_a_date_and_nothing_more() -> None:
    assert parsed(RecordFollowUp, next_step_due="2024-05-10").next_step_due == date(2024, 5, 10)
    for other in ("2024-02-30", "2024-05-10T00:00:00Z", "0001-01-01", 20240510):
        assert refused(RecordFollowUp, next_step_due=other) == [("next_step_due",)]


def test_outcomes_are_a_closed_list() -> None:
    assert parsed(RecordFollowUp).outcome == "connected"
    assert refused(RecordFollowUp, outcome="Connected") == [("outcome",)]


def test_attributes_are_up_to_50_scalars_in_one_order() -> None:
    wanted = {"b": 1, "a": 1.5, "颜色": " 红 ", "vip": True, "z": 0}
    command = parsed(CaptureLead, customer="A", attributes=wanted)
    assert list(command.attributes.items()) == [
        ("a", 1.5), ("b", 1), ("vip", True), ("z", 0), ("颜色", "红"),
    ]  # fmt: skip
    assert command.attributes["vip"] is True
    assert (
        len(
            parsed(CaptureLead, customer="A", attributes={f"k{n}": n for n in range(50)}).attributes
        )
        == 50
    )
    assert refused(CaptureLead, customer="A", attributes={f"k{n}": n for n in range(51)})


@pytest.mark.parametrize(
    "value",
    [None, [], {}, "x" * 1001, "a\0", 2**53, -(2**53), 1234567890123456789, 1e300,
     float("nan"), float("inf")],
)  # fmt: skip
def test_an_attribute_that_could_not_be_kept_exactly_is_refused(value: Any) -> None:
    assert refused(CaptureLead, customer="A", attributes={"k": value}) == [("attributes", "k")]


@pytest.mark.parametrize("name", ["source", "industry", "region", "customer_type", "campaign"])
@pytest.mark.parametrize("value", ["展会 13912345678", "li@example.cn", "+86 139-1234-5678"])
def test_a_class_is_no_place_for_contact_details(name: str, value: str) -> None:
    """A4: what reports group by is shown in clear, so nothing personal may get in by command."""
    assert refused(CaptureLead, customer="A", **{name: value}) == [(name,)]
    assert parsed(CaptureLead, customer="A", **{name: "20240501123456789"})


@pytest.mark.parametrize("name", ["owner", "phone", "level", "need"])
def test_a_field_of_the_lead_cannot_hide_among_the_attributes(name: str) -> None:
    assert refused(CaptureLead, customer="A", attributes={name: "x"}) == [("attributes",)]


@given(st.text(st.characters(exclude_characters="\x1c\x1d\x1e\x1f"), max_size=200))
def test_any_text_is_kept_stripped_or_refused(text: str) -> None:
    try:
        command = CaptureLead.model_validate_json(
            json.dumps({"customer": text}, ensure_ascii=False).encode("utf-8", "surrogatepass")
        )
    except ValidationError:
        assert not text.strip() or "\0" in text or any("\ud800" <= c <= "\udfff" for c in text)
    else:
        assert command.customer == text.strip()
