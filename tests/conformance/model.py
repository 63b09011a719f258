"""A lead written a second time, from requirements.md alone: plain dictionaries, no product code.

A fact is a dictionary with its `topic`; a command is one with what to `do`. `judge` answers with
the facts that a command brings about, or with a refusal: a (code, field) pair.
"""

import re
from datetime import timedelta
from typing import Any

Fact = dict[str, Any]
Command = dict[str, Any]
Model = dict[str, Any]
Refused = tuple[str, str | None]

WAITING = (None, "待分配", "待跟进")
ENTERED_BY_MOVE = ("待跟进", "已联系", "需求确认", "方案提交", "商务谈判")
SAY_NOTHING = [
    "已沟通",
    "已联系",
    "沟通过了",
    "联系过了",
    "跟进中",
    "已跟进",
    "打过电话",
    "已电话沟通",
]


def blank() -> Model:
    """A lead of which nothing is known."""
    return {
        "version": 0,
        "captured": False,
        "captured_at": None,
        "code": None,
        "values": {},
        "stage": None,
        "follow_ups": 0,
        "first_attempt_at": None,
        "first_response_at": None,
        "converted": None,
        "amount": None,
        "invalid": False,
        "invalid_reason": None,
    }


def learn(lead: Model, fact: Fact) -> None:
    """Let a fact happen to the lead."""
    topic, at = fact["topic"], fact.get("occurred_at")
    lead["version"] += 1
    lead["values"].update(fact.get("details", {}))
    if topic == "lead.captured" and not lead["captured"]:
        lead.update(captured=True, captured_at=at, code=fact["code"])
    elif topic == "lead.assigned":
        lead["values"].update({k: fact[k] for k in ("owner", "team") if fact.get(k)})
    elif topic == "lead.reassigned":
        lead["values"].update(owner=fact["owner"], team=fact.get("team"))
    elif topic == "lead.stage-changed":
        lead["stage"] = fact["stage"]
    elif topic == "lead.follow-up-recorded":
        lead["follow_ups"] += 1
        for name in ["first_attempt_at"] + ["first_response_at"] * fact["connected"]:
            lead[name] = min(filter(None, (lead[name], at)), default=None)
    elif topic == "lead.invalidated":
        lead.update(invalid=True, invalid_reason=fact.get("reason"))
    elif topic == "lead.reopened":
        lead.update(invalid=False, invalid_reason=None)
    elif topic == "lead.converted":
        credit = lead["values"].get("owner")
        lead["converted"] = {"at": at, "basis": fact.get("basis"), "owner": credit}
        lead["amount"] = fact.get("amount", lead["amount"])
    elif topic == "lead.conversion-reversed":
        lead.update(converted=None, amount=None)


def disposition(lead: Model) -> str:
    """What became of the lead: a conversion outlasts a loss."""
    if lead["converted"]:
        return "converted"
    return "invalid" if lead["invalid"] else "open"


def judge(lead: Model, command: Command) -> list[Fact] | Refused:
    """What a command brings about."""
    do = command["do"]
    if do == "capture":
        return _capture(lead, command)
    if not lead["captured"]:
        return "not-captured", None
    if disposition(lead) == "invalid" and do not in ("invalidate", "reopen", "reverse_conversion"):
        return "lead-invalid", None
    if disposition(lead) == "converted" and do in ("advance", "invalidate"):
        return "lead-converted", None
    return _JUDGES[do](lead, command)


def _fact(topic: str, at: Any, **fields: Any) -> Fact:
    stated = {k: v for k, v in fields.items() if v is not None and v != {}}
    return {"topic": f"lead.{topic}", "occurred_at": at, **stated}


def _capture(lead: Model, c: Command) -> list[Fact] | Refused:
    if lead["captured"]:
        return "already-captured", None
    owner, team = c["details"].get("owner"), c["details"].get("team")
    rest = {k: v for k, v in c["details"].items() if k != "owner" and k != "team"}
    facts = [
        _fact("captured", c["now"], code=c["code"], details=rest),
        _fact("stage-changed", c["now"], stage="待分配"),
    ]
    if owner:
        facts.append(_fact("assigned", c["now"], owner=owner, team=team))
        facts.append(_fact("stage-changed", c["now"], stage="待跟进", previous="待分配"))
    return facts


def _assign(lead: Model, c: Command) -> list[Fact] | Refused:
    now, owner, team = c["now"], c["owner"], c["team"]
    before = lead["values"].get("owner")
    if not before:
        facts = [_fact("assigned", now, owner=owner, team=team)]
        if lead["stage"] in (None, "待分配"):
            facts.append(_fact("stage-changed", now, stage="待跟进", previous=lead["stage"]))
        return facts
    if (before, lead["values"].get("team")) == (owner, team):
        return []
    reason = c["reason"]
    return [_fact("reassigned", now, owner=owner, team=team, previous_owner=before, reason=reason)]


def _advance(lead: Model, c: Command) -> list[Fact] | Refused:
    if c["stage"] == lead["stage"]:
        return []
    return _not_enterable(c["stage"]) or [_moved(lead, c["stage"], c["now"], c["reason"])]


def _not_enterable(stage: str) -> Refused | None:
    if stage in ENTERED_BY_MOVE:
        return None
    return ("use-convert" if stage == "成交" else "unknown-stage"), "stage"


def _moved(lead: Model, stage: str, at: Any, reason: str | None = None) -> Fact:
    return _fact("stage-changed", at, stage=stage, previous=lead["stage"], reason=reason)


def _follow_up(lead: Model, c: Command) -> list[Fact] | Refused:
    record = c["record"]
    at = record["occurred_at"] or c["now"]
    if at - c["now"] > timedelta(minutes=5):
        return "in-the-future", "occurred_at"
    if record["connected"]:
        said = re.sub(r"\W", "", record.get("content") or "")
        if len(said) < 6 or said in SAY_NOTHING:
            return "vague-follow-up", "content"
        if not re.search(r"\w", f"{record.get('feedback') or ''}{record.get('next_step') or ''}"):
            return "vague-follow-up", "feedback"
    facts = [
        _fact("follow-up-recorded", at, **{k: record[k] for k in record.keys() - ["occurred_at"]})
    ]
    stage = record.get("stage")
    if not stage and record["connected"] and lead["stage"] in WAITING:
        stage = "已联系"
    if lead["converted"] or not stage or stage == lead["stage"]:
        return facts
    return _not_enterable(stage) or [*facts, _moved(lead, stage, at)]


def _invalidate(lead: Model, c: Command) -> list[Fact] | Refused:
    if lead["invalid"]:
        return []
    return [_fact("invalidated", c["now"], reason=c["reason"], note=c["note"])]


def _reopen(lead: Model, c: Command) -> list[Fact] | Refused:
    return [_fact("reopened", c["now"], reason=c["reason"])] if lead["invalid"] else []


def _convert(lead: Model, c: Command) -> list[Fact] | Refused:
    at = c["converted_at"] or c["now"]
    if at - c["now"] > timedelta(minutes=5):
        return "in-the-future", "converted_at"
    if c["basis"] not in c["accepted_bases"]:
        return "basis-not-accepted", "basis"
    if standing := lead["converted"]:
        said = {"at": c["converted_at"] or standing["at"], "amount": c["amount"] or lead["amount"]}
        repeats = said == {"at": standing["at"], "amount": lead["amount"]}
        return [] if repeats and c["basis"] == standing["basis"] else ("already-converted", None)
    facts = [_fact("converted", at, amount=c["amount"], basis=c["basis"])]
    if lead["stage"] != "成交":
        facts.append(_moved(lead, "成交", at))
    return facts


def _reverse_conversion(lead: Model, c: Command) -> list[Fact] | Refused:
    if not lead["converted"]:
        return []
    return [_fact("conversion-reversed", c["now"], reason=c["reason"])]


_JUDGES = {
    "assign": _assign,
    "advance": _advance,
    "record_follow_up": _follow_up,
    "invalidate": _invalidate,
    "reopen": _reopen,
    "convert": _convert,
    "reverse_conversion": _reverse_conversion,
}
