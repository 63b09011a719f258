"""Random histories: every report equals its recomputation, every cell its evidence.

SEED=<number> repeats a run.
"""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from projections.reports.catalogue import REPORTS
from tests.integration import report_log as write
from tests.integration import report_model_time
from tests.integration.report_log import Fact, Log, stream
from tests.integration.report_model import Told, answer
from tests.seed import SEED
from tests.size import size

START = datetime(2024, 3, 25)  # noqa: DTZ001 - local time of the company
LEADS = [f"l{n}" for n in range(14)]
DIMENSIONS = (
    "all", "source", "industry", "owner", "team", "cohort_month", "cohort_quarter",
    "attribute:it's 100%", "source,cohort_month", "owner,attribute:it's 100%",
)  # fmt: skip
OWN = {
    "wins": ("month", "quarter", "month,owner"),
    "activity": ("by", "method", "month", "by,source"),
    "funnel": ("stage",),
    "stage-duration": ("stage",),
    "conversions": ("lead",),
}
KINDS = (
    *("captured", "assigned", "entered", "entered", "contacted", "contacted"),
    *("won", "won", "lost", "reopened", "reversed", "merged", "unmerged"),
)


def told(rng: random.Random, position: int) -> Told:
    """A fact that may be timed anywhere or nowhere, on few instants so that some coincide."""
    hours = rng.choice((1, 6)) * rng.randrange(240)
    time = START + timedelta(hours=hours, minutes=rng.choice((0, 0, 20)))
    kind = rng.choice(KINDS)
    data: dict[str, Any] = {}
    if kind in ("captured", "assigned", "won"):
        names = {
            "source": ("web", "fair", "", None),
            "industry": ("IT", "retail"),
            "team": ("east", "west"),
            "it's 100%": ("a", "b"),
            "owner": ("Li", "Wang", "Zhao"),
        }
        some = rng.sample(sorted(names), rng.randrange(3))
        data["values"] = {name: rng.choice(names[name]) for name in some}
    if kind == "assigned":
        data["values"]["owner"] = rng.choice(("Li", "Wang", "Zhao"))
    if kind == "won":
        data["amount"] = rng.choice((None, Decimal(rng.randrange(1, 10**6)) / 100))
    if kind == "entered":
        data["stage"] = rng.choice(("成交", "已联系", "待分配", "C", "B", "A"))
    if kind == "contacted":
        data["connected"] = rng.random() < 0.5
        data["by"] = rng.choice(("Li", "Wang", None))
        data["method"] = rng.choice(("call", "visit"))
    lead = rng.choice(LEADS)
    if kind == "merged":
        earlier = LEADS[: LEADS.index(lead)]  # no command makes a ring
        if not earlier:
            kind = "unmerged"
        else:
            data["into"] = rng.choice(earlier)
    return Told(position, lead, kind, rng.choice((time, time, time, None)), data)


def as_event(fact: Told) -> Fact:
    """The fact as the product stores it."""
    lead, time = fact.lead, fact.time.isoformat() if fact.time else None
    values = dict(fact.data.get("values", {}))
    match fact.kind:
        case "captured":
            return write.captured(lead, time, imported=True, **values)
        case "assigned":
            return write.assigned(lead, time, values.pop("owner"), **values)
        case "entered":
            return write.entered(lead, time, fact.data["stage"])
        case "contacted":
            return write.contacted(lead, time, **fact.data)
        case "lost":
            return write.lost(lead, time)
        case "reopened":
            return write.reopened(lead, time)
        case "merged":
            return write.merged(lead, time, fact.data["into"])
        case "unmerged":
            return write.unmerged(lead, time)
        case "won":
            amount = fact.data["amount"]
            return write.won(lead, time, amount and str(amount), details=values)
    return write.reversed_(lead, time)


def questions(rng: random.Random, head: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every report by every dimension, narrowed at random."""
    for name in sorted(REPORTS.keys() - report_model_time.FIGURES.keys()):
        report = REPORTS[name]
        own = OWN.get(name, ())
        for dimension in (*own, *(DIMENSIONS if report.by_lead else ())):
            given: dict[str, Any] = {"dimension": dimension}
            if "owner" in dimension:
                given["attribution"] = rng.choice(("at_conversion", "current", "first", "all"))
            if name == "conversion" and rng.random() < 0.5:
                given["denominator"] = "valid"
            if name == "response-time" and rng.random() < 0.5:
                given["since"] = "assignment"
            match rng.randrange(6):
                case 0:
                    given["cohort"] = "2024-04"
                case 1:
                    given["from"] = "2024-04-02"
                case 2:
                    given |= {"from": "2024-04-01", "to": "2024-05-01"}
            match rng.randrange(6):
                case 0:
                    given["at_position"] = rng.randrange(head + 1)
                case 1:
                    given["as_of"] = START + timedelta(hours=6 * rng.randrange(240))
            yield name, given


def same(ours: Any, theirs: Any) -> bool:
    """Equal, numbers to six digits."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[k], theirs[k]) for k in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(map(same, ours, theirs))
    if isinstance(theirs, float):
        return isinstance(ours, float) and abs(ours - theirs) <= 1e-6
    return bool(ours == theirs) and type(ours) is type(theirs)


@pytest.mark.parametrize("run", range(size(test=2, soak=400)))
def test_reports_equal_their_recomputation_and_evidence(dsn: str, run: int) -> None:
    seed = SEED + run
    print(f"SEED={seed}")
    rng = random.Random(seed)
    facts = [told(rng, n) for n in range(1, rng.choice((60, 200)) + 1)]
    log = Log(dsn)
    log.append(*map(as_event, facts))
    for name, given in questions(rng, len(facts)):
        rows, total = answer(name, given, facts)
        asked = dict(given)
        if "as_of" in asked:
            asked["as_of"] = write.when(asked["as_of"].isoformat())
        body = log.report(name, **asked)
        assert same(body["total"], total), (seed, name, given, body["total"], total)
        assert same(body["rows"], rows), (seed, name, given, body["rows"], rows)
        for row in rng.sample(body["rows"], min(2, len(body["rows"]))):
            _evidence_equals(log, name, asked, row)


def _evidence_equals(log: Log, name: str, given: dict[str, Any], row: dict[str, Any]) -> None:
    """interface.md section 5: the counts of what stands behind a row equal the row."""
    behind = log.evidence(name, row[REPORTS[name].key], **given)
    leads = {UUID(x["lead"]) for x in behind}
    assert leads <= {stream(lead) for lead in LEADS}
    counted: dict[str, int] = {
        "conversion": row.get("leads", 0),
        "cycle-time": row.get("n", 0),
        "wins": row.get("converted", 0),
        "conversions": 1,
        "response-time": row.get("n", 0),
        "follow-up-cadence": row.get("n", 0),
        "activity": row.get("follow_ups", 0),
        "funnel": row.get("entries", 0),
        "stage-duration": row.get("n", 0) + row.get("open", 0),
        "insights": row.get("leads", 0),
    }
    assert len(behind) == counted[name], (name, given, row, behind)
    match name:
        case "conversion":
            won = [x for x in behind if x["converted_position"]]
            assert len(won) == row["converted"]
            assert len(leads) == row["leads"]
        case "response-time":
            assert all(x["response_position"] for x in behind)
        case "activity":
            assert sum(x["connected"] for x in behind) == row["connected"]
            assert len(leads) == row["leads"]
        case "funnel":
            assert len({x["lead"] for x in behind if x["current"]}) == row["current"]
            assert len({x["lead"] for x in behind if x["dropped"]}) == row["dropped"]
        case "stage-duration":
            assert sum(x["open"] for x in behind) == row["open"]
