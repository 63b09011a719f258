"""The read tables as they follow from a log, for the checker: written from the documentation alone.

Where the product folds event by event, this looks at a lead's whole history at once. Free text may
hold mobile numbers (eleven digits, from 1) and e-mail addresses.
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

Row = dict[str, Any]

PROFILE = (
    "source", "industry", "region", "customer_type", "campaign", "customer", "contact",
    "contact_title", "phone", "email", "need", "owner", "team", "level", "segment",
)  # fmt: skip
CONVERSION_TOPICS = {
    "lead.captured", "lead.assigned", "lead.reassigned",
    "lead.converted", "lead.conversion-reversed",
}  # fmt: skip
TOPICS = {
    "leads": CONVERSION_TOPICS
    | {"lead.stage-changed", "lead.follow-up-recorded", "lead.invalidated", "lead.reopened"},
    "follow_ups": {"lead.follow-up-recorded"},
    "stages": {"lead.stage-changed"},
    "conversions": CONVERSION_TOPICS,
}


@dataclass(frozen=True)
class Fact:
    """An event as stored, its state parsed by the standard library."""

    position: int
    stream: UUID
    version: int
    recorded_at: datetime
    topic: str
    data: dict[str, Any]

    @property
    def at(self) -> datetime | None:
        """When it happened."""
        text = self.data.get("occurred_at")
        return datetime.fromisoformat(text) if text else None

    @property
    def command(self) -> UUID | None:
        """The command it came from; None for imports and for applications of the library."""
        meta = self.data.get("meta", {})
        if str(meta.get("actor")).partition(":")[0] not in ("user", "process", "operator"):
            return None
        return UUID(meta["command_id"])

    @property
    def text(self) -> str:
        """What it says itself, as one text: what was before is another event's word."""
        own = {n: v for n, v in self.data.items() if not n.startswith("previous")}
        return json.dumps(own, ensure_ascii=False)

    @property
    def values(self) -> list[tuple[str, Any]]:
        """What it says about the lead: (name, value), in order."""
        said = list(self.data.get("details", {}).items())
        if self.topic == "lead.assigned":
            said += [(n, self.data[n]) for n in ("owner", "team") if self.data.get(n)]
        elif self.topic == "lead.reassigned":
            said = [(n, self.data.get(n)) for n in ("owner", "team")]
        elif self.topic not in ("lead.captured", "lead.converted"):
            said = []
        return said


History = Sequence[Fact]


def leads(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `leads`."""
    return {"leads": [_lead(own) for own in _histories(facts, "leads").values()]}


def follow_ups(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `follow_ups`."""
    return {"follow_ups": [_contact(f) for f in facts if f.topic in TOPICS["follow_ups"]]}


def stages(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `stage_changes`."""
    return {
        "stage_changes": [
            {"lead": f.stream, "position": f.position, "stage": f.data["stage"], "at": f.at}
            for f in facts
            if f.topic in TOPICS["stages"]
        ]
    }


def conversions(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Tables `conversions` and `channels`."""
    facts = list(facts)
    rates, channels = _rates(facts)
    rows = []
    for stream, own in _histories(facts, "conversions").items():
        lead = _lead(own)
        rows.append({name: lead[name] for name in (
            "lead", "captured", "source", "owner", "converted", "converted_at",
            "converted_position", "owner_at_conversion", "basis", "amount",
        )})  # fmt: skip
        standing = (f.position for f in reversed(_standing(own, *CONVERSION)))
        known = next((rates[p] for p in standing if p in rates), (None, None))
        rows[-1]["channel_leads"], rows[-1]["channel_converted"] = known
        assert rows[-1]["lead"] == stream
    return {"conversions": rows, "channels": channels}


FOLDS: dict[str, Callable[[Iterable[Fact]], dict[str, list[Row]]]] = {
    "leads": leads,
    "follow_ups": follow_ups,
    "stages": stages,
    "conversions": conversions,
}

CONVERSION = ("lead.converted", "lead.conversion-reversed")
LOSS = ("lead.invalidated", "lead.reopened")


def _histories(facts: Iterable[Fact], projection: str) -> dict[UUID, list[Fact]]:
    found: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS[projection]:
            found[fact.stream].append(fact)
    return found


def _lead(own: History) -> Row:
    """The row of a lead with at least one event."""
    latest = dict(pair for fact in own for pair in fact.values)
    owners = [v for fact in own for name, v in fact.values if name == "owner" and v]
    first = next((f for f in own if f.topic == "lead.captured"), None)
    contacts = [f for f in own if f.topic == "lead.follow-up-recorded"]
    moves = [f for f in own if f.topic == "lead.stage-changed"]
    losses = _standing(own, *LOSS)
    return {
        "lead": own[0].stream,
        "captured": first is not None,
        "captured_at": first.at if first else None,
        "captured_position": first.position if first else None,
        **{n: first.data.get(n) if first else None
           for n in ("code", "external_id", "source_system")},
        **{name: _shown(name, latest.get(name)) for name in PROFILE},
        "attributes": {name: v for name, v in latest.items() if name not in PROFILE},
        "first_owner": owners[0] if owners else None,
        "owners": list(dict.fromkeys(owners)),
        "first_assigned_at": _first(f for f in own if f.topic == "lead.assigned"),
        "stage": moves[-1].data["stage"] if moves else None,
        "follow_ups": len(contacts),
        "first_attempt_at": _first(contacts),
        "first_response_at": _first(f for f in contacts if f.data["connected"]),
        **_conversion(own),
        "invalidated": bool(losses),
        "invalidated_at": losses[-1].at if losses else None,
        "invalid_reason": losses[-1].data.get("reason") if losses else None,
        "merged": False,
        "version": own[-1].version,
        "position": own[-1].position,
        "recorded_at": own[-1].recorded_at,
    }  # fmt: skip


def _conversion(own: History) -> Row:
    """The last standing conversion, with the last amount given since the last reversal."""
    standing = _standing(own, *CONVERSION)
    if not standing:
        names = ("converted_at", "converted_position", "owner_at_conversion", "basis", "amount")
        return {"converted": False, **dict.fromkeys(names)}
    last = standing[-1]
    amounts = [Decimal(f.data["amount"]) for f in standing if f.data.get("amount") is not None]
    until_then = dict(p for f in own if f.position <= last.position for p in f.values)
    return {
        "converted": True,
        "converted_at": last.at,
        "converted_position": last.position,
        "owner_at_conversion": until_then.get("owner"),
        "basis": last.data.get("basis"),
        "amount": amounts[-1] if amounts else None,
    }


def _standing(own: History, doing: str, undoing: str) -> list[Fact]:
    """The facts of a kind that nothing undid later."""
    undone = max((f.position for f in own if f.topic == undoing), default=0)
    return [f for f in own if f.topic == doing and f.position > undone]


def _first(facts: Iterable[Fact]) -> datetime | None:
    return min((f.at for f in facts if f.at is not None), default=None)


def _rates(facts: Iterable[Fact]) -> tuple[dict[int, tuple[int, int]], list[Row]]:
    """Conversion's position -> its channel's (leads, converted) then; the channels at the end."""
    source: dict[UUID, str | None] = {}
    captured: set[UUID] = set()
    converted: set[UUID] = set()
    members: defaultdict[str, set[UUID]] = defaultdict(set)
    won: Counter[str] = Counter()
    rates = {}
    for fact in facts:
        if fact.topic not in CONVERSION_TOPICS:
            continue
        lead = fact.stream
        if lead in captured:
            members[_channel(source.get(lead))].discard(lead)
            won[_channel(source.get(lead))] -= lead in converted
        source[lead] = dict(fact.values).get("source", source.get(lead))
        if fact.topic == "lead.captured":
            captured.add(lead)
        if fact.topic == "lead.converted":
            converted.add(lead)
        if fact.topic == "lead.conversion-reversed":
            converted.discard(lead)
        if lead in captured:
            name = _channel(source.get(lead))
            members[name].add(lead)
            won[name] += lead in converted
            if fact.topic == "lead.converted":
                rates[fact.position] = len(members[name]), won[name]
    return rates, [
        {"source": name, "leads": len(own), "converted": won[name]} for name, own in members.items()
    ]


def _channel(source: str | None) -> str:
    return source or "(missing)"


def _contact(fact: Fact) -> Row:
    said = fact.data
    due = said.get("next_step_due")
    return {
        "lead": fact.stream,
        "position": fact.position,
        "at": fact.at,
        "recorded_at": fact.recorded_at,
        "next_step_due": date.fromisoformat(due) if due else None,
        **{n: _without_contacts(said.get(n)) for n in ("content", "feedback", "next_step")},
        **{n: said.get(n) for n in ("code", "by", "method", "stage", "outcome", "connected")},
    }


def _shown(name: str, value: Any) -> Any:
    """A value as a reader sees it: contact details are masked."""
    if not value:
        return value
    if name == "phone":
        return _hide_digits(value)
    if name == "email":
        before, at, domain = value.rpartition("@")
        return f"{before[0]}***{at}{domain}"
    return _without_contacts(value) if name == "need" else value


def _hide_digits(number: str) -> str:
    """The four digits before the last four."""
    after, shown = 0, []
    for character in reversed(number):
        hidden = character.isdigit() and 4 <= after < 8
        after += character.isdigit()
        shown.append("*" if hidden else character)
    return "".join(reversed(shown))


def _without_contacts(text: str | None) -> str | None:
    if not text:
        return text
    text = re.sub(r"(\S)\S*@(\S+\.\w+)", r"\1***@\2", text)
    return re.sub(r"(?<!\d)1\d{10}(?!\d)", lambda found: _hide_digits(found[0]), text)
