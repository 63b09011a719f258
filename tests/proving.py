"""A log to sign and to tamper with, and the Go program that verifies what we prove."""

import json
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import psycopg
import pytest

from adapters.event_leaf import StoredEvent, recorded_us
from adapters.key_file import KeyFile
from adapters.postgres.checkpointing import ROLE, make_checkpoint
from adapters.postgres.codec import encode, encode_meta
from adapters.postgres.log_check import check_log
from adapters.postgres.tables import connect
from adapters.postgres.tile_store import StoredCheckpoint
from aggregates.event import Event, Meta
from aggregates.lead import events as e

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
OWNERS = ("王芳", "李雷", "韩梅梅")
STAGES = ("待跟进", "已联系", "需求确认")
INSERT = (
    "INSERT INTO log.leadlog_events (originator_id, originator_version, topic, state,"
    " notification_id, recorded_at) VALUES (%s, %s, %s, %s, %s, %s)"
)
ROWS = (
    "SELECT notification_id, originator_id, originator_version, timestamptz_send(recorded_at),"
    " topic, state FROM log.leadlog_events ORDER BY notification_id"
)
VERIFIER = Path(__file__).parent / "go"


def fill(dsn: str, events: int, rng: Random, *, streams: int = 9) -> None:
    """Append events that hold nothing personal, to streams in random order."""
    with psycopg.connect(dsn) as conn:
        last = _scalar(conn, "SELECT coalesce(max(notification_id), 0) FROM log.leadlog_events")
        known = conn.execute(
            "SELECT originator_id, max(originator_version) FROM log.leadlog_events GROUP BY 1"
        )
        versions: dict[UUID, int] = dict(known.fetchall())
        leads = [*versions, *(UUID(int=rng.getrandbits(128)) for _ in range(streams))][:streams]
        rows = []
        for position in range(last + 1, last + events + 1):
            lead = rng.choice(leads)
            versions[lead] = versions.get(lead, 0) + 1
            event = some_event(rng)
            meta = encode_meta(Meta("user:李雷", UUID(int=rng.getrandbits(128))))
            recorded = AT + timedelta(microseconds=position * 1_000_003)
            place = (lead, versions[lead], event.topic, encode(event, meta), position, recorded)
            rows.append(place)
        conn.cursor().executemany(INSERT, rows)


def some_event(rng: Random) -> Event:
    if rng.random() < 0.5:
        return e.LeadAssigned(occurred_at=AT, owner=rng.choice(OWNERS))
    return e.StageChanged(occurred_at=AT, stage=rng.choice(STAGES))


def checkpointed(dsn: str, keys: KeyFile) -> StoredCheckpoint:
    """The newest checkpoint, made now."""
    with connect(dsn, ROLE, autocommit=True) as conn:
        found = make_checkpoint(conn, keys)
    assert found
    return found


def verdict(dsn: str) -> str:
    """What the check of the log comes to, in a line."""
    with connect(dsn, "leadlog_auditor") as conn:
        checked = check_log(conn)
    return str(checked.fault or f"{checked.covered} covered, {checked.checkpoints} checkpoints")


def stored(dsn: str) -> list[StoredEvent]:
    """Every event."""
    with psycopg.connect(dsn) as conn:
        rows = conn.cursor(binary=True).execute(ROWS).fetchall()
    return [
        StoredEvent(p, s, v, recorded_us(at), topic, state) for p, s, v, at, topic, state in rows
    ]


class GoVerifier:
    """The program of tests/go, which shares no code with ours."""

    def __init__(self, program: Path) -> None:
        self._program = program

    def run(self, *arguments: str, given: str = "") -> "subprocess.CompletedProcess[str]":
        line = [str(self._program), *arguments]
        return subprocess.run(line, input=given, capture_output=True, text=True, check=False)

    def verdicts(self, requests: Sequence[dict[str, Any]]) -> list[bool]:
        """Whether each proof holds; bytes are given as such."""
        ended = self.run("proofs", given="".join(f"{json.dumps(_plain(r))}\n" for r in requests))
        assert ended.returncode == 0, ended.stdout + ended.stderr
        verdicts = [line == "ok" for line in ended.stdout.splitlines()]
        assert len(verdicts) == len(requests)
        return verdicts


def build_verifier(directory: Path) -> GoVerifier:
    """Compile it once; skips where there is no Go."""
    if not shutil.which("go"):
        pytest.skip("go is not installed: the verifier in tests/go cannot be built")
    program = directory / "go-verify"
    built = subprocess.run(
        ["go", "build", "-buildvcs=false", "-o", str(program), "."],
        cwd=VERIFIER,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return GoVerifier(program)


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return b64encode(value).decode()
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _scalar(conn: psycopg.Connection[Any], query: str) -> int:
    row = conn.execute(query).fetchone()
    assert row is not None
    return int(row[0])
