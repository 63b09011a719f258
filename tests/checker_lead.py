"""A lead's row as it follows from its history, for the checker: the whole history at once.

Free text may hold mobile numbers (eleven digits, from 1) and e-mail addresses.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    from tests.checker_fold import Fact

History: TypeAlias = "Sequence[Fact]"
Row = dict[str, Any]

PROFILE = (
    "source", "industry", "region", "customer_type", "campaign", "customer", "contact",
    "contact_title", "phone", "email", "need", "owner", "team", "level", "segment",
)  # fmt: skip
HIDDEN = ["(hidden)"]
MOBILE = re.compile(r"(?:86)?1[3-9]\d{9}")
TYPED = ("customer", "contact", "contact_title", "need")
LABELS = ("lead.labelled", "lead.label-overridden", "lead.label-cleared")
TAKEN = ("lead.reassigned", "lead.handed-over", "lead.claimed")
OWNED = ("lead.assigned", *TAKEN)

CONVERSION = ("lead.converted", "lead.conversion-reversed")
LOSS = ("lead.invalidated", "lead.reopened")
MERGE = ("lead.merged", "lead.merge-undone")
PAUSE = ("lead.paused", "lead.resumed")
ERASED = "lead.personal-data-erased"
PERSONAL = ("customer", "contact", "contact_title", "phone", "email", "need")


def lead(own: History) -> Row:
    """The row of a lead with at least one event."""
    latest = dict(pair for fact in own for pair in fact.values)
    owners = [v for fact in own for name, v in fact.values if name == "owner" and v]
    first = next((f for f in own if f.topic == "lead.captured"), None)
    contacts = [f for f in own if f.topic == "lead.follow-up-recorded"]
    moves = [f for f in own if f.topic == "lead.stage-changed"]
    losses = standing(own, *LOSS)
    merges = standing(own, *MERGE)
    erasures = [f for f in own if f.topic == ERASED]
    left = [f for f in own if not erasures or f.position > erasures[-1].position]
    personal = dict(p for f in left for p in f.values if p[0] in PERSONAL)
    return {
        "lead": own[0].stream,
        "captured": first is not None,
        "captured_at": first.at if first else None,
        "captured_position": first.position if first else None,
        **{n: first.data.get(n) if first else None
           for n in ("code", "external_id", "source_system")},
        **{name: _shown(name, (personal if name in PERSONAL else latest).get(name))
           for name in PROFILE},
        **_attributes(own, first),
        "first_owner": owners[0] if owners else None,
        "owners": list(dict.fromkeys(owners)),
        "first_assigned_at": _first(
            f for f in own if f.topic in ("lead.assigned", "lead.claimed")
        ),
        "stage": moves[-1].data["stage"] if moves else None,
        "follow_ups": len(contacts),
        "first_attempt_at": _first(contacts),
        "first_response_at": _first(f for f in contacts if f.data["connected"]),
        **_conversion(own),
        "invalidated": bool(losses),
        "invalidated_at": losses[-1].at if losses else None,
        "invalid_reason": without_contacts(losses[-1].data.get("reason")) if losses else None,
        "merged": bool(merges),
        "merged_into": UUID(merges[-1].data["into"]) if merges else None,
        **_judged(own),
        **_ownership(own),
        **_pauses(own),
        "erased_at": (erasures[0].at or erasures[0].recorded_at) if erasures else None,
        "version": own[-1].version,
        "position": own[-1].position,
        "recorded_at": own[-1].recorded_at,
    }  # fmt: skip


def _attributes(own: History, first: "Fact | None") -> Row:
    """Further values: a history's stay and have a masked twin; what people typed is hidden, unless
    it is a number or a truth value. Under what is hidden lies the last value that is not; an
    erasure brings that back.
    """
    kept, twins, covered = {}, {}, {}
    erased = max((f.position for f in own if f.topic == ERASED), default=0)
    said: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for fact in own:
        for name, value in fact.values:
            shown = _attribute(value, typed=_typed(fact, first))
            if name not in PROFILE and (shown != HIDDEN or fact.position > erased):
                said[name].append(shown)
    for name, values in said.items():
        kept[name], *twin = values[-1]
        twins.update((name, one) for one in twin)
        clear = [shown for shown in values if shown != HIDDEN]
        if values[-1] == HIDDEN and clear:
            covered[name] = clear[-1]
    return {"attributes": kept, "masked_attributes": twins, "covered": covered}


def _attribute(value: Any, *, typed: bool) -> list[Any]:
    """What is kept of a value, and what is shown of it where that is something else."""
    shown = without_contacts(value) if isinstance(value, str) else value
    if typed:
        figure = isinstance(value, bool | int | float) and not MOBILE.fullmatch(f"{value:.0f}")
        return [shown] if not value or figure else HIDDEN
    return [value] if shown == value else [value, shown]


def _typed(fact: "Fact", first: "Fact | None") -> bool:
    """Whether a command said it, and no history file."""
    if fact.topic == "lead.info-changed":
        return True
    if fact.topic == "lead.captured":
        return not fact.data.get("source_system") or fact.data.get("by_command", False)
    captured = first is not None and first.position <= fact.position
    return captured and first is not None and first.data.get("source_system") is None


def _pauses(own: History) -> Row:
    """The pause that lasts, which began with its first word, and the time of those that ended."""
    seconds, before = 0.0, 0
    for end in own:
        if end.topic == "lead.resumed":
            said = [f for f in own if f.topic == PAUSE[0] and before < f.position < end.position]
            if said and said[0].at and end.at:
                seconds += (end.at - said[0].at).total_seconds()
            before = end.position
    lasting = standing(own, *PAUSE)
    until = lasting[-1].data.get("resume_at") if lasting else None
    return {
        "paused": bool(lasting),
        "paused_since": lasting[0].at if lasting else None,
        "pause_reason": without_contacts(lasting[-1].data.get("reason")) if lasting else None,
        "resume_at": datetime.fromisoformat(until) if until else None,
        "paused_seconds": seconds,
    }


def _judged(own: History) -> Row:
    """Completeness, label, suspicions, screening and shares."""
    flags = [f for f in own if f.topic in ("lead.info-marked-incomplete", "lead.info-completed")]
    labels = [f.topic for f in own if f.topic in LABELS]
    suspects: dict[str, None] = {}
    for fact in own:
        if fact.topic == "lead.duplicate-suspected":
            suspects.setdefault(fact.data["other"])
        if fact.topic == "lead.duplicate-dismissed":
            suspects.pop(fact.data["other"], None)
    verdicts = [f.data["accepted"] for f in own if f.topic == "lead.screened"]
    shares = [f.data["person"] for f in own if f.topic == "lead.shared"]
    return {
        "screened": verdicts[-1] if verdicts else None,
        "shared_with": list(dict.fromkeys(shares)),
        "missing": flags[-1].data.get("missing", []) if flags else [],
        "label_overridden": labels[-1:] == ["lead.label-overridden"],
        "suspects": list(suspects),
        "attachments": sum(f.topic == "lead.attachment-added" for f in own),
    }


def _ownership(own: History) -> Row:
    """Who entered it, and where it is: with an owner, since when, in a pool, or with nobody."""
    placed = [
        f for f in own
        if f.topic == "lead.released-to-pool" or (f.topic in OWNED and f.data.get("owner"))
    ]  # fmt: skip
    last = placed[-1] if placed else None
    failed = [f.position for f in own if f.topic == "lead.assignment-failed"]
    first = next((f for f in own if f.topic == "lead.captured"), None)
    pooled = last is not None and last.topic == "lead.released-to-pool"
    return {
        "pool": last.data["pool"] if last and pooled else None,
        "unassignable": bool(failed) and failed[-1] > (last.position if last else 0),
        "assigned_at": last.at if last and not pooled else None,
        "entered_by": first.data.get("entered_by") if first else None,
    }


def _conversion(own: History) -> Row:
    """The last standing conversion, with the last amount given since the last reversal."""
    lasting = standing(own, *CONVERSION)
    if not lasting:
        names = ("converted_at", "converted_position", "owner_at_conversion", "basis", "amount")
        return {"converted": False, **dict.fromkeys(names)}
    last = lasting[-1]
    amounts = [Decimal(f.data["amount"]) for f in lasting if f.data.get("amount") is not None]
    until_then = dict(p for f in own if f.position <= last.position for p in f.values)
    return {
        "converted": True,
        "converted_at": last.at,
        "converted_position": last.position,
        "owner_at_conversion": until_then.get("owner"),
        "basis": last.data.get("basis"),
        "amount": amounts[-1] if amounts else None,
    }


def standing(own: History, doing: str, undoing: str) -> "list[Fact]":
    """The facts of a kind that nothing undid later."""
    undone = max((f.position for f in own if f.topic == undoing), default=0)
    return [f for f in own if f.topic == doing and f.position > undone]


def _first(facts: Iterable["Fact"]) -> datetime | None:
    return min((f.at for f in facts if f.at is not None), default=None)


def _shown(name: str, value: Any) -> Any:
    """A value as a reader sees it: contact details are masked."""
    if not value:
        return value
    if name == "phone":
        return _hide_digits(value)
    if name == "email":
        before, at, domain = value.rpartition("@")
        return f"{before[0]}***{at}{domain}"
    return without_contacts(value) if name in TYPED else value


def _hide_digits(number: str) -> str:
    """The four digits before the last four."""
    after, shown = 0, []
    for character in reversed(number):
        hidden = character.isdigit() and 4 <= after < 8
        after += character.isdigit()
        shown.append("*" if hidden else character)
    return "".join(reversed(shown))


def without_contacts(text: str | None) -> str | None:
    if not text:
        return text
    text = re.sub(r"(\S)\S*@(\S+\.\w+)", r"\1***@\2", text)
    return re.sub(r"(?<!\d)1\d{10}(?!\d)", lambda found: _hide_digits(found[0]), text)
