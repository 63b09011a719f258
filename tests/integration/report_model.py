"""The reports again in plain Python, from interface.md section 5 alone: no SQL, no product code.

A fact is (position, lead, kind, time or None, data); times are naive and local, which does no harm
in a zone without summer time.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil, floor
from typing import Any, NamedTuple

PIPELINE = ["待分配", "待跟进", "已联系", "需求确认", "方案提交", "商务谈判", "成交"]
EDGES = [None, 0, 1, 3, 7, 14, 30, 60, 90, 180, 365, None]
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


class Told(NamedTuple):
    position: int
    lead: str
    kind: str
    time: datetime | None
    data: dict[str, Any]


@dataclass
class Known:
    """What is known of a lead after its facts."""

    name: str
    captured: bool = False
    at: datetime | None = None
    values: dict[str, Any] = field(default_factory=dict)
    owners: list[str] = field(default_factory=list)
    assigned: list[datetime] = field(default_factory=list)
    contacts: list[Told] = field(default_factory=list)
    stages: list[Told] = field(default_factory=list)
    won: bool = False
    won_at: datetime | None = None
    won_by: str | None = None
    amount: Decimal | None = None
    lost: bool = False
    lost_at: datetime | None = None
    rate_then: tuple[int, int] | None = None
    into: str | None = None
    absorbed: list["Known"] = field(default_factory=list)

    def group_contacts(self) -> list[Told]:
        return [contact for lead in (self, *self.absorbed) for contact in lead.contacts]

    def responses(self, *, connected: bool) -> list[datetime]:
        contacts = self.group_contacts()
        return [c.time for c in contacts if c.time and (c.data["connected"] or not connected)]


def understand(facts: Iterable[Told]) -> dict[str, Known]:
    leads: dict[str, Known] = {}
    for fact in facts:
        lead = leads.setdefault(fact.lead, Known(fact.lead))
        new = fact.data.get("values", {})
        lead.values |= new
        if new.get("owner") and new["owner"] not in lead.owners:
            lead.owners.append(new["owner"])
        match fact.kind:
            case "captured":
                if not lead.captured:
                    lead.captured, lead.at = True, fact.time
            case "assigned" if fact.time:
                lead.assigned.append(fact.time)
            case "contacted":
                lead.contacts.append(fact)
            case "entered":
                lead.stages.append(fact)
            case "lost":
                lead.lost, lead.lost_at = True, fact.time
            case "reopened":
                lead.lost, lead.lost_at = False, None
            case "won":
                lead.won, lead.won_at, lead.won_by = True, fact.time, lead.values.get("owner")
                lead.amount = fact.data["amount"] or lead.amount
                mates = _mates(lead, leads)
                if lead.captured and not lead.into:
                    lead.rate_then = (sum(x.won for x in mates), len(mates))
            case "reversed":
                lead.won, lead.won_at, lead.won_by, lead.amount = False, None, None, None
                lead.rate_then = None
            case "merged":
                lead.into = fact.data["into"]
            case "unmerged":
                lead.into = None
    for lead in [lead for lead in leads.values() if lead.into]:
        survivor = lead
        while survivor.into and survivor.into in leads:
            survivor = leads[survivor.into]
        if not survivor.into:
            survivor.absorbed.append(lead)
    return leads


def _mates(lead: Known, leads: dict[str, Known]) -> list[Known]:
    """The leads that count in the same channel."""
    counted = [x for x in leads.values() if x.captured and not x.into]
    return [x for x in counted if _channel(x) == _channel(lead)]


def _channel(lead: Known) -> str:
    return lead.values.get("source") or "(missing)"


def _owners(lead: Known, attribution: str) -> list[str | None]:
    current = lead.values.get("owner")
    match attribution:
        case "current":
            return [current]
        case "first":
            return [lead.owners[0] if lead.owners else None]
        case "all":
            ever = [owner for x in (lead, *lead.absorbed) for owner in x.owners]
            return [*dict.fromkeys(ever)] or [None]
    return [lead.won_by if lead.won else current]


def _month(time: datetime | None) -> str | None:
    return f"{time:%Y-%m}" if time else None


def _quarter(time: datetime | None) -> str | None:
    return f"{time.year}-Q{(time.month + 2) // 3}" if time else None


def _values(lead: Known, dimension: str, given: dict[str, Any], own: dict[str, Any]) -> list[Any]:
    if dimension in own:
        return [own[dimension]]
    if dimension == "all":
        return ["all"]
    if dimension == "owner":
        return _owners(lead, given.get("attribution", "at_conversion"))
    if dimension == "cohort_month":
        return [_month(lead.at)]
    if dimension == "cohort_quarter":
        return [_quarter(lead.at)]
    return [lead.values.get(dimension.removeprefix("attribute:"))]


def buckets(lead: Known, given: dict[str, Any], own: dict[str, Any]) -> list[str]:
    found = [""]
    for n, dimension in enumerate(given["dimension"].split(",")):
        values = [v or "(missing)" for v in _values(lead, dimension, given, own)]
        found = [f"{a} | {v}" if n else v for a in found for v in values]
    return found


def _rounded(x: Fraction | float | int) -> float:
    return float(round(Fraction(x), 9))


def _percentile(values: list[Fraction], p: Fraction) -> float:
    place = p * (len(values) - 1)
    low, high = values[floor(place)], values[ceil(place)]
    return _rounded(low + (high - low) * (place - floor(place)))


def spread(numbers: Iterable[Fraction], *, nearest: bool = False) -> dict[str, float | None]:
    values = sorted(numbers)
    names = ["mean", "median", "p75", "p90", *(["p90_nearest"] if nearest else []), "min", "max"]
    if not values:
        return dict.fromkeys(names)
    figures = {
        "mean": _rounded(sum(values, Fraction(0)) / len(values)),
        "median": _percentile(values, Fraction(1, 2)),
        "p75": _percentile(values, Fraction(3, 4)),
        "p90": _percentile(values, Fraction(9, 10)),
        "p90_nearest": _rounded(values[ceil(Fraction(9, 10) * len(values)) - 1]),
        "min": _rounded(values[0]),
        "max": _rounded(values[-1]),
    }
    return {name: figures[name] for name in names}


def units(span: timedelta, unit: timedelta) -> Fraction:
    micro = timedelta(microseconds=1)
    return Fraction(span // micro, unit // micro)


def money(amounts: Iterable[Decimal | None]) -> str:
    total = sum((a for a in amounts if a is not None), Decimal(0))
    return str(total.quantize(Decimal("0.01"), ROUND_HALF_UP))


def ratio(part: int, whole: int) -> float | None:
    return _rounded(Fraction(part, whole)) if whole else None


def conversion(leads: list[Known], given: dict[str, Any]) -> dict[str, Any]:
    merged = sum(bool(x.into) for x in leads)
    leads = [x for x in leads if not x.into]
    if given.get("denominator") == "valid":
        leads = [x for x in leads if x.won or not x.lost]
    won = sum(x.won for x in leads)
    lost = sum(x.lost and not x.won for x in leads)
    return {
        "leads": len(leads), "converted": won, "lost": lost, "open": len(leads) - won - lost,
        "merged": merged, "rate": ratio(won, len(leads)),
        "amount": money(x.amount for x in leads if x.won),
    }  # fmt: skip


def team_rates(rows: list[dict], by_owner: dict[str, list[Known]], given: dict[str, Any]) -> None:
    """Beside each owner's rate that of the team which most of their leads belong to."""
    everybody = {id(x): x for leads in by_owner.values() for x in leads}.values()
    for row in rows:
        own = [x for x in by_owner[row["bucket"]] if not x.into]
        if given.get("denominator") == "valid":
            own = [x for x in own if x.won or not x.lost]
        belong = Counter(x.values["team"] for x in own if x.values.get("team") is not None)
        team = min(belong, key=lambda name: (-belong[name], name), default=None)
        mates = [x for x in everybody if x.values.get("team") == team]
        row["team_rate"] = None if team is None else conversion(mates, given)["rate"]


def insights(leads: list[Known], _: dict[str, Any]) -> dict[str, Any]:
    won = sum(x.won for x in leads)
    days = [(x.won_at.date() - x.at.date()).days for x in leads if x.won and x.at and x.won_at]
    quarters = statistics(map(Fraction, days))
    low, high = _interval(won, len(leads))
    return {
        "leads": len(leads), "converted": won, "rate": ratio(won, len(leads)),
        "cycle_days": {"n": len(days), **quarters}, "interval": {"low": low, "high": high},
        "rate_is": None, "cycle_is": None,
    }  # fmt: skip


def statistics(numbers: Iterable[Fraction]) -> dict[str, float | None]:
    values = sorted(numbers)
    parts = {"p25": Fraction(1, 4), "median": Fraction(1, 2), "p75": Fraction(3, 4)}
    return {name: _percentile(values, p) if values else None for name, p in parts.items()}


def _interval(part: int, whole: int) -> tuple[float | None, float | None]:
    """The rates that are 1.959964 standard errors of their own from the one seen: the roots of
    (p - part/whole)**2 = z**2 * p * (1 - p) / whole.
    """
    if not whole:
        return None, None
    seen, z2 = part / whole, 1.959964**2 / whole
    a, b, c = 1 + z2, -(2 * seen + z2), seen * seen
    root = max(b * b - 4 * a * c, 0) ** 0.5
    return round((-b - root) / (2 * a), 6), round((-b + root) / (2 * a), 6)


def standing_out(rows: list[dict], total: dict) -> list[dict]:
    """Those with a rate or a cycle that the one of all has no place in."""
    for row in rows:
        row["rate_is"] = _beyond(*row["interval"].values(), total["rate"])
        cycle = row["cycle_days"]
        if cycle["n"] >= 10:
            middle = total["cycle_days"]["median"]
            row["cycle_is"] = _beyond(cycle["p25"], cycle["p75"], middle)
    return [row for row in rows if row["rate_is"] or row["cycle_is"]]


def _beyond(low: float, high: float, of_all: float) -> str | None:
    return "above" if low > of_all else "below" if high < of_all else None


def cycle_time(leads: list[Known], _: dict[str, Any]) -> dict[str, Any]:
    pairs = [(x.at, x.won_at) for x in leads if x.won and x.at and x.won_at]
    exact = [units(b - a, DAY) for a, b in pairs]
    dates = [(b.date() - a.date()).days for a, b in pairs]
    return {
        "n": len(pairs),
        "n_negative": sum(x < 0 for x in exact),
        "calendar_days": spread(map(Fraction, dates), nearest=True),
        "elapsed_days": spread(exact, nearest=True),
        "histogram": [
            {"from": a, "to": b,
             "n": sum((a is None or a <= d) and (b is None or d < b) for d in dates)}
            for a, b in pairwise(EDGES)
        ],
    }  # fmt: skip


def wins(leads: list[Known], _: dict[str, Any]) -> dict[str, Any]:
    return {"converted": len(leads), "amount": money(x.amount for x in leads)}


def response_time(leads: list[Known], given: dict[str, Any]) -> dict[str, Any]:
    def waited(*, connected: bool) -> dict[str, Any]:
        hours = []
        for lead in leads:
            ends = lead.responses(connected=connected)
            start = min(lead.assigned, default=None) if given.get("since") else lead.at
            if ends and start:
                hours.append(units(min(ends) - start, HOUR))
        within = {f"{h}h": sum(x <= h for x in hours) for h in (1, 24, 48, 72)}
        return {"n": len(hours), "hours": spread(hours), "within": within}

    return {**waited(connected=True), "first_attempt": waited(connected=False)}


def cadence(leads: list[Known], _: dict[str, Any]) -> dict[str, Any]:
    gaps = []
    for lead in leads:
        times = sorted(lead.responses(connected=False))
        gaps += [units(b - a, DAY) for a, b in pairwise(times)]
    return {"n": len(gaps), "gap_days": spread(gaps)}


def activity(contacts: list[tuple[Known, Told]], _: dict[str, Any]) -> dict[str, Any]:
    return {
        "follow_ups": len(contacts),
        "connected": sum(c.data["connected"] for _, c in contacts),
        "leads": len({lead.name for lead, _ in contacts}),
    }


def funnel(entries: list[tuple[Known, Told]], _: dict[str, Any]) -> dict[str, Any]:
    last = [lead for lead, entry in entries if entry is lead.stages[-1]]
    return {
        "entries": len(entries),
        "leads": len({lead.name for lead, _ in entries}),
        "current": len(last),
        "dropped": sum(lead.lost and not lead.won for lead in last),
    }


def stage_duration(stays: list[tuple[Known, Told]], _: dict[str, Any]) -> dict[str, Any]:
    days, open_ = [], 0
    for lead, stay in stays:
        order = sorted((s for s in lead.stages if s.time), key=lambda s: (s.time, s.position))
        after = order[order.index(stay) + 1 :]
        if after:
            days.append(units(after[0].time - stay.time, DAY))
        elif lead.lost_at and lead.lost_at >= stay.time:
            days.append(units(lead.lost_at - stay.time, DAY))
        elif not lead.lost or lead.lost_at:
            open_ += 1
    return {"n": len(days), "elapsed_days": spread(days), "open": open_}


def conversions(leads: list[Known], facts: dict[str, Known]) -> list[dict[str, Any]]:
    rows = []
    for x in leads:
        mates = _mates(x, facts)
        won, seen = x.rate_then or (None, None)
        rows.append({
            "lead": x.name, "code": f"X-{x.name}", "source_system": "test",
            "owner": x.won_by, "converted_at": x.won_at and x.won_at.isoformat() + "+08:00",
            "cycle_days": (x.won_at.date() - x.at.date()).days if x.at and x.won_at else None,
            "source": x.values.get("source"), "industry": x.values.get("industry"),
            "amount": money([x.amount]), "basis": None,
            "rate_at_conversion": {
                "rate": x.rate_then and _rounded(Fraction(*x.rate_then)),
                "converted": won, "leads": seen,
            },
            "rate": ratio(sum(m.won for m in mates), len(mates)),
            "nodes": _nodes(x),
        })  # fmt: skip
    return sorted(rows, key=lambda row: row["lead"])


def _nodes(x: Known) -> list[dict[str, Any]]:
    way = [s for s in x.stages if s.time and x.won_at and s.time <= x.won_at]
    way = [s for s in way if s.data["stage"] != "成交"]
    found = []
    for s in sorted(way, key=lambda s: (s.time, s.position)):
        days = (x.won_at.date() - s.time.date()).days
        found.append({
            "stage": s.data["stage"], "entered_at": s.time.isoformat() + "+08:00",
            "days_before_signing": days, "text": f"{s.data['stage']}后第{days}天签约",
        })  # fmt: skip
    return found


def _inside(time: datetime | None, start: str | None, end: str | None) -> bool:
    if not (start or end):
        return True
    return time is not None and (start or "") <= f"{time:%Y-%m-%d}" and (
        end is None or f"{time:%Y-%m-%d}" < end
    )  # fmt: skip


def _units_of(name: str, leads: list[Known]) -> list[tuple[Any, Known, datetime | None, dict]]:
    """What the report counts: (thing, its lead, its period's instant, its own dimensions)."""
    match name:
        case "activity":
            return [
                ((x, c), x, c.time,
                 {"by": c.data["by"], "method": c.data["method"], "month": _month(c.time)})
                for x in leads for c in x.group_contacts()
            ]  # fmt: skip
        case "funnel" | "stage-duration":
            return [
                ((x, s), x, x.at, {"stage": s.data["stage"]})
                for x in leads for s in x.stages if s.time or name == "funnel"
            ]  # fmt: skip
        case "wins" | "conversions":
            return [
                (x, x, x.won_at, {"month": _month(x.won_at), "quarter": _quarter(x.won_at),
                                  "lead": x.name})
                for x in leads if x.won
            ]  # fmt: skip
    return [(x, x, x.at, {}) for x in leads]


FIGURES: dict[str, Callable[[Any, dict[str, Any]], dict[str, Any]]] = {
    "conversion": conversion, "cycle-time": cycle_time, "wins": wins,
    "response-time": response_time, "activity": activity, "funnel": funnel,
    "stage-duration": stage_duration, "follow-up-cadence": cadence, "insights": insights,
}  # fmt: skip


def answer(name: str, given: dict[str, Any], told: list[Told]) -> tuple[list[dict], dict]:
    """Rows and total of a report on the facts that its parameters let through."""
    until, before = given.get("at_position"), given.get("as_of")
    facts = [f for f in told if until is None or f.position <= until]
    if before:
        facts = [f for f in facts if f.time and f.time < before]
    known = understand(facts)
    cohort = given.get("cohort")
    leads = [x for x in known.values() if x.captured and cohort in (None, _month(x.at))]
    if name != "conversion":  # the only report that tells how many are merged
        leads = [x for x in leads if not x.into]
    counted = [
        u for u in _units_of(name, leads) if _inside(u[2], given.get("from"), given.get("to"))
    ]
    if name == "conversions":
        rows = conversions([thing for thing, *_ in counted], known)
        return rows, wins([thing for thing, *_ in counted], given)
    by_bucket: defaultdict[str, list[Any]] = defaultdict(list)
    for thing, lead, _, own in counted:
        for bucket in buckets(lead, given, own):
            by_bucket[bucket].append(thing)
    order = sorted(by_bucket)
    key = "bucket"
    if name in ("funnel", "stage-duration"):
        key = "stage"
        order.sort(key=lambda s: (PIPELINE.index(s) if s in PIPELINE else 99,
                                  min(entry.position for _, entry in by_bucket[s])))  # fmt: skip
    figures = FIGURES[name]
    rows = [{key: bucket, **figures(by_bucket[bucket], given)} for bucket in order]
    total = figures([thing for thing, *_ in counted], given)
    if name == "conversion" and given["dimension"] == "owner":
        team_rates(rows, by_bucket, given)
        total["team_rate"] = total["rate"]
    return standing_out(rows, total) if name == "insights" else rows, total
