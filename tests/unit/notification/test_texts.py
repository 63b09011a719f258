"""The texts of messages: in two languages, masked, and never more than they should be."""

import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email.headerregistry import Address
from itertools import count
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from adapters.mail import Mail, message_id
from adapters.message_texts import MessageTexts
from adapters.notification_settings import smtp_server
from adapters.postgres.codec import EVENT_TYPES
from aggregates.event import Event, Recorded
from aggregates.lead.events import LeadCaptured
from aggregates.notification.channels import LANGUAGES
from commands.notifications import Message
from projections.base import WorkingSet
from projections.messages import KINDS, NOTIFICATIONS, MessageRow
from projections.notifications import PROJECTION
from tests.canaries import Canaries
from tests.unit.lead.given import LEAD

AT = datetime(2024, 5, 1, 16, 0, tzinfo=UTC)
TEXTS = MessageTexts(ZoneInfo("Asia/Shanghai"))
ABOUT = {
    "level": "high", "owner": "chen", "team": "east", "task": "回访",
    "missing": "need, phone|email", "review": "weekly", "since": "2024-04-29",
    "until": "2024-05-06", "total": 3,
}  # fmt: skip
INJECTIONS = (
    "A公司\r\nBcc: everybody@example.cn\r\n\r\n<h1>",
    "A公司\nSubject: other",
    "\x00\x07\x1b[31mA公司",
    "A\u2028B\u2029C\x85D\x0bE\x0cF",
    "\u202ereversed\u2066",
    "=?utf-8?q?=0D=0ABcc=3A_x?=",
    "{{ 7 * 7 }}{% for x in [] %}",
    "长" * 5000,
)


def message(kind: str, customer: str | None = "A科技", **about: object) -> Message:
    return Message(UUID(int=7), kind, "王芳", 1, AT, AT, "XLSH1", customer, ABOUT | about, AT)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_its_text_in_every_language(kind: str, language: str) -> None:
    """R36: names whom it is for and what about; times are the company's."""
    text = TEXTS(message(kind), language)
    assert "王芳" in text.body
    if kind != "review":
        assert "A科技 XLSH1" in text.subject
        assert "A科技 XLSH1" in text.body
    else:
        assert "2024-05-05" in text.subject, "the last day of the period, not the one behind it"
    assert "16:00" not in text.body
    assert not re.search(r"None|\{\{|\}\}|\bhigh\b(?! intent)", text.subject + text.body)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_unknown_leaves_no_trace(kind: str, language: str) -> None:
    text = TEXTS(Message(UUID(int=7), kind, "王芳", 1, AT), language)
    assert not re.search(r"None|Undefined|\{\{", text.subject + text.body)


def test_times_are_those_of_the_company() -> None:
    """16:00 UTC is midnight in Shanghai, of the next day."""
    assert "2024-05-02 00:00" in TEXTS(message("first-follow-up"), "zh").body


@pytest.mark.parametrize("customer", INJECTIONS, ids=range(len(INJECTIONS)))
@pytest.mark.parametrize("kind", KINDS)
def test_no_customers_name_adds_a_header_or_a_line(kind: str, customer: str) -> None:
    """Whatever stands in a value stays one bounded line of text, in subject and body."""
    plain, odd = (TEXTS(message(kind, name, task=name), "en") for name in ("A", customer))
    assert odd.subject.isprintable()
    assert len(odd.body.splitlines()) == len(plain.body.splitlines())
    assert len(odd.subject) <= 200
    assert len(odd.body) < len(plain.body) + 500
    assert "49" not in odd.subject
    mail = Mail(smtp_server("smtp://mail.example.com"), Address("线索", "leads", "example.com"))
    letter = mail.letter(message(kind, customer), "chen@example.com", odd)
    read = dict(letter.items())
    assert set(read) == {
        "From", "To", "Subject", "Date", "Auto-Submitted", "Message-ID", "MIME-Version",
        "Content-Type", "Content-Transfer-Encoding",
    }  # fmt: skip
    assert letter["To"] == "chen@example.com"
    head, _, _ = letter.as_bytes().partition(b"\r\n\r\n")
    assert not re.search(rb"(?im)^bcc", head)
    assert b"\n" not in head.replace(b"\r\n", b"")


def test_the_message_id_is_the_messages_own() -> None:
    """Decision 20: the same for every attempt, another for every message."""
    assert message_id(UUID(int=7), "a.cn") == message_id(UUID(int=7), "a.cn")
    assert message_id(UUID(int=7), "a.cn") != message_id(UUID(int=8), "a.cn")


def events(canaries: Canaries) -> Iterator[Sequence[Event]]:
    """Every event that a message can come from, behind a capture, with a canary in each text."""
    for cls in PROJECTION.events:
        captured = canaries.event(LeadCaptured, source_system=None)
        yield [captured, canaries.event(cls)]
        for owner in ("complete-info", "next-step", "stage"):
            if "kind" in cls.__dataclass_fields__:
                yield [captured, canaries.event(cls, kind=owner)]


def test_nothing_that_people_typed_is_in_any_message() -> None:
    """A4: canaries in every text of every event: phone, e-mail and free text are in no message."""
    canaries = Canaries(count(10_000_000), {})
    seen: set[str] = set()
    for commit in events(canaries):
        working = WorkingSet()
        for version, event in enumerate(commit, 1):
            at = event.occurred_at or AT
            PROJECTION.fold(working, [Recorded(version, LEAD, version, at, event)])
        rows: Sequence[MessageRow] = list(working.rows(NOTIFICATIONS).values())
        for row in rows:
            seen.add(row.kind)
            made = Message(
                row.id, row.kind, "chen", row.position, AT, AT, row.code, row.customer,
                row.about, row.due_at,
            )  # fmt: skip
            for language in LANGUAGES:
                try:
                    text = TEXTS(made, language)
                except ValueError:  # a canary where a date stands
                    continue
                leaks = canaries.leaks(text.subject + text.body)
                assert not [place for place in leaks if not _ours(place)], row.kind
    assert seen >= {"first-follow-up", "complete-info", "info-overdue", "escalated"}


def _ours(place: str) -> bool:
    """A code, our own people and teams, a level: names under which no contact details stand."""
    clear = ("code", "owner", "team", "level", "responsible", "supervisors", "stage", "kind")
    return place.rpartition(".")[2] in clear


def test_every_event_with_a_message_is_one_of_the_log() -> None:
    assert {event.topic for event in PROJECTION.events} <= EVENT_TYPES.keys()
