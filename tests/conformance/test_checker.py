"""The checker itself: faults planted into what it reads, each of them found (T14)."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from adapters.postgres.runner import catch_up
from aggregates.lead import events as e
from projections.catalogue import PROJECTIONS
from tests.checker import TABLES, Acknowledged, Evidence, check, faults, read
from tests.checker_fold import FOLDS, Fact, Row
from tests.conformance.histories import Entry, append, history, interleaved

MARK = "key-abcdefghijklmnop"
LEAD, TALK = uuid4(), "谈了价格"
PAUSED = datetime(2024, 5, 1, tzinfo=UTC)
EVENTS = (
    e.LeadCaptured(
        code="X", details={"customer": MARK, "source": "展会", "phone": "13912345678", "size": 7}
    ),
    e.LeadAssigned(owner="王芳"),
    e.LeadReassigned(owner="李雷", previous_owner="王芳"),
    e.FollowUpRecorded(code="G", connected=True, content=TALK),
    e.StageChanged(stage="已联系"),
    e.LeadConverted(amount=Decimal("85000.00")),
    e.LeadPaused(occurred_at=PAUSED, reason="预算未批"),
    e.LeadResumed(occurred_at=PAUSED + timedelta(hours=1)),
    e.LeadReleasedToPool(pool="公海"),
    e.LeadScreened(accepted=True),
    e.LeadShared(person="Ana"),
)


@dataclass
class Case:
    """What is judged: sound, until a fault is planted."""

    evidence: Evidence
    answers: list[Acknowledged]
    refused: list[str]

    def fact(self, version: int) -> Fact:
        """An event of the marked lead."""
        return next(f for f in self.evidence.facts if (f.stream, f.version) == (LEAD, version))

    def change(self, version: int, /, **changes: Any) -> None:
        """Make that event another one."""
        fact = self.fact(version)
        self.evidence.facts[fact.position - 1] = replace(fact, **changes)

    def row(self, table: str) -> Row:
        """The marked lead's row."""
        return next(row for row in self.evidence.tables[table] if row["lead"] == LEAD)

    def found(self) -> list[str]:
        """The checker's words."""
        return faults(self.evidence, self.answers, self.refused)


def _drop_event(case: Case) -> None:
    del case.evidence.facts[case.fact(3).position - 1]


def _drop_last_event(case: Case) -> None:
    del case.evidence.facts[-1]


def _swap_events(case: Case) -> None:
    facts, at = case.evidence.facts, case.fact(3).position - 1
    facts[at], facts[at - 1] = facts[at - 1], facts[at]


def _reorder_two_of_a_lead(case: Case) -> None:
    one, other = case.fact(2), case.fact(3)
    case.change(2, topic=other.topic, data=other.data)
    case.change(3, topic=one.topic, data=one.data)


def _repeat_command_id(case: Case) -> None:
    case.change(5, data=case.fact(5).data | {"meta": case.fact(2).data["meta"]})


def _repeat_effect(case: Case) -> None:
    case.change(4, data=case.fact(4).data | {"content": MARK})


def _replace_event(case: Case) -> None:
    other = case.fact(2)
    case.change(1, topic=other.topic, data=other.data)


def _skip_events(case: Case) -> None:
    """The checkpoint moved, the rows stayed."""
    later = len(case.evidence.facts)
    stream = uuid4()
    meta = {"actor": "user:test", "command_id": str(stream)}
    last = case.evidence.facts[-1]
    skipped = Fact(later + 1, stream, 1, last.recorded_at, "lead.reopened", {"meta": meta})
    case.evidence.facts.append(skipped)
    case.evidence.ledger[stream] = later + 1
    case.evidence.checkpoints["leads"] += 1


def _go_back(case: Case) -> None:
    case.change(3, recorded_at=case.fact(3).recorded_at - timedelta(days=1))


def _copy_answer(case: Case) -> None:
    case.answers.append(case.answers[0]._replace(key="another"))


def _count_twice(case: Case) -> None:
    case.evidence.tables["channels"][0]["leads"] = 99


def _note(position: int) -> Callable[[Case], object]:
    return lambda case: case.evidence.ledger.update({uuid4(): position})


def _idle(position: int) -> Callable[[Case], object]:
    return lambda case: case.evidence.idle.update({uuid4(): position})


def _call_idle(case: Case) -> None:
    """A command with an effect is said to have had none."""
    ledger = case.evidence.ledger
    command = next(iter(ledger))
    case.evidence.idle[command] = ledger.pop(command)


def _answer(key: str, version: int, position: int) -> Callable[[Case], object]:
    return lambda case: case.answers.append(Acknowledged(key, "words", LEAD, version, position))


def _checkpoint(name: str, position: int) -> Callable[[Case], object]:
    return lambda case: case.evidence.checkpoints.update({name: position})


def _park(version: int) -> Callable[[Case], object]:
    return lambda case: case.evidence.parked.update(leads={case.fact(version).position})


def _set(table: str, **values: Any) -> Callable[[Case], object]:
    return lambda case: case.row(table).update(values)


def _drop_row(table: str) -> Callable[[Case], object]:
    return lambda case: case.evidence.tables[table].pop()


def _double_row(table: str) -> Callable[[Case], object]:
    return lambda case: case.evidence.tables[table].append(case.evidence.tables[table][0])


PLANTS: dict[str, tuple[Callable[[Case], object], str]] = {
    "an event dropped": (_drop_event, "stands in place"),
    "the last event dropped": (_drop_last_event, "which is not its event"),
    "events swapped": (_swap_events, "stands in place"),
    "a lead's events reordered": (_reorder_two_of_a_lead, "row"),
    "an event replaced": (_replace_event, "is another command's"),
    "a version twice": (lambda case: case.change(3, version=2), "version 2 of"),
    "time going back": (_go_back, "was recorded before its predecessor"),
    "a command done twice": (_repeat_command_id, "more than one effect"),
    "an effect twice, under another id": (_repeat_effect, "carried out more than once"),
    "a ledger row dropped": (lambda case: case.evidence.ledger.popitem(), "its ledger says None"),
    "a ledger row of nothing": (_note(10**6), "which is not its event"),
    "a ledger row of another's event": (_note(1), "which is not its event"),
    "an idle command behind the log": (_idle(10**6), "where nothing is"),
    "an idle command with an effect": (_call_idle, "caused position"),
    "an effect that is not noted": (_call_idle, "its ledger says None"),
    "an acknowledged event lost": (_answer("lost", 7, 10**6), "lost is lost"),
    "another stream's event": (_answer("lost", 3, 1), "lost is lost"),
    "two answers to one command": (_answer("capture", 2, 2), "and then"),
    "one event for two commands": (_copy_answer, "was the answer to 2 commands"),
    "a refused command carried out": (lambda case: case.refused.append(TALK), "was refused"),
    "events skipped": (_skip_events, "leads at"),
    "rows ahead of the checkpoint": (_checkpoint("leads", 3), "is too much"),
    "a checkpoint beyond the log": (_checkpoint("stages", 10**6), "behind the end of the log"),
    "no live build": (lambda case: case.evidence.checkpoints.pop("stages"), "no live build"),
    "something parked": (_park(6), "leads: parked"),
    "folded past a parked event": (_park(2), "past a parked event"),
    "a follow-up counted twice": (_set("leads", follow_ups=2), "'follow_ups': (2, 1)"),
    "a wrong amount": (_set("leads", amount=Decimal("85000.01")), "'amount'"),
    "a wrong amount won": (_set("conversions", amount=Decimal(8500)), "'amount'"),
    "an unmasked phone": (_set("leads", phone="13912345678"), "139****5678"),
    "owners in another order": (_set("leads", owners=["李雷", "王芳"]), "'owners'"),
    "the wrong winner": (_set("leads", owner_at_conversion="王芳"), "'owner_at_conversion'"),
    "a lost attribute": (_set("leads", attributes={}), "'attributes'"),
    "a stale version": (_set("leads", version=5), "'version': (5, 11)"),
    "a pause that does not end": (_set("leads", paused=True), "'paused': (True, False)"),
    "a pause counted twice": (_set("leads", paused_seconds=7200.0), "'paused_seconds'"),
    "a lead in no pool": (_set("leads", pool=None), "'pool'"),
    "an owner of a pooled lead": (_set("leads", owner="李雷"), "'owner'"),
    "a verdict forgotten": (_set("leads", screened=None), "'screened'"),
    "a share forgotten": (_set("leads", shared_with=[]), "'shared_with'"),
    "a lost time": (_set("follow_ups", recorded_at=None), "'recorded_at'"),
    "another text": (_set("follow_ups", content="谈了"), "'content'"),
    "another stage": (_set("stage_changes", stage="成交"), "'stage'"),
    "a wrong rate": (_set("conversions", channel_leads=99), "'channel_leads'"),
    "a channel counted twice": (_count_twice, "'leads': (99"),
    **{f"no row of {t}": (_drop_row(t), "is missing") for t in ("leads", "follow_ups", "channels")},
    **{f"{t} twice": (_double_row(t), "twice") for t in ("leads", "stage_changes", "conversions")},
}


def test_planted_faults_are_found(dsn: str, subtests: pytest.Subtests) -> None:
    sound = _case(dsn)
    assert sound.found() == []
    for name, (plant, words) in PLANTS.items():
        with subtests.test(name):
            case = copy.deepcopy(sound)
            plant(case)
            assert words in "\n".join(case.found())


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE p_leads_1.leads SET follow_ups = follow_ups + 1 WHERE code = 'X'",
        "DELETE FROM p_stages_1.stage_changes WHERE position = 1 OR stage = '已联系'",
        "UPDATE p_conversions_1.channels SET converted = 0",
        "UPDATE projection.builds SET position = 1 WHERE name = 'follow_ups'",
        "SET session_replication_role = replica; DELETE FROM log.ledger",
        "SET session_replication_role = replica; DELETE FROM log.leadlog_events"
        " WHERE notification_id = 5",
    ],
)
def test_tampering_in_the_database_is_found(dsn: str, tampering: str) -> None:
    _case(dsn)
    assert check(dsn) == []
    with psycopg.connect(dsn) as conn:
        conn.execute(tampering)
    assert check(dsn) != []


def _case(dsn: str) -> Case:
    rng = Random(1)
    own = [Entry(LEAD, n, event) for n, event in enumerate(EVENTS, 1)]
    append(dsn, interleaved(rng, [own, *history(rng, leads=20)]), per_commit=7)
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO log.ledger VALUES (gen_random_uuid(), '', 1, false)")
    case = Case(read(dsn), [], [])
    assert len(case.evidence.idle) == 1
    captured = case.fact(1)
    case.answers.append(Acknowledged("capture", MARK, LEAD, 1, captured.position))
    return case


def test_every_read_model_has_an_independent_fold() -> None:
    """P4: what the checker cannot judge nobody judges."""
    assert set(TABLES) == set(FOLDS) == set(PROJECTIONS)
