"""Rows of a history file as facts about leads: one row, one event (A30, A31; golden case 6's ids).

Imported facts are never refused by today's rules; a row is `Broken` only when it cannot be
understood or stored. Nothing in a row is dropped: what is no field of its event stays in the
event's details. Pure, so the same row gives the same event for ever, but for its code.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from hashlib import sha1
from typing import Any, NamedTuple
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.privacy import holds_contact
from aggregates.values import FOLLOW_UP_PREFIX, LEAD_PREFIX
from commands.history_mapping import HistoryMapping
from commands.history_values import (
    Broken,
    amount,
    attribute,
    free_text,
    instant,
    json_object,
    short_text,
    storable,
)
from commands.seen import Seen

HEADER = ("seq", "ts", "lead_id", "type", "data")
HISTORY = UUID("3c0a9d1e-58c4-4d1b-9a55-2f7f6f1c8b60")
LONGEST_ID = 255
LONGEST_CLASS = 40
"""Characters of a reason for a loss that stays clear, for it is one of few."""
LARGEST_SEQ = 2**63 - 2  # one less than a bigint: ranges of seqs end behind their last
CACHED_LEADS = 50_000
CACHED_TIMES = 5_000

Data = dict[str, Any]


class Fact(NamedTuple):
    """A row understood: an event that lacks only its code, and whom it names."""

    seq: int
    stream: UUID
    kind: type[Event]
    values: Mapping[str, Any]
    people: Sequence[str]
    teams: Sequence[str]

    @property
    def prefix(self) -> str | None:
        """The prefix of the code that the event needs, if it needs one."""
        return _PREFIXES.get(self.kind)

    def event(self, code: str | None) -> Event:
        """The event; `code` is None exactly where there is no prefix."""
        coded: dict[str, Any] = {"code": code} if code else {}
        return self.kind(**coded, **self.values)


# The first hex digit of a UUID's fourth group: its two high bits are the variant's.
_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
_PROFILE = frozenset(e.PROFILE)
_PREFIXES: Mapping[type[Event], str] = {
    e.LeadCaptured: LEAD_PREFIX,
    e.FollowUpRecorded: FOLLOW_UP_PREFIX,
}


def source_id(source: str) -> UUID:
    """The namespace of everything that a source of histories names."""
    return uuid5(HISTORY, source)


def row_id(namespace: UUID, seq: int) -> str:
    """The command id of a row: its effect has a name, whoever imports it and when.

    The text of uuid5(namespace, "row:<seq>") (RFC 9562, section 5.5), without the UUID object
    that costs more than all the rest of a row's envelope.
    """
    h = sha1(namespace.bytes + b"row:%d" % seq, usedforsecurity=False).hexdigest()
    variant = _VARIANT[h[16]]
    return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{variant}{h[17:20]}-{h[20:32]}"


class HistoryRows:
    """Reads the rows of one file of a source, in the order of the file.

    A lead's stream is uuid5(source, lead id); naive times are local to `zone`.
    """

    def __init__(self, source: str, zone: ZoneInfo, mapping: HistoryMapping) -> None:
        namespace = source_id(source)
        self.source = source
        self.mapping = mapping
        self._stream = lru_cache(CACHED_LEADS)(lambda lead_id: uuid5(namespace, lead_id))
        self._instant: Callable[[str], datetime | None] = lru_cache(CACHED_TIMES)(
            lambda ts: instant(ts, zone)
        )
        self._seen = Seen()

    def fact(self, cells: Sequence[str]) -> Fact:
        """The fact of a row's five cells; raises Broken."""
        if len(cells) != len(HEADER):
            raise Broken(f"{len(cells)} cells instead of {len(HEADER)}: is the row cut?")
        seq, ts, lead_id, kind, text = cells
        number = _seq(seq)
        handler = HANDLERS.get(self.mapping.types.get(kind, kind))
        if handler is None:
            raise Broken(f"there is no type {kind[:40]!r}: known are {', '.join(HANDLERS)}")
        at, stream = self._instant(ts), self._stream(_lead_id(lead_id))
        event, values, people, teams = handler(self._renamed(json_object(text)), lead_id, self)
        if not self._seen.add(number):
            raise Broken(f"seq {number} stands twice in this file")
        values["occurred_at"] = at
        return Fact(number, stream, event, values, people, teams)

    def _renamed(self, data: Data) -> Data:
        """The data under our names for its keys."""
        names = self.mapping.keys
        if not names:
            return data
        renamed = {names.get(key, key): value for key, value in data.items()}
        if len(renamed) < len(data):
            raise Broken(f"two keys mean the same after the mapping: {', '.join(sorted(data))}")
        return renamed


def _seq(text: str) -> int:
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and abs(seq := int(text)) <= LARGEST_SEQ:
        return seq
    raise Broken(f"seq {text[:40]!r} is no whole number that fits into 64 bits")


def _lead_id(text: str) -> str:
    if not text.strip() or len(text) > LONGEST_ID:
        raise Broken(f"lead_id is a text of 1 to {LONGEST_ID} characters")
    return storable(text)


_Read = tuple[type[Event], dict[str, Any], Sequence[str], Sequence[str]]


def _created(data: Data, lead_id: str, rows: HistoryRows) -> _Read:
    details = _details(data)
    values = {"details": details, "external_id": lead_id, "source_system": rows.source}
    return e.LeadCaptured, values, _given(details, "owner"), _given(details, "team")


def _assigned(data: Data, *_: Any) -> _Read:
    values = _fields(data, {"owner": "owner", "team": "team"})
    people, teams = _given(values, "owner"), _given(values, "team")
    return e.LeadAssigned, {**values, "details": _details(data)}, people, teams


def _stage_changed(data: Data, *_: Any) -> _Read:
    if "to" not in data:
        raise Broken("StatusChanged has no `to`, the status that the lead entered")
    values = _fields(data, {"to": "stage", "from": "previous"})
    if data:
        reason = data.pop("reason") if data.keys() == {"reason"} else data
        values["reason"] = _note(reason)
    return e.StageChanged, values, (), ()


def _activity(data: Data, _: str, rows: HistoryRows) -> _Read:
    values = _fields(data, {"kind": "method", "by": "by", "status": "outcome"})
    connected = values.get("outcome") in rows.mapping.connected
    details = {key: attribute(value) for key, value in data.items()}
    by = _given(values, "by")
    return e.FollowUpRecorded, {**values, "connected": connected, "details": details}, by, ()


def _first_contact(data: Data, lead_id: str, rows: HistoryRows) -> _Read:
    event, values, people, teams = _activity(data, lead_id, rows)
    return event, {**values, "connected": True}, people, teams


def _converted(data: Data, *_: Any) -> _Read:
    worth = amount(data.pop("amount")) if "amount" in data else None
    details = _details(data)
    people, teams = _given(details, "owner"), _given(details, "team")
    return e.LeadConverted, {"amount": worth, "details": details}, people, teams


def _lost(data: Data, *_: Any) -> _Read:
    """What is too long for a class of reasons, or holds contact details, is a note."""
    said = data.get("reason")
    is_class = isinstance(said, str) and len(said) <= LONGEST_CLASS and not holds_contact(said)
    reason = _note(data.pop("reason")) if is_class else None
    note = said if data.keys() == {"reason"} else data
    return e.LeadInvalidated, {"reason": reason, "note": _note(note) if data else None}, (), ()


_Handler = Callable[[Data, str, HistoryRows], _Read]
HANDLERS: Mapping[str, _Handler] = {
    "LeadCreated": _created,
    "OwnerAssigned": _assigned,
    "StatusChanged": _stage_changed,
    "FirstContacted": _first_contact,
    "ActivityLogged": _activity,
    "LeadConverted": _converted,
    "LeadLost": _lost,
}
TYPES = frozenset(HANDLERS)


def _fields(data: Data, names: Mapping[str, str]) -> dict[str, Any]:
    """Take the keys that are fields of the event out of the data."""
    return {field: short_text(key, data.pop(key)) for key, field in names.items() if key in data}


def _details(data: Data) -> dict[str, Any]:
    """What changes the lead itself: its own fields are texts, attributes keep their type."""
    if "channel" in data and "source" not in data:
        data["source"] = data.pop("channel")
    return {key: _detail(key, value) for key, value in data.items()}


def _detail(key: str, value: Any) -> Any:
    if key not in _PROFILE:
        return attribute(value)
    return free_text(key, value) if key == "need" else short_text(key, value)


def _note(value: Any) -> str:
    """A text as it stands; whatever else, as JSON."""
    plain = attribute(value)
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)


def _given(values: Mapping[str, Any], key: str) -> Sequence[str]:
    return (values[key],) if key in values else ()
