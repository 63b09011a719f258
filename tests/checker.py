"""Judges what a run left in the database, sharing no code with the product.

It reads the log, the ledger and the live read tables in one snapshot, with SQL and the standard
library's json, and says what is wrong: an empty list is a clean bill. Commands that a test sends
carry a mark, `key-` and sixteen letters of their own, in a text of the event they cause.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
from psycopg.rows import dict_row

from tests import checker_fold
from tests.checker_fold import Fact, Row
from tests.checker_lead import ERASED
from tests.sealed import unsealed

MARK = re.compile(r"key-[a-z]{16}")
TABLES = {
    "leads": ("leads",),
    "follow_ups": ("follow_ups",),
    "stages": ("stage_changes",),
    "conversions": ("conversions", "channels"),
    "attachments": ("attachments",),
    "duplicates": ("suspicions", "dismissals"),
    "workload": ("carried", "people"),
    "tasks": ("timed_leads", "tasks"),
    "sla": ("lead_teams", "response_tasks", "lead_pauses"),
    "assignments": ("assignments", "candidates"),
    "reviewing": ("standings", "lapses", "findings"),
    "reviews": ("reviews",),
    "notifications": ("notified_subjects", "notifications", "deliveries"),
    "accesses": ("accesses",),
}
REPEATING = {
    "lead.first-follow-up-task-issued", "lead.first-response-made", "lead.first-response-breached",
    "lead.escalated-to-supervisor", "lead.task-done", "lead.task-overdue",
}  # fmt: skip
"""What follows from a command, or from time alone, names people as an earlier command did."""
PARKED = (
    "SELECT p.name, p.position FROM projection.parked p"
    " JOIN projection.builds b USING (name, generation) WHERE b.state = 'live'"
)
KEYS = {
    "stage_changes": ("position",),
    "follow_ups": ("position",),
    "attachments": ("position",),
    "suspicions": ("position",),
    "dismissals": ("position",),
    "people": ("person",),
    "channels": ("source",),
    "tasks": ("lead", "name"),
    "response_tasks": ("position",),
    "lead_pauses": ("position",),
    "assignments": ("position",),
    "candidates": ("position", "person"),
    "lapses": ("position",),
    "findings": ("position", "finding", "nr"),
    "reviews": ("review",),
    "notified_subjects": ("subject",),
    "notifications": ("subject", "id"),
    "deliveries": ("id", "channel"),
    "accesses": ("position",),
}


class Acknowledged(NamedTuple):
    """A command's answer: which version of which stream, and which log position, it made.

    `key` names the command, `says` is a text of its event that no other command has.
    """

    key: str
    says: str
    stream: UUID
    version: int
    position: int | None


@dataclass
class Evidence:
    """What the database holds. Per projection: its checkpoint, the positions parked, its tables.

    `ledger` has the commands with an effect, `idle` those that changed nothing, each with its
    position.
    """

    facts: list[Fact]
    ledger: dict[UUID, int]
    idle: dict[UUID, int]
    checkpoints: dict[str, int]
    parked: dict[str, set[int]]
    tables: dict[str, list[Row]]


def check(
    dsn: str,
    acknowledged: Iterable[Acknowledged] = (),
    refused: Iterable[str] = (),
    *,
    parked: bool = False,
) -> list[str]:
    """Read and judge. `refused` = what refused commands said; `parked` = events may be parked."""
    return faults(read(dsn), acknowledged, refused, parked=parked)


def faults(
    evidence: Evidence,
    acknowledged: Iterable[Acknowledged] = (),
    refused: Iterable[str] = (),
    *,
    parked: bool = False,
) -> list[str]:
    """What is wrong, in words; empty = nothing."""
    found = [
        *_log_faults(evidence.facts),
        *_command_faults(evidence.facts, evidence.ledger),
        *_idle_faults(evidence.facts, evidence.idle),
        *_answer_faults(evidence.facts, acknowledged, refused),
        *_parking_faults(evidence),
        *_table_faults(evidence),
    ]
    if not parked:
        found += [f"{name}: parked {sorted(at)}" for name, at in evidence.parked.items()]
    return found


def read(dsn: str) -> Evidence:
    """All that is judged, in one snapshot."""
    with psycopg.connect(dsn, row_factory=dict_row) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        keys = {row["stream"]: row["wrapped"] for row in conn.execute("TABLE privacy.keys")}
        facts = [_fact(row, keys) for row in conn.execute(
            "SELECT * FROM log.leadlog_events ORDER BY notification_id"
        )]  # fmt: skip
        noted: dict[bool, dict[UUID, int]] = {True: {}, False: {}}
        for row in conn.execute("TABLE log.ledger"):
            noted[row["effect"]][row["command_id"]] = row["position"]
        live = conn.execute("SELECT * FROM projection.builds WHERE state = 'live'").fetchall()
        parked: defaultdict[str, set[int]] = defaultdict(set)
        for row in conn.execute(PARKED):
            parked[row["name"]].add(row["position"])
        tables = {
            table: conn.execute(f'TABLE "p_{b["name"]}_{b["generation"]}"."{table}"').fetchall()
            for b in live
            for table in TABLES.get(b["name"], ())
        }
    checkpoints = {b["name"]: b["position"] for b in live}
    return Evidence(facts, noted[True], noted[False], checkpoints, dict(parked), tables)


def _fact(row: dict[str, Any], keys: dict[UUID, bytes]) -> Fact:
    try:
        data = unsealed(row, keys)
    except ValueError:  # planted by a test: nobody can fold it, so it has to be parked
        data = {}
    return Fact(
        row["notification_id"],
        row["originator_id"],
        row["originator_version"],
        row["recorded_at"],
        row["topic"],
        data,
    )


def _log_faults(facts: Sequence[Fact]) -> Iterator[str]:
    versions: Counter[UUID] = Counter()
    before: datetime | None = None
    for place, fact in enumerate(facts, 1):
        versions[fact.stream] += 1
        if fact.position != place:
            yield f"position {fact.position} stands in place {place}"
        if fact.version != versions[fact.stream]:
            yield (
                f"position {fact.position}: version {fact.version} of {fact.stream} stands in"
                f" place {versions[fact.stream]}"
            )
        if before and fact.recorded_at < before:
            yield f"position {fact.position} was recorded before its predecessor"
        before = fact.recorded_at


def _command_faults(facts: Sequence[Fact], ledger: dict[UUID, int]) -> Iterator[str]:
    """Each command is in the ledger with its last event, and its events were one commit."""
    effects: defaultdict[UUID, list[Fact]] = defaultdict(list)
    marked: defaultdict[str, set[UUID | int]] = defaultdict(set)
    for fact in facts:
        if (command := fact.command) is not None:
            effects[command].append(fact)
        for mark in MARK.findall(fact.text if fact.topic not in REPEATING else ""):
            marked[mark].add(fact.command or fact.position)
    for command, own in effects.items():
        positions = [f.position for f in own]
        if positions != list(range(positions[0], positions[0] + len(own))):
            yield f"command {command} had more than one effect: positions {positions}"
        if len({(f.stream, f.recorded_at) for f in own}) > 1:
            yield f"command {command} was not one commit on one stream: positions {positions}"
        if (noted := ledger.get(command)) != positions[-1]:
            yield f"command {command} ended at {positions[-1]}, its ledger says {noted}"
    for mark, commands in marked.items():
        if len(commands) > 1:
            yield f"{mark} was carried out more than once: {sorted(map(str, commands))}"
    ends = {f.position: f.command for f in facts}
    for command, position in ledger.items():
        if position not in ends or ends[position] not in (None, command):
            yield f"the ledger has {command} at position {position}, which is not its event"


def _idle_faults(facts: Sequence[Fact], idle: dict[UUID, int]) -> Iterator[str]:
    """A command that changed nothing found the lead as some other command had left it."""
    commands = {f.position: f.command for f in facts}
    for command, position in idle.items():
        if position not in commands:
            yield f"idle command {command} stands at position {position}, where nothing is"
        elif commands[position] == command:
            yield f"idle command {command} caused position {position}"


def _answer_faults(
    facts: Sequence[Fact], acknowledged: Iterable[Acknowledged], refused: Iterable[str]
) -> Iterator[str]:
    """What was acknowledged is in the log where the answer says; what was refused is not."""
    by_position = {f.position: f for f in facts}
    said: defaultdict[UUID | None, str] = defaultdict(str)
    for fact in facts:
        said[fact.command] += fact.text
    answers: dict[str, Acknowledged] = {}
    for answer in acknowledged:
        if (first := answers.setdefault(answer.key, answer)) != answer:
            yield f"{answer.key} was answered {first} and then {answer}"
        found = by_position.get(answer.position or 0)
        if found is None or (found.stream, found.version) != (answer.stream, answer.version):
            yield f"{answer.key} is lost: position {answer.position} holds {found}"
        elif answer.says not in said[found.command]:
            yield f"{answer.key} is lost: position {answer.position} is another command's"
    everything = "\n".join(said.values())
    for words in refused:
        if words in everything:
            yield f"{words} was refused and stands in the log"
    for position, times in Counter(a.position for a in answers.values()).items():
        if times > 1:
            yield f"position {position} was the answer to {times} commands"


def _parking_faults(evidence: Evidence) -> Iterator[str]:
    """Behind a parked event the later ones of its stream wait, but for an erasure of it."""
    for name, parked in evidence.parked.items():
        waiting: set[UUID] = set()
        for fact in evidence.facts[: evidence.checkpoints[name]]:
            if fact.topic not in checker_fold.TOPICS[name]:
                continue
            if fact.position in parked:
                waiting.add(fact.stream)
            elif fact.stream in waiting and fact.topic != ERASED:
                yield f"{name} folded position {fact.position} past a parked event of its stream"


def _table_faults(evidence: Evidence) -> Iterator[str]:
    for name, tables in TABLES.items():
        if name not in evidence.checkpoints:
            yield f"{name} has no live build"
            continue
        checkpoint, parked = evidence.checkpoints[name], evidence.parked.get(name, set())
        if checkpoint > len(evidence.facts):
            yield f"{name} stands at {checkpoint}, behind the end of the log"
        folded = [
            f for f in evidence.facts
            if f.position <= checkpoint and f.position not in parked
        ]  # fmt: skip
        expected = checker_fold.FOLDS[name](folded)
        for table in tables:
            yield from _row_faults(table, evidence.tables[table], expected[table], checkpoint)


def _row_faults(
    table: str, found: Sequence[Row], expected: Sequence[Row], checkpoint: int
) -> Iterator[str]:
    key = KEYS.get(table, ("lead",))
    actual = {tuple(row[k] for k in key): row for row in found}
    wanted = {tuple(row[k] for k in key): row for row in expected}
    if len(actual) != len(found):
        yield f"{table}: rows stand there twice"
    for name in actual.keys() | wanted.keys():
        have, want = actual.get(name), wanted.get(name)
        if have is None or want is None:
            yield f"{table} at {checkpoint}: row {name} is {'missing' if want else 'too much'}"
        elif have != want:
            odd = {
                c: (have.get(c), want.get(c))
                for c in have.keys() | want.keys()
                if have.get(c) != want.get(c)
            }
            yield f"{table} at {checkpoint}: row {name} (found, expected): {odd}"
