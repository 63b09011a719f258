"""The read tables as they follow from a log, for the checker: written from the documentation alone.

Where the product folds event by event, this looks at a lead's whole history at once.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from tests import (
    checker_accesses,
    checker_notifications,
    checker_reviewing,
    checker_sla,
    checker_tasks,
    checker_workload,
)
from tests.checker_lead import (
    CONVERSION,
    ERASED,
    LABELS,
    OWNED,
    TAKEN,
    lead,
    standing,
    without_contacts,
)

Row = dict[str, Any]

CONTACT, FILE = "lead.follow-up-recorded", "lead.attachment-added"
CONVERSION_TOPICS = {
    *OWNED, "lead.captured", "lead.released-to-pool", "lead.info-changed",
    "lead.merged", "lead.merge-undone",
    "lead.converted", "lead.conversion-reversed",
}  # fmt: skip
TOPICS = {
    "leads": CONVERSION_TOPICS
    | {"lead.stage-changed", "lead.follow-up-recorded", "lead.invalidated", "lead.reopened"}
    | {"lead.info-marked-incomplete", "lead.info-completed", "lead.attachment-added", *LABELS}
    | {"lead.duplicate-suspected", "lead.duplicate-dismissed", "lead.screened", "lead.shared"}
    | {"lead.paused", "lead.resumed", "lead.assignment-failed", "lead.team-changed"}
    | {ERASED, *checker_tasks.CLOCKS},
    "follow_ups": {CONTACT, ERASED},
    "stages": {"lead.stage-changed"},
    "conversions": CONVERSION_TOPICS,
    "attachments": {FILE, ERASED},
    "duplicates": {"lead.duplicate-suspected", "lead.duplicate-dismissed"},
    "workload": checker_workload.TOPICS,
    "tasks": checker_tasks.TOPICS,
    "sla": checker_sla.TOPICS,
    "assignments": set(checker_sla.GIVEN),
    "reviewing": checker_reviewing.TOPICS,
    "reviews": checker_reviewing.REVIEWS,
    "notifications": checker_notifications.TOPICS,
    "accesses": checker_accesses.TOPICS,
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
        elif self.topic in (*TAKEN, "lead.released-to-pool"):
            said = [(n, self.data.get(n)) for n in ("owner", "team")]
        elif self.topic == "lead.team-changed":
            said = [("team", self.data.get("team"))]
        elif self.topic in LABELS[:2]:
            said = [(n, self.data.get(n)) for n in ("level", "segment")]
        elif self.topic not in ("lead.captured", "lead.converted", "lead.info-changed"):
            said = []
        return said


def leads(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `leads`."""
    histories = _histories(facts, "leads").values()
    return {"leads": [lead(own) | checker_tasks.clocks(own) for own in histories]}


def follow_ups(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `follow_ups`."""
    facts = list(facts)
    rows = [_contact(f) for f in facts if f.topic == CONTACT]
    return {"follow_ups": _emptied(rows, facts, "content", "feedback", "next_step")}


def attachments(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Table `attachments`."""
    facts = list(facts)
    rows = [_file(f) for f in facts if f.topic == FILE]
    return {"attachments": _emptied(rows, facts, "name", "warning")}


def duplicates(facts: Iterable[Fact]) -> dict[str, list[Row]]:
    """Tables `suspicions` and `dismissals`."""
    found: dict[str, list[Row]] = {"suspicions": [], "dismissals": []}
    for fact in facts:
        if fact.topic not in TOPICS["duplicates"]:
            continue
        other = UUID(fact.data["other"])
        low, high = sorted((fact.stream, other))
        row = {"position": fact.position, "low": low, "high": high}
        if fact.topic.endswith("dismissed"):
            found["dismissals"].append(row)
        else:
            said = {"certain": fact.data["certain"], "by": fact.data["by"], "at": fact.at}
            found["suspicions"].append(row | said | {"lead": fact.stream, "other": other})
    return found


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
        row = lead(own)
        rows.append({name: row[name] for name in (
            "lead", "captured", "merged", "source", "owner", "converted", "converted_at",
            "converted_position", "owner_at_conversion", "basis", "amount",
        )})  # fmt: skip
        won = (f.position for f in reversed(standing(own, *CONVERSION)))
        known = next((rates[p] for p in won if p in rates), (None, None))
        rows[-1]["channel_leads"], rows[-1]["channel_converted"] = known
        assert rows[-1]["lead"] == stream
    return {"conversions": rows, "channels": channels}


FOLDS: dict[str, Callable[[Iterable[Fact]], dict[str, list[Row]]]] = {
    "leads": leads,
    "follow_ups": follow_ups,
    "stages": stages,
    "conversions": conversions,
    "attachments": attachments,
    "duplicates": duplicates,
    "workload": checker_workload.workload,
    "tasks": checker_tasks.tasks,
    "sla": checker_sla.sla,
    "assignments": checker_sla.assignments,
    "reviewing": checker_reviewing.reviewing,
    "reviews": checker_reviewing.reviews,
    "notifications": checker_notifications.notifications,
    "accesses": checker_accesses.accesses,
}


def _histories(facts: Iterable[Fact], projection: str) -> dict[UUID, list[Fact]]:
    found: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS[projection]:
            found[fact.stream].append(fact)
    return found


def _rates(facts: Iterable[Fact]) -> tuple[dict[int, tuple[int, int]], list[Row]]:
    """Conversion's position -> its channel's (leads, converted) then; the channels at the end."""
    source: dict[UUID, str | None] = {}
    captured: set[UUID] = set()
    converted: set[UUID] = set()
    merged: set[UUID] = set()
    members: defaultdict[str, set[UUID]] = defaultdict(set)
    won: Counter[str] = Counter()
    rates = {}
    for fact in facts:
        if fact.topic not in CONVERSION_TOPICS:
            continue
        lead = fact.stream
        if lead in captured - merged:
            members[_channel(source.get(lead))].discard(lead)
            won[_channel(source.get(lead))] -= lead in converted
        source[lead] = dict(fact.values).get("source", source.get(lead))
        if fact.topic == "lead.captured":
            captured.add(lead)
        if fact.topic == "lead.converted":
            converted.add(lead)
        if fact.topic == "lead.conversion-reversed":
            converted.discard(lead)
        if fact.topic == "lead.merged":
            merged.add(lead)
        if fact.topic == "lead.merge-undone":
            merged.discard(lead)
        if lead in captured - merged:
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


def _emptied(rows: list[Row], facts: Iterable[Fact], *names: str) -> list[Row]:
    """Of an erased lead nothing is left of what people typed."""
    """What people typed before their lead was erased is gone."""
    erased = {fact.stream: fact.position for fact in facts if fact.topic == ERASED}
    return [
        row | dict.fromkeys(names) if row["position"] < erased.get(row["lead"], 0) else row
        for row in rows
    ]


def _contact(fact: Fact) -> Row:
    said = fact.data
    due = said.get("next_step_due")
    return {
        "lead": fact.stream,
        "position": fact.position,
        "at": fact.at,
        "recorded_at": fact.recorded_at,
        "next_step_due": date.fromisoformat(due) if due else None,
        **{n: without_contacts(said.get(n)) for n in ("content", "feedback", "next_step")},
        **{n: said.get(n) for n in ("code", "by", "method", "stage", "outcome", "connected")},
        "late": bool(said.get("quality", {}).get("late")),
        "vague": said.get("quality", {}).get("verdict") == "vague",
    }


def _file(fact: Fact) -> Row:
    said = fact.data
    return {
        "lead": fact.stream,
        "position": fact.position,
        "attachment": UUID(said["attachment"]),
        "added_at": fact.at,
        **{n: without_contacts(said.get(n)) for n in ("name", "warning")},
        **{n: said.get(n) for n in ("content_type", "size", "sha256", "follow_up")},
    }
