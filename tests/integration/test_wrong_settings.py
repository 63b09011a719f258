"""A setting that makes no sense ends the start in one line that names it, and tells no secret."""

import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.settings import PREFIX, Settings, StartupError
from tests.integration.test_serve import PATIENCE, command, env

WRONG: Mapping[str, tuple[str, str]] = {
    "a number that is none": ("PORT", "eighty"),
    "out of bounds": ("PORT", "65536"),
    "below its least": ("SEAL_SECONDS", "0"),
    "no switch": ("METRICS_OPEN", "perhaps"),
    "no choice": ("LOG_FORMAT", "xml"),
    "no level": ("LOG_LEVEL", "loud"),
    "no zone": ("TIMEZONE", "Mars/Olympus"),
    "no currency": ("CURRENCY", "yuan"),
    "no DSN": ("DATABASE", "canary-7f1c"),
    "no mail server": ("SMTP", "smtp//u:canary-7f1c@mail"),
    "no chat bot": ("CHAT", "nonsense://canary-7f1c"),
    "no network": ("TRUSTED_PROXIES", "10.0.0.0/99"),
    "no origin": ("CORS_ORIGINS", "crm.example.com"),
    "no issuer": ("OIDC_ISSUER", "http://login.example.com"),
    "no collector": ("OTLP", "collector:4318"),
    "no metrics port": ("WORKER_METRICS", "99999"),
    "a drain without end": ("DRAIN_SECONDS", "86400"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_value_is_refused(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, value = WRONG[kind]
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(StartupError) as refused:
        Settings.load()
    assert str(refused.value).startswith(f"{PREFIX}{name}: ")
    assert len(str(refused.value).splitlines()) == 1
    assert "canary" not in str(refused.value)


NOT_HERE: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "LEADLOG_PORT": ("serve", {"PORT": "eighty"}),
    "LEADLOG_SEAL_EVENTS": ("worker", {"SEAL_EVENTS": "none"}),
    "cannot connect to PostgreSQL": (
        "worker",
        {"DATABASE": "postgresql://u:canary-7f1c@127.0.0.1:1/x"},
    ),
    "master key": ("serve", {"MASTER_KEY_FILE": "/nowhere/master.key"}),
}
"""What the one line says, of which program, with what."""


def test_a_start_that_cannot_be_ends_in_one_line(dsn: str, tmp_path: Path) -> None:
    def ended(reason: str) -> "subprocess.CompletedProcess[str]":
        program, wrong = NOT_HERE[reason]
        own = {PREFIX + name: value for name, value in ({"DATABASE": dsn} | dict(wrong)).items()}
        return subprocess.run(
            command(program),
            env=env(tmp_path, **own),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    with ThreadPoolExecutor() as threads:
        for reason, end in zip(NOT_HERE, threads.map(ended, NOT_HERE), strict=True):
            assert end.returncode == 1, (reason, end)
            assert reason in end.stderr
            assert len(end.stderr.splitlines()) == 1, end.stderr
            assert "canary" not in end.stderr
            assert end.stdout == ""
