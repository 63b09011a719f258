"""Recovery to a point in time: the log ends exactly there, proves itself and goes on (R113, P7)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
import psycopg
import pytest

from tests.checker import Acknowledged, check
from tests.crash.backing_up import Backups
from tests.crash.load import Load
from tests.crash.service import RunningService
from tests.crash.waiting import until, until_read, until_ready
from tests.integration.erasing import mark, phone
from tests.integration.program import Program
from tests.integration.searching import places
from tests.seed import SEED
from tests.size import size

COMMANDS = size(30, 2_000)
"""So many at least before, between and after what is done to the service."""
SECRETS = [mark(1), phone(1)]
LOG = "SELECT * FROM log.leadlog_events WHERE notification_id <= %s ORDER BY notification_id"
END = "SELECT max(notification_id) FROM log.leadlog_events"
# By the clock of the commit itself, which recovery goes by.
END_BY = f"{END} WHERE pg_xact_commit_timestamp(xmin) <= %s"


@dataclass(frozen=True)
class _Lost:
    """What was known of the server that is gone."""

    point: datetime
    log: list[tuple[Any, ...]]
    """By that point; what was written behind a later commit may be left out."""
    known: int
    """Up to there commands had been acknowledged when the point was noted."""
    answers: list[Acknowledged]
    refused: list[str]
    token: str
    sent: int


@pytest.fixture
def kept(open_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What is kept apart from the database and its backups."""
    directory = open_tmp / "kept"
    directory.mkdir()
    monkeypatch.setenv("LEADLOG_ERASURE_LIST", str(directory / "erasures.jsonl"))
    monkeypatch.setenv("LEADLOG_SIGNING_KEY_FILE", str(directory / "signing.key"))
    monkeypatch.setenv("LEADLOG_SEAL_SECONDS", "0.5")
    return directory


def test_a_restored_log_ends_at_the_point_and_goes_on(
    open_tmp: Path, kept: Path, free_port: int
) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED)
    backups = Backups(open_tmp / "backups", open_tmp / "lost" / "postgres")
    backups.archive()
    lost = _lived(open_tmp / "lost", free_port, backups, kept, rng)
    backups.lose_server()

    root = open_tmp / "restored"
    cluster = backups.restore(root / "postgres", lost.point)
    dsn = cluster.dsn("leadlog")
    with psycopg.connect(dsn) as conn:
        log = conn.execute(LOG, (2**62,)).fetchall()
    assert lost.known <= len(log) <= len(lost.log)
    assert log == lost.log[: len(log)]
    assert places(dsn, SECRETS), "the backup is older than the erasure"
    with RunningService(root, free_port) as service:
        until_ready(service.url)
        cluster.stop()
        until_read(dsn)
        assert places(dsn, SECRETS) == {}
        _prove(service, kept)
        with _load(service, lost.token, rng, lost.sent) as load:
            _more(load)
        until_read(dsn)
        answers = [a for a in lost.answers if (a.position or 0) <= len(log)]
        assert check(dsn, answers + load.answers, lost.refused + load.refused) == []
        assert service.stop() == 0


def _lived(root: Path, port: int, backups: Backups, kept: Path, rng: Random) -> _Lost:
    """A service under load: backed up, a point noted, a lead of before it erased behind it."""
    with RunningService(root, port) as service:
        until_ready(service.url)
        secret = _captured(service)
        until_read(service.dsn)
        with (
            psycopg.connect(service.dsn, autocommit=True) as conn,
            _load(service, service.token, rng) as load,
        ):
            _more(load)
            backups.take(service.dsn)
            _more(load)
            _keep_checkpoint(service, load, kept / "before.note")
            known = max(a.position or 0 for a in load.answers)
            (point,) = conn.execute("SELECT clock_timestamp()").fetchone() or ()
            _more(load)
            _erase(service, secret)
            _keep_checkpoint(service, load, kept / "behind.note")
        with psycopg.connect(service.dsn, autocommit=True) as conn:
            (end,) = conn.execute(END_BY, (point,)).fetchone() or ()
            log = conn.execute(LOG, (end,)).fetchall()
            assert conn.execute(END).fetchone() > (end,)
            backups.finish(conn)
        assert service.stop() == 0
        return _Lost(point, log, known, load.answers, load.refused, service.token, load._sent)


def _prove(service: RunningService, kept: Path) -> None:
    """The log is the one that was signed before the point; it is signed again when told so."""
    program = Program(service.dsn)
    program("projections", "verify")
    program("audit", "verify", "--against", str(kept / "before.note"))
    program("audit", "verify", "--against", str(kept / "behind.note"), refused="behind.note")
    until(lambda: "no checkpoint can be signed: this is not the log" in service.log, "it says so")
    program("keys", "rotate", "--signing", "--lost")


@contextmanager
def _load(service: RunningService, token: str, rng: Random, sent: int = 0) -> Iterator[Load]:
    """Clients at work; every command has its answer at the end."""
    load = Load(service.url, token, Random(rng.random()), _sent=sent)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(load.run)
        try:
            yield load
        finally:
            load.stopping = True
        running.result()


def _more(load: Load) -> None:
    """Wait for so many further answers."""
    before = len(load.answers)
    until(lambda: len(load.answers) >= before + COMMANDS, "commands are answered")


def _keep_checkpoint(service: RunningService, load: Load, path: Path) -> None:
    """The newest one, which covers all that has been answered."""
    asked = {"min_position": max(a.position or 0 for a in load.answers)}
    headers = {"Authorization": f"Bearer {service.token}"}

    def covers() -> bool:
        answer = http.get(f"{service.url}/v1/audit/checkpoint", params=asked)
        path.write_text(answer.json().get("note", ""))
        return answer.status_code == 200

    with httpx.Client(headers=headers) as http:
        until(covers, "the log is signed")


def _captured(service: RunningService) -> str:
    """A lead to be erased; its id."""
    about = {"customer": f"公司{mark(1)}", "phone": phone(1), "source": "官网注册"}
    return str(_post(service, "", about)["id"])


def _erase(service: RunningService, lead: str) -> None:
    _post(service, f"/{lead}:erase", {"reason": "客户要求删除个人信息"})


def _post(service: RunningService, path: str, body: dict[str, str]) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {service.token}", "Idempotency-Key": f"own{path}"}
    answer = httpx.post(f"{service.url}/v1/leads{path}", json=body, headers=headers)
    assert answer.is_success, answer.text
    return dict(answer.json())
