"""What of an event is personal, by its class and by the names of its values (decision 8, R113)."""

import json
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any, get_args, get_type_hints

import pytest

from adapters.postgres.codec import EVENT_TYPES, decode, encode, encode_meta
from aggregates.event import PERSONAL, Event
from aggregates.lead import events as e
from aggregates.personal import counts, personal_values, without_personal
from tests.canaries import CANARY, Canaries, canaries
from tests.conformance.examples import META

CLEAR_TEXTS = {
    # codes and ids
    "code", "into_code", "external_id", "follow_up", "sha256", "content_type",
    # the company's own people, teams, pools and systems
    "owner", "previous_owner", "team", "previous_team", "pool", "person", "by", "entered_by",
    "responsible", "supervisors", "source_system", "first_erased_by",
    # one of a list that the company or the product keeps
    "stage", "previous", "level", "segment", "method", "outcome", "basis", "rule", "missing",
    "task", "kind", "month", "field", "clocks", "policy", "calendar",
    # said for an access or an erasure, checked to hold no contact details, and to outlive the lead
    "purpose",
    # what rules found out, from fields that reports group by
    "explanation", "quality", "evidence",
    # typed values among them go by their names
    "details",
}  # fmt: skip
REASONS_OF_A_LIST = {
    "lead.screened", "lead.assignment-failed", "lead.invalidated", "lead.late-reason-recorded",
    "lead.deadlines-moved", "lead.invalidation-proposed", "lead.personal-data-erased",
}  # fmt: skip
"""Whose `reason` is one of a policy's, the product's own or said of an erasure."""
LEAD_TYPES = [cls for topic, cls in EVENT_TYPES.items() if topic.startswith("lead.")]
DETAILS = {
    "customer": "A科技有限公司",
    "contact": "李经理",
    "contact_title": "采购经理",
    "phone": "13912345678",
    "email": "li@example.cn",
    "need": "需采购办公自动化系统",
}
CLASSES = {"source": "官网注册", "industry": "信息技术", "region": "华东", "owner": "王芳"}


def holds_text(hint: Any) -> bool:
    if is_dataclass(hint):
        return any(map(holds_text, get_type_hints(hint).values()))
    return hint is str or any(map(holds_text, get_args(hint)))


def is_declared(hint: Any) -> bool:
    return PERSONAL in getattr(hint, "__metadata__", ()) or any(map(is_declared, get_args(hint)))


def texts(cls: type[Event]) -> Iterator[tuple[str, Any]]:
    """The fields of a type that may hold a text."""
    hints = get_type_hints(cls, include_extras=True)
    return ((f.name, hints[f.name]) for f in fields(cls) if holds_text(hints[f.name]))


@pytest.mark.parametrize("cls", LEAD_TYPES, ids=lambda cls: cls.topic)
def test_every_text_of_a_lead_is_personal_or_clear_for_a_cause(cls: type[Event]) -> None:
    """A field of a later day fails here until somebody decides what it is."""
    for name, hint in texts(cls):
        clear = name in CLEAR_TEXTS or (name == "reason" and cls.topic in REASONS_OF_A_LIST)
        assert is_declared(hint) is not clear, f"{cls.topic}: {name}"
        if not clear:
            assert type(None) in get_args(hint), f"{cls.topic}: {name} cannot be erased"


@pytest.mark.parametrize(
    "cls", [cls for cls in EVENT_TYPES.values() if cls not in LEAD_TYPES], ids=lambda c: c.topic
)
def test_only_leads_have_what_is_personal(cls: type[Event]) -> None:
    """The company's own people are no customers; nothing else has a key."""
    assert not any(is_declared(hint) for _, hint in texts(cls))


def marked(cls: type[Event]) -> tuple[Canaries, Event]:
    made = canaries()
    return made, made.event(cls)


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=lambda cls: cls.topic)
def test_no_text_that_may_be_personal_is_written_in_clear(cls: type[Event]) -> None:
    """Architecture section 7: whatever stands in a text, only what is declared clear is read."""
    made, event = marked(cls)
    sealed: list[bytes] = []

    def seal(plain: bytes) -> bytes:
        sealed.append(plain)
        return b"nonce, ciphertext and tag"

    state = encode(event, encode_meta(META), seal)
    clear = {name for name, hint in texts(cls) if not is_declared(hint) and name != "details"}
    leaks = {place.removeprefix(f"{cls.__name__}.") for place in made.leaks(state.decode())}
    if cls not in (e.LeadCaptured, e.InfoChanged):
        leaks.discard("details.(attribute)")  # of a history
    assert {place.partition(".")[0] for place in leaks} <= clear
    assert len(sealed) <= 1, "one nonce for an event"
    if found := personal_values(event):
        assert json.loads(sealed[0]) == json.loads(json.dumps(found))
        assert CANARY.search(sealed[0].decode())


@pytest.mark.parametrize("cls", EVENT_TYPES.values(), ids=lambda cls: cls.topic)
def test_without_its_key_an_event_reads_as_the_erased_one(cls: type[Event]) -> None:
    """What `without_personal` says of an event in memory is what the log says of it later."""
    _, event = marked(cls)
    state = encode(event, encode_meta(META), lambda plain: plain[::-1])
    assert decode(cls.topic, state)[0] == without_personal(event)
    assert decode(cls.topic, state, lambda sealed: sealed[::-1])[0] == event
    assert personal_values(without_personal(event)) == {}


def captured(**given: Any) -> Event:
    return e.LeadCaptured(code="XLSH20240501001", **given)


def test_the_customer_is_personal_and_what_reports_group_by_is_not() -> None:
    assert personal_values(captured(details=DETAILS | CLASSES)) == {"details": DETAILS}


ATTRIBUTES = {"预算": "约二十万", "conveyed": ["周五", {"at": "晚"}], "note": {"a": 1}}
FIGURES = {"员工数": 120, "预算": 85000.5, "是否老客户": True}


def test_attributes_that_somebody_typed_are_personal_if_they_are_no_figures() -> None:
    """Decision 8: reports group by the attributes of a history, which stay clear."""
    details = ATTRIBUTES | {"size": 120}
    typed = {"details": ATTRIBUTES}
    assert personal_values(captured(details=details)) == typed
    of_command = {"source_system": "crm", "by_command": True}
    assert personal_values(captured(details=details, **of_command)) == typed
    assert personal_values(e.InfoChanged(details=details)) == typed
    assert personal_values(captured(details=details, source_system="crm")) == {}
    assert personal_values(e.LeadConverted(details=details)) == {}
    assert personal_values(captured(details=FIGURES)) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("备用", 13912345678),
        ("备用", 13912345678.0),
        ("备用", "13912345678"),
        ("13912345678", 1),
        ("li@example.cn", True),
        ("备用", [1]),
        ("备用", {"a": 1}),
    ],
)
def test_a_figure_that_may_be_a_contact_is_personal(name: str, value: Any) -> None:
    assert not counts(name, value)
    assert personal_values(captured(details={name: value})) == {"details": {name: value}}


@pytest.mark.parametrize("value", [None, "", 0, False, [], {}])
def test_an_empty_value_is_not_personal(value: Any) -> None:
    """It takes the one before it away, also once the lead is erased."""
    details = dict.fromkeys((*DETAILS, "备用"), value)
    event = e.InfoChanged(details=details)
    assert personal_values(event) == {}
    assert without_personal(event) == event
    assert personal_values(e.LeadPaused(reason="")) == {}


def test_what_a_history_says_of_a_contact_is_personal() -> None:
    """Its attributes of a lead are dimensions; what somebody noted of a talk is none."""
    contact = e.FollowUpRecorded(code="G1", connected=True, details={"note": "王总", "seconds": 30})
    assert personal_values(contact) == {"details": {"note": "王总"}}


def test_an_erased_event_keeps_what_is_not_personal() -> None:
    event = e.FollowUpRecorded(code="G1", connected=True, method="电话沟通", content="谈了价格")
    assert without_personal(event) == e.FollowUpRecorded(
        code="G1", connected=True, method="电话沟通"
    )
    assert without_personal(captured(details=DETAILS | CLASSES)) == captured(details=CLASSES)
