"""The tables of `workload` as they follow from a log, for the checker.

Each lead's history is looked at whole, prefix by prefix, where the product keeps running totals.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from tests.checker_lead import ERASED

if TYPE_CHECKING:
    from tests.checker_fold import Fact

Row = dict[str, Any]

TOPICS = {
    "lead.screened", "lead.info-completed", "lead.resumed", "lead.reopened", "lead.merge-undone",
    "lead.conversion-reversed", "lead.labelled", "lead.label-overridden", "lead.captured",
    "lead.stage-changed", "lead.info-changed", "lead.paused", "lead.merged", "lead.invalidated",
    "lead.assigned", "lead.reassigned", "lead.handed-over", "lead.released-to-pool",
    "lead.claimed", "lead.converted", ERASED,
}  # fmt: skip
DETAILED = {"lead.captured", "lead.info-changed", "lead.assigned", "lead.converted"}
GIVEN = {"lead.assigned", "lead.handed-over"}
OWNERS = GIVEN | {"lead.reassigned", "lead.claimed"}
PAIRS = {
    "paused": ("lead.paused", "lead.resumed"),
    "merged": ("lead.merged", "lead.merge-undone"),
    "converted": ("lead.converted", "lead.conversion-reversed"),
    "invalidated": ("lead.invalidated", "lead.reopened"),
    "erased": (ERASED, ERASED),
}


def workload(facts: Iterable["Fact"]) -> dict[str, list[Row]]:
    """Tables `carried` and `people`."""
    histories: defaultdict[UUID, list[Fact]] = defaultdict(list)
    for fact in facts:
        if fact.topic in TOPICS:
            histories[fact.stream].append(fact)
    carried, last = [], dict[str, int]()
    load, owned = Counter[str](), Counter[str]()
    for own in histories.values():
        states = [_state(own[: n + 1]) for n in range(len(own))]
        now = states[-1]
        waits = not (now["owner"] or now["pool"]) and now["daily"] and _counts(now)
        carried.append({**now, "waits_since": own[-1].position if waits else None})
        for state in states:  # who had a lead once has a row
            if state["owner"] and _counts({**state, "paused": False}):
                owned[state["owner"]] += state is now
                load[state["owner"]] += state is now and not state["paused"]
        for fact in own:
            if fact.topic in GIVEN and fact.data.get("explanation") and fact.data.get("owner"):
                last[fact.data["owner"]] = max(last.get(fact.data["owner"], 0), fact.position)
    people = [
        {"person": n, "load": load[n], "owned": owned[n], "last_given": last.get(n, 0)}
        for n in owned.keys() | last.keys()
    ]
    return {"carried": carried, "people": people}


def _state(own: Sequence["Fact"]) -> Row:
    topics = [fact.topic for fact in own]
    pooled = [fact for fact in own if fact.topic == "lead.released-to-pool"]
    moved = [t for t in topics if t in OWNERS or t == "lead.released-to-pool"]
    return {
        "lead": own[0].stream,
        "captured": "lead.captured" in topics,
        "daily": any(
            fact.topic == "lead.stage-changed" and fact.data["stage"] == "待分配" for fact in own
        ),
        "owner": _owner(own),
        "pool": pooled[-1].data["pool"] if pooled and moved[-1] not in OWNERS else None,
        "pooled_since": pooled[-1].position if pooled else None,
        **{flag: _last(topics, pair) == pair[0] for flag, pair in PAIRS.items()},
    }


def _owner(own: Sequence["Fact"]) -> str | None:
    """As the last fact that says anything about the owner says."""
    for fact in reversed(own):
        if fact.topic == "lead.released-to-pool":
            return None
        if fact.topic in OWNERS and fact.data.get("owner"):
            return str(fact.data["owner"])
        if fact.topic in DETAILED and "owner" in fact.data.get("details", {}):
            named = fact.data["details"]["owner"]
            return None if named is None else str(named)
    return None


def _last(topics: Sequence[str], pair: tuple[str, str]) -> str | None:
    return next((topic for topic in reversed(topics) if topic in pair), None)


def _counts(state: Row) -> bool:
    return state["captured"] and not any(state[flag] for flag in PAIRS)
