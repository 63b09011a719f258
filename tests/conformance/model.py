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
        "stage_since": None,
        "won_from": None,
        "follow_ups": 0,
        "first_attempt_at": None,
        "first_response_at": None,
        "converted": None,
        "amount": None,
        "invalid": False,
        "invalid_reason": None,
        "missing": (),
        "by_hand": False,
        "suspects": {},
        "dismissed": {},
        "merged": None,
        "screened": None,
        "pool": None,
        "pause": None,
        "paused_seconds": 0.0,
        "shared": frozenset(),
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
        lead["pool"] = None
    elif topic in ("lead.reassigned", "lead.handed-over", "lead.claimed"):
        lead["values"].update(owner=fact["owner"], team=fact.get("team"))
        lead["pool"] = None
    elif topic == "lead.released-to-pool":
        lead["values"].update(owner=None, team=None)
        lead["pool"] = fact["pool"]
    elif topic == "lead.team-changed":
        lead["values"].update(team=fact.get("team"))
    elif topic == "lead.stage-changed":
        since = max(filter(None, (lead["stage_since"], at)), default=None)
        if fact["stage"] == "成交" != lead["stage"]:
            lead["won_from"] = lead["stage"]
        lead.update(stage=fact["stage"], stage_since=since)
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
    _learn_more(lead, topic, fact)


def _learn_more(lead: Model, topic: str, fact: Fact) -> None:
    """What is known of labels, completeness, duplicates, screening and pauses."""
    at = fact.get("occurred_at")
    if topic in ("lead.labelled", "lead.label-overridden"):
        lead["values"].update(level=fact["level"], segment=fact.get("segment"))
        lead["by_hand"] = topic == "lead.label-overridden"
    elif topic == "lead.label-cleared":
        lead["by_hand"] = False
    elif topic in ("lead.info-marked-incomplete", "lead.info-completed"):
        lead["missing"] = fact.get("missing", ())
    elif topic == "lead.duplicate-suspected":
        before = lead["suspects"].get(fact["other"], (False, frozenset()))
        after = (before[0] or fact["certain"], before[1] | set(fact["by"]))
        lead["suspects"] = {**lead["suspects"], fact["other"]: after}
    elif topic == "lead.duplicate-dismissed":
        lead["suspects"] = {k: v for k, v in lead["suspects"].items() if k != fact["other"]}
        if at := fact.get("suspected_at"):
            lead["dismissed"] = {**lead["dismissed"], fact["other"]: at}
    elif topic == "lead.merged":
        lead["merged"] = fact["into"]
    elif topic == "lead.merge-undone":
        lead["merged"] = None
    elif topic == "lead.screened":
        lead["screened"] = fact["accepted"]
    elif topic == "lead.paused":
        since = lead["pause"][0] if lead["pause"] else at
        lead["pause"] = (since, fact["reason"], fact.get("resume_at"))
    elif topic == "lead.resumed":
        if lead["pause"] and lead["pause"][0] and at:
            lead["paused_seconds"] += (at - lead["pause"][0]) / timedelta(seconds=1)
        lead["pause"] = None
    elif topic == "lead.shared":
        lead["shared"] |= {fact["person"]}


def disposition(lead: Model) -> str:
    """What became of the lead: a conversion outlasts a loss, a merge outlasts both."""
    if lead["merged"]:
        return "merged"
    if lead["converted"]:
        return "converted"
    return "invalid" if lead["invalid"] else "open"


EVEN_INVALID = (
    "invalidate", "reopen", "reverse_conversion", "resume", "override", "clear", "dismiss", "merge",
)  # fmt: skip


def judge(lead: Model, command: Command) -> list[Fact] | Refused:
    """What a command brings about."""
    do = command["do"]
    if do == "capture":
        return _capture(lead, command)
    if do == "unmerge":
        undone = _fact("merge-undone", command["now"], into=lead["merged"], reason="two")
        return [undone] if lead["merged"] else []
    if do == "merge" and lead["merged"] == command["into"]["id"]:
        return []
    if not lead["captured"]:
        return "not-captured", None
    if lead["merged"]:
        return "lead-merged", None
    if do == "screen" and lead["screened"] == command["accepted"] != lead["invalid"]:
        return []
    if disposition(lead) == "invalid" and do not in EVEN_INVALID:
        return "lead-invalid", None
    if disposition(lead) == "converted" and do in ("advance", "invalidate", "pause", "screen"):
        return "lead-converted", None
    return _JUDGES[do](lead, command)


def _fact(topic: str, at: Any, **fields: Any) -> Fact:
    stated = {k: v for k, v in fields.items() if v is not None and v != {}}
    return {"topic": f"lead.{topic}", "occurred_at": at, **stated}


def _capture(lead: Model, c: Command) -> list[Fact] | Refused:
    if lead["captured"]:
        return "already-captured", None
    owner, team, now = lead["values"].get("owner"), c["team"], c["now"]
    facts = [_fact("captured", now, code=c["code"], details=c["details"])]
    if not lead["stage"]:
        facts.append(_fact("stage-changed", now, stage="待跟进" if owner else "待分配"))
    values = {**lead["values"], **c["details"]}
    if lacking := _lacking(values) + _still(c["doubted"], _lacking(values)):
        facts.append(_fact("info-marked-incomplete", now, missing=lacking))
    if c["level"]:
        facts.append(_fact("label-overridden", now, level=c["level"]))
    else:
        facts.append(_label(values, now))
    facts += _suspicions(lead, c["same"], now)
    if c["owner"] and not owner:
        facts.append(_fact("assigned", now, owner=c["owner"], team=team))
        if lead["stage"] in (None, "", "待分配"):
            facts.append(_fact("stage-changed", now, stage="待跟进", previous="待分配"))
    return facts


def _lacking(values: dict[str, Any]) -> tuple[str, ...]:
    """What R26 asks for, as the test's policy has it: customer, need, and one way to call."""
    lacking = [name for name in ("customer", "need") if not values.get(name)]
    if not (values.get("phone") or values.get("email")):
        lacking.append("phone|email")
    return tuple(lacking)


def _still(doubted: tuple[str, ...], lacking: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in doubted if name not in lacking)


def _label(values: dict[str, Any], now: Any) -> Fact:
    """The test's policy in words: 暂不 is low, 采购 high but for a 试用, a fair medium."""
    need = values.get("need") or ""
    if "暂不" in need:
        return _fact("labelled", now, level="low", segment="潜在需求", rule="rejects")
    if "采购" in need and "试用" not in need:
        return _fact("labelled", now, level="high", segment="采购决策", rule="buys")
    if values.get("source") == "展会":
        return _fact("labelled", now, level="medium", rule="fair")
    return _fact("labelled", now, level="unrated")


def _suspicions(lead: Model, same: dict[str, list[Any]], now: Any) -> list[Fact]:
    facts = []
    for other in dict.fromkeys(x for name in ("phone", "email", "customer") for x in same[name]):
        by = tuple(name for name in ("phone", "email", "customer") if other in same[name])
        certain = by != ("customer",)
        known = lead["suspects"].get(other)
        if known is None or (certain and not known[0]):
            facts.append(_fact("duplicate-suspected", now, other=other, certain=certain, by=by))
    return [f for f in facts if f["certain"]] + [f for f in facts if not f["certain"]]


def _complete(lead: Model, c: Command) -> list[Fact] | Refused:
    now, values = c["now"], lead["values"]
    changed = {k: v for k, v in c["values"].items() if values.get(k) != v}
    after = {**values, **changed}
    lacking = _lacking(after)
    kept = tuple(m for m in lead["missing"] if values.get(m) and m not in changed)
    lacking += _still(kept, lacking)
    lacking += _still(c["doubted"], lacking)
    facts = [_fact("info-changed", now, details=changed)] if changed else []
    if lacking != lead["missing"]:
        kind = "info-marked-incomplete" if lacking else "info-completed"
        facts.append(_fact(kind, now, missing=lacking or None))
    if not changed:
        return facts
    label = _label(after, now)
    standing = (values.get("level"), values.get("segment"))
    if not lead["by_hand"] and (label["level"], label.get("segment")) != standing:
        facts.append(label)
    told = {name: c["same"][name] if name in changed else [] for name in c["same"]}
    return facts + _suspicions(lead, told, now)


def _override(lead: Model, c: Command) -> list[Fact] | Refused:
    label = (lead["values"].get("level"), lead["values"].get("segment"))
    if lead["by_hand"] and label == (c["level"], c["segment"]):
        return []
    return [_fact("label-overridden", c["now"], level=c["level"], segment=c["segment"])]


def _clear(lead: Model, c: Command) -> list[Fact] | Refused:
    if not lead["by_hand"]:
        return []
    return [_fact("label-cleared", c["now"]), _label(lead["values"], c["now"])]


def _dismiss(lead: Model, c: Command) -> list[Fact] | Refused:
    theirs = c["theirs"] if c["theirs"] > lead["dismissed"].get(c["other"], 0) else None
    known = c["other"] in lead["suspects"] or theirs
    fact = _fact("duplicate-dismissed", c["now"], other=c["other"], suspected_at=theirs)
    return [fact] if known else []


def _merge(lead: Model, c: Command) -> list[Fact] | Refused:
    into = c["into"]
    if not into["captured"]:
        return "unknown-lead", "into"
    if into["merged"]:
        return "lead-merged", "into"
    if into["invalid"]:
        return "lead-invalid", "into"
    if lead["converted"]:
        return "lead-converted", "into"
    gone = _fact("merged", c["now"], into=into["id"], into_code=into["code"], reason="one")
    return [*_unpaused(lead, c["now"]), gone]


def _assign(lead: Model, c: Command) -> list[Fact] | Refused:
    now, owner, team, reason = c["now"], c["owner"], c["team"], c["reason"]
    before, at_present = lead["values"].get("owner"), lead["values"].get("team")
    if not before:
        facts = [_fact("assigned", now, owner=owner, team=team, reason=reason)]
        if lead["stage"] in (None, "待分配"):
            facts.append(_fact("stage-changed", now, stage="待跟进", previous=lead["stage"]))
        return facts
    if before != owner:
        who = {"owner": owner, "team": team, "previous_owner": before}
        return [_fact("reassigned", now, **who, reason=reason)]
    if not team or team == at_present:
        return []
    return [_fact("team-changed", now, team=team, previous_team=at_present)]


def _advance(lead: Model, c: Command) -> list[Fact] | Refused:
    if c["stage"] == lead["stage"]:
        return []
    return _not_enterable(c["stage"]) or [_entered(lead, c["stage"], c["now"], c["reason"])]


def _not_enterable(stage: str) -> Refused | None:
    if stage in ENTERED_BY_MOVE:
        return None
    return ("use-convert" if stage == "成交" else "unknown-stage"), "stage"


def _entered(lead: Model, stage: str, at: Any, reason: str | None = None) -> Fact:
    """By a move: never dated before the move that came before it."""
    at = max(filter(None, (at, lead["stage_since"])))
    return _fact("stage-changed", at, stage=stage, previous=lead["stage"], reason=reason)


def _follow_up(lead: Model, c: Command) -> list[Fact] | Refused:
    record = c["record"]
    at = record["occurred_at"] or c["now"]
    if at - c["now"] > timedelta(minutes=5):
        return "in-the-future", "occurred_at"
    quality = {"verdict": "attempt", "missing": [], "late": c["now"] - at > timedelta(hours=24)}
    if record["connected"]:
        quality["verdict"] = "concrete"
        said = re.sub(r"\W", "", record.get("content") or "")
        if len(said) < 6 or said in SAY_NOTHING:
            return "vague-follow-up", "content"
        if not re.search(r"\w", f"{record.get('feedback') or ''}{record.get('next_step') or ''}"):
            return "vague-follow-up", "feedback"
    record = {k: v for k, v in record.items() if k != "occurred_at"} | {"quality": quality}
    stage, moves = record.get("stage"), []
    if stage and stage != lead["stage"]:
        if lead["converted"]:
            return "lead-converted", "stage"
        if refused := _not_enterable(stage):
            return refused
        moves = [_entered(lead, stage, at)]
    elif not (stage or lead["converted"]) and record["connected"] and lead["stage"] in WAITING:
        record["stage"] = "已联系"
        moves = [_entered(lead, "已联系", at)]
    return [_fact("follow-up-recorded", at, **record), *moves]


def _screen(lead: Model, c: Command) -> list[Fact] | Refused:
    if lead["values"].get("source") != "展会":
        return "not-screened", None
    why = {"reason": c["reason"], "note": c["note"]}
    judged = _fact("screened", c["now"], accepted=c["accepted"], **why)
    if c["accepted"]:
        return [judged]
    if lead["values"].get("owner"):
        return "already-owned", None
    if c["reason"] not in ("联系方式错误", "无需求", "非目标客户", "重复线索"):
        return "unknown-reason", "reason"
    return [judged, *_unpaused(lead, c["now"]), _fact("invalidated", c["now"], **why)]


def _pause(lead: Model, c: Command) -> list[Fact] | Refused:
    now, until = c["now"], c["resume_at"]
    since = now
    if lead["pause"]:
        since = lead["pause"][0]
        until = until or lead["pause"][2]
        if lead["pause"][1:] == (c["reason"], until):
            return []
    if until and until <= now:
        return "not-in-the-future", "resume_at"
    if until and until - since > timedelta(days=90):
        return "pause-too-long", "resume_at"
    until = until or since + timedelta(days=90)
    return [_fact("paused", now, reason=c["reason"], resume_at=until)]


def _resume(lead: Model, c: Command) -> list[Fact] | Refused:
    return _unpaused(lead, c["now"], c["reason"])


def _unpaused(lead: Model, now: Any, reason: str | None = None) -> list[Fact]:
    return [_fact("resumed", now, reason=reason)] if lead["pause"] else []


def _invalidate(lead: Model, c: Command) -> list[Fact] | Refused:
    if lead["invalid"]:
        return []
    if c["reason"] not in ("refused", "wrong_contact"):
        return "unknown-reason", "reason"
    gone = _fact("invalidated", c["now"], reason=c["reason"], note=c["note"])
    return [*_unpaused(lead, c["now"]), gone]


def _reopen(lead: Model, c: Command) -> list[Fact] | Refused:
    return [_fact("reopened", c["now"], reason=c["reason"])] if lead["invalid"] else []


def _convert(lead: Model, c: Command) -> list[Fact] | Refused:
    at = c["converted_at"] or c["now"]
    if at - c["now"] > timedelta(minutes=5):
        return "in-the-future", "converted_at"
    if c["basis"] not in ("contract_signed", "first_order")[: 1 + c["first_order_counts"]]:
        return "basis-not-accepted", "basis"
    if standing := lead["converted"]:
        said = {"at": c["converted_at"] or standing["at"], "amount": c["amount"] or lead["amount"]}
        repeats = said == {"at": standing["at"], "amount": lead["amount"]}
        return [] if repeats and c["basis"] == standing["basis"] else ("already-converted", None)
    if c["converted_at"] and lead["captured_at"] and c["converted_at"] < lead["captured_at"]:
        return "before-capture", "converted_at"
    if c["amount_required"] and c["amount"] is None:
        return "amount-required", "amount"
    facts = _unpaused(lead, c["now"])
    facts.append(_fact("converted", at, amount=c["amount"], basis=c["basis"]))
    if lead["stage"] != "成交":
        facts.append(_entered(lead, "成交", at))
    return facts


def _reverse_conversion(lead: Model, c: Command) -> list[Fact] | Refused:
    if not lead["converted"]:
        return []
    facts = [_fact("conversion-reversed", c["now"], reason=c["reason"])]
    if lead["stage"] == "成交" and lead["won_from"]:
        facts.append(_entered(lead, lead["won_from"], c["now"]))
    return facts


_JUDGES = {
    "complete": _complete,
    "override": _override,
    "clear": _clear,
    "dismiss": _dismiss,
    "merge": _merge,
    "assign": _assign,
    "advance": _advance,
    "record_follow_up": _follow_up,
    "screen": _screen,
    "pause": _pause,
    "resume": _resume,
    "invalidate": _invalidate,
    "reopen": _reopen,
    "convert": _convert,
    "reverse_conversion": _reverse_conversion,
}
