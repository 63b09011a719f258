"""Settings come from LEADLOG_* and a bad one is one line (interface.md section 1)."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.settings import Settings, StartupError


@pytest.fixture(autouse=True)
def _bare(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"LEADLOG_{name.upper()}", raising=False)


def test_nothing_set_means_the_embedded_database_in_shanghai() -> None:
    settings = Settings.load()
    assert settings.database is None
    assert (settings.timezone, settings.zone.key) == ("Asia/Shanghai", "Asia/Shanghai")
    assert (settings.currency, settings.host, settings.port) == ("CNY", "127.0.0.1", 8000)
    assert not settings.allow_unsafe_postgres


def test_the_environment_sets_and_an_argument_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_TIMEZONE", "Europe/Berlin")
    monkeypatch.setenv("LEADLOG_PORT", "9000")
    monkeypatch.setenv("LEADLOG_DATABASE", "postgresql://env/db")
    settings = Settings.load(port=9001, database=None)
    assert (settings.timezone, settings.port) == ("Europe/Berlin", 9001)
    assert settings.database == "postgresql://env/db"


def test_unknown_and_empty_variables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_FROM_A_NEWER_VERSION", "1")
    monkeypatch.setenv("LEADLOG_DATABASE", "")
    assert Settings.load().database is None


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("LEADLOG_TIMEZONE", "Mars/Base"),
        ("LEADLOG_TIMEZONE", "../../etc/passwd"),
        ("LEADLOG_TIMEZONE", "Asia"),
        ("LEADLOG_PORT", "http"),
        ("LEADLOG_PORT", "70000"),
        ("LEADLOG_MAX_BODY_BYTES", "0"),
        ("LEADLOG_CURRENCY", "yuan"),
        ("LEADLOG_ALLOW_UNSAFE_POSTGRES", "perhaps"),
        ("LEADLOG_DATABASE", "not a dsn"),
    ],
)
def test_a_bad_value_is_one_line_that_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(StartupError) as refused:
        Settings.load()
    assert str(refused.value).startswith(f"{variable}: ")
    assert "\n" not in str(refused.value)


def test_a_password_is_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_DATABASE", "postgresql://me:hunter2@host/db")
    assert "hunter2" not in repr(Settings.load()) + str(Settings.load())
    monkeypatch.setenv("LEADLOG_DATABASE", "host=x password=hunter2 nonsense")
    with pytest.raises(StartupError) as refused:
        Settings.load()
    assert "hunter2" not in str(refused.value)


def test_settings_do_not_change_and_take_no_unknown_argument() -> None:
    settings = Settings.load()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]
    with pytest.raises(StartupError, match="LEADLOG_PROT"):
        Settings.load(prot=1)


def test_the_data_directory_is_the_systems_for_root_and_ones_own_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert Settings.load().data_dir == Path("/var/lib/leadlog")
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/li")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert Settings.load().data_dir == Path("/home/li/.local/share/leadlog")
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/li")
    assert Settings.load().data_dir == Path("/srv/li/leadlog")


def test_a_relative_data_directory_means_the_current_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEADLOG_DATA_DIR", "here")
    assert Settings.load().data_dir == Path.cwd() / "here"
    monkeypatch.setenv("LEADLOG_DATA_DIR", "~/there")
    assert Settings.load().data_dir == Path.home() / "there"
