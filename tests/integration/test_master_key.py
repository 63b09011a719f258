"""The master key: at hand or not, and replaced while the service works (R113)."""

import base64
import json
import os
import secrets
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from adapters.company import open_company
from adapters.keyring import Keyring, master_id, use_master_keys
from adapters.postgres import key_store
from adapters.settings import Settings
from tests import forked
from tests.integration.api_client import PHONE
from tests.integration.history_files import AT, text, write
from tests.integration.test_serve import serving, until

EVENTS = "SELECT notification_id, state FROM log.leadlog_events ORDER BY 1"
LEAD = {"customer": "A科技有限公司", "phone": PHONE}


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(32)).decode()


def called(key: str) -> str:
    """What a master key is called."""
    return master_id(base64.b64decode(key)).hex()


class Company:
    """A database, a data directory, and the program as a user runs it there."""

    def __init__(self, dsn: str, directory: Path) -> None:
        self.dsn, self.directory, self.file = dsn, directory, directory / "master.key"
        self.environment = {
            "LEADLOG_DATA_DIR": str(directory),
            "LEADLOG_MASTER_KEY_FILE": "",
            "LEADLOG_ERASURE_LIST": "",
            "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true",
            "LEADLOG_DATABASE": dsn,
        }

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        return forked.run(*arguments, environment=os.environ | self.environment | environment)

    def said(self, *arguments: str, **environment: str) -> str:
        """What it prints."""
        ended = self.run(*arguments, **environment)
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def refused(self, *arguments: str, **environment: str) -> str:
        """The one line in which it ends."""
        ended = self.run(*arguments, **environment)
        assert ended.returncode == 1, ended.stdout
        assert len(ended.stderr.splitlines()) == 1, ended.stderr
        return ended.stderr.strip()

    @staticmethod
    def line(*arguments: str) -> list[str]:
        return [sys.executable, "-m", "adapters.cli", *arguments]

    def put(self, keys: str) -> None:
        """Make the file of keys, for its owner alone."""
        self.file.touch(0o600)
        self.file.write_text(keys)

    def keys(self) -> list[str]:
        return self.file.read_text().split()

    def events(self) -> list[tuple[int, bytes]]:
        """The log's bytes."""
        with psycopg.connect(self.dsn) as conn:
            return conn.execute(EVENTS).fetchall()

    def wrapped(self) -> dict[str, int]:
        """How many leads each master key seals."""
        with psycopg.connect(self.dsn) as conn:
            return key_store.wrapped_by(conn)

    def kept(self) -> str:
        """The key of fingerprints as it is stored."""
        with psycopg.connect(self.dsn) as conn:
            find = "SELECT value FROM log.company WHERE name = 'ledger_key'"
            return str((conn.execute(find).fetchone() or ("",))[0])

    def ledger_key(self, settings: Settings) -> bytes:
        """The key of fingerprints, opened by the master keys of this directory."""
        use_master_keys(settings.model_copy(update={"master_key_file": self.file}))
        return open_company(self.dsn, settings).ledger_key

    def fill(self, leads: int) -> None:
        """Leads with what is personal in them."""
        about = ({"customer": f"客户{n}", "phone": f"139{n:08d}"} for n in range(leads))
        rows = ((n, AT, n, "LeadCreated", json.dumps(said)) for n, said in enumerate(about, 1))
        file = write(self.directory, text(rows))
        self.said("import", "history", str(file), "--source", "crm")


@pytest.fixture
def company(dsn: str, tmp_path: Path) -> Company:
    return Company(dsn, tmp_path)


def test_the_first_start_makes_the_key_and_later_ones_need_it(company: Company) -> None:
    started = company.run("migrate")
    assert started.returncode == 0
    assert f"made the master key {company.file}: keep a copy of it" in started.stderr
    assert company.file.stat().st_mode & 0o777 == 0o600
    (key,) = company.keys()
    company.file.unlink()
    gone = company.refused("migrate")
    assert "LEADLOG_MASTER_KEY_FILE: there is no" in gone and "put the master key there" in gone
    assert not company.file.exists(), "another key would open nothing"
    company.put(new_key())
    wrong = company.refused("migrate")
    assert f"under the master key {called(key)}" in wrong and "add it there" in wrong
    company.put("no key")
    assert "key 1 is not 32 bytes in base64" in company.refused("migrate")
    company.put(key)
    assert company.said("keys", "list").split() == [called(key), "at", "hand", "0", "leads"]


def test_starts_at_once_make_one_key(company: Company) -> None:
    starts = [
        subprocess.Popen(
            company.line("migrate"), env=os.environ | company.environment, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    said = [start.communicate(timeout=60)[1].decode() for start in starts]
    assert [start.returncode for start in starts] == [0, 0, 0], said
    assert len(company.keys()) == 1
    assert sum("made the master key" in text for text in said) == 1


def test_a_named_file_is_never_made(company: Company) -> None:
    named = str(company.directory / "elsewhere" / "master.key")
    said = company.refused("migrate", LEADLOG_MASTER_KEY_FILE=named)
    assert f"there is no {named}" in said and "leadlog keys new FILE" in said
    made = company.run("keys", "new", named)
    assert made.returncode == 0, made.stderr
    assert Path(named).stat().st_mode & 0o777 == 0o600
    company.said("migrate", LEADLOG_MASTER_KEY_FILE=named)


def test_the_environment_in_place_of_a_file(company: Company) -> None:
    """As containers do; rotated by putting a new one in front, then wrapping anew."""
    old, new = new_key(), new_key()
    company.environment["LEADLOG_MASTER_KEY"] = old
    company.fill(3)
    assert not company.file.exists()
    assert company.wrapped() == {called(old): 3}
    both = {"LEADLOG_MASTER_KEY": f"{new}\n{old}"}
    said = company.said("keys", "rotate", **both)
    assert said == (
        "3 keys of leads are wrapped by another master key now: keep a copy of it apart"
        " from the backups of the database\n"
    )
    assert company.wrapped() == {called(new): 3}
    assert not company.file.exists()
    company.said("migrate", LEADLOG_MASTER_KEY=new)
    assert called(new) in company.refused("migrate", LEADLOG_MASTER_KEY=old)


def test_no_event_changes_and_the_old_key_can_go(company: Company) -> None:
    company.fill(40)
    before, (old,) = company.events(), company.keys()
    company.said("keys", "rotate")
    new, kept = company.keys()
    assert kept == old
    assert company.events() == before
    assert company.wrapped() == {called(new): 40}
    assert company.said("keys", "list").splitlines() == [
        f"{called(new)}  at hand  40 leads, the key of fingerprints",
        f"{called(old)}  at hand  0 leads",
    ]
    company.put(new)
    assert "every event readable" in company.said("audit", "verify")


def test_a_key_in_front_is_noted_by_the_first_start(company: Company) -> None:
    """It seals at once: whoever lacks it afterwards is told before a lead cannot be read."""
    company.fill(3)
    (old,) = company.keys()
    company.said("keys", "new", str(company.file))
    company.said("migrate")
    new, kept = company.keys()
    assert kept == old
    company.put(old)
    assert called(new) in company.refused("migrate")
    company.put(f"{new}\n{old}")
    assert company.said("keys", "rotate").startswith("3 keys of leads")
    assert company.keys() == [new, old]


def test_fingerprints_stay_what_they_are(company: Company) -> None:
    """Their key is wrapped anew like those of leads, and one that stands in clear is wrapped."""
    company.fill(1)
    settings = Settings(database=company.dsn, data_dir=company.directory)
    before, kept = company.ledger_key(settings), company.kept()
    company.said("keys", "rotate")
    assert company.kept() != kept and company.kept()[:16] == called(company.keys()[0])
    company.put(company.keys()[0])
    assert company.ledger_key(settings) == before
    with psycopg.connect(company.dsn) as conn:
        clear = "UPDATE log.company SET value = %s WHERE name = 'ledger_key'"
        conn.execute(clear, (before.hex(),))
    assert company.said("keys", "rotate").startswith("1 keys of leads")
    assert company.ledger_key(settings) == before
    assert before.hex() not in company.kept()


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_store, "BATCH", 10)


@pytest.mark.usefixtures("small_batches")
def test_a_rotation_that_was_killed_is_finished_by_the_next(company: Company) -> None:
    """Until then both keys are needed, and every start says so; no third one is made."""
    company.fill(35)
    (old,) = company.keys()
    new = new_key()
    company.put(f"{new}\n{old}")
    masters = [base64.b64decode(key) for key in (new, old)]

    class Killed(Keyring):
        left = 25

        def rewrap(self, stream: Any, wrapped: bytes) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return super().rewrap(stream, wrapped)

    with psycopg.connect(company.dsn, autocommit=True) as conn, pytest.raises(KeyboardInterrupt):
        key_store.rewrap_all(conn, Killed(lambda: masters), masters)
    assert company.wrapped() == {called(new): 20, called(old): 15}
    for lacking, key in ((old, new), (new, old)):
        company.put(key)
        assert called(lacking) in company.refused("migrate")
    company.put(f"{new}\n{old}")
    assert company.said("keys", "rotate").startswith("15 keys of leads")
    assert company.keys() == [new, old]
    company.put(new)
    assert company.said("keys", "list").startswith(f"{called(new)}  at hand  35 leads, the key")


def test_a_rotation_killed_by_the_system_is_finished_by_the_next(company: Company) -> None:
    """At any instant: SIGKILL while it runs, then once more."""
    company.fill(300)
    for delay in (0.0, 0.05, 0.1):
        environment = os.environ | company.environment
        with forked.leadlog("keys", "rotate", environment=environment) as rotation:
            known = len(company.keys())
            until(lambda: rotation.poll() is not None or len(company.keys()) > known or None)  # noqa: B023
            threading.Event().wait(delay)
            rotation.kill()
    company.said("keys", "rotate")
    assert company.wrapped() == {called(company.keys()[0]): 300}
    company.put(company.keys()[0])
    company.said("migrate")


def test_a_service_goes_on_while_the_key_is_replaced(company: Company) -> None:
    """Captures and reads while `keys rotate` runs, again and again, and once the old keys are gone:
    the file is read again when it has changed; no key is in any line that is printed.
    """
    company.fill(200)
    environment = {k: v for k, v in company.environment.items() if k != "LEADLOG_DATABASE"}
    with serving(company.dsn, company.directory, **environment) as service:
        leads: list[str] = []
        stop, broken = threading.Event(), list[BaseException]()

        def work() -> None:
            try:
                while not stop.is_set():
                    lead = service.call("/v1/leads", LEAD)["id"]
                    leads.append(lead)
                    body = {"field": "phone", "purpose": "首次联系"}
                    for known in leads[:1] + leads[-1:]:
                        if len(leads) < 25:
                            shown = service.call(f"/v1/leads/{known}/contact:reveal", body)
                            assert shown["value"] == PHONE
            except BaseException as error:
                broken.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        for _ in range(3):
            company.said("keys", "rotate")
        stop.set()
        worker.join()
        assert not broken
        company.said("keys", "rotate")
        assert len(company.wrapped()) == 1
        keys = company.keys()
        company.put(keys[0])
        assert service.call(f"/v1/leads/{leads[0]}")["phone"] == "139****5678"
        service.call("/v1/leads", LEAD)
        assert company.wrapped() == {called(keys[0]): 201 + len(leads)}
        assert service.stop() == 0
        printed = "".join(service.printed) + "".join(service.process.communicate())
    assert not any(key in printed for key in keys)
    assert len(leads) > 3
