"""Migrations: each once, in order, forward only; unsafe servers refused (issue 3 items 2 and 3)."""

import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

from adapters.database import open_database
from adapters.embedded import Cluster
from adapters.postgres.migrate import check_server, connect, ensure_database, migrate
from adapters.settings import Settings, StartupError
from tests.conftest import ROOT
from tests.forked import Forked


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path, "0001_first", "CREATE TABLE first (n int); INSERT INTO first VALUES (1);")
    write(tmp_path, "0002_second", "INSERT INTO first SELECT n + 1 FROM first;")
    return tmp_path


def write(directory: Path, name: str, sql: str) -> None:
    (directory / f"{name}.sql").write_text(sql)


def apply(dsn: str, directory: Path) -> list[str]:
    return migrate(dsn, directory=directory, allow_unsafe=True)


def rows(dsn: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query).fetchall()


def apply_and_say(dsn: str, directory: Path, said: Path) -> None:
    said.write_text(" ".join(apply(dsn, directory)))


def test_each_file_is_applied_once_in_order_and_recorded(empty_dsn: str, files: Path) -> None:
    assert apply(empty_dsn, files) == ["0001_first", "0002_second"]
    assert apply(empty_dsn, files) == []
    write(files, "0003_third", "INSERT INTO first VALUES (3)")
    assert apply(empty_dsn, files) == ["0003_third"]
    assert rows(empty_dsn, "SELECT n FROM first ORDER BY n") == [(1,), (2,), (3,)]
    record = "SELECT name, checksum ~ '^[0-9a-f]{64}$' FROM leadlog_meta.migrations ORDER BY 1"
    assert rows(empty_dsn, record) == [
        ("0001_first", True), ("0002_second", True), ("0003_third", True)
    ]  # fmt: skip


def test_a_failing_file_leaves_nothing_of_itself(empty_dsn: str, files: Path) -> None:
    write(files, "0003_broken", "INSERT INTO first VALUES (3); SELECT 1 / 0;")
    write(files, "0004_later", "INSERT INTO first VALUES (4)")
    with pytest.raises(StartupError, match=r"^migration 0003_broken failed: division by zero$"):
        apply(empty_dsn, files)
    assert rows(empty_dsn, "SELECT n FROM first ORDER BY n") == [(1,), (2,)]
    write(files, "0003_broken", "INSERT INTO first VALUES (3)")
    assert apply(empty_dsn, files) == ["0003_broken", "0004_later"]


def test_a_file_and_its_record_are_one_commit(empty_dsn: str, files: Path) -> None:
    record = "INSERT INTO leadlog_meta.migrations VALUES ('0003_own', '')"
    write(files, "0003_own", f"INSERT INTO first VALUES (3); {record};")
    with pytest.raises(StartupError, match="0003_own failed: duplicate key"):
        apply(empty_dsn, files)
    assert rows(empty_dsn, "SELECT max(n) FROM first") == [(2,)]


def test_a_changed_file_is_refused(empty_dsn: str, files: Path) -> None:
    apply(empty_dsn, files)
    write(files, "0001_first", "CREATE TABLE first (n bigint)")
    write(files, "0003_third", "INSERT INTO first VALUES (3)")
    with pytest.raises(StartupError, match="0001_first was changed"):
        apply(empty_dsn, files)
    assert rows(empty_dsn, "SELECT max(n) FROM first") == [(2,)]


def test_a_database_of_a_newer_program_is_refused(empty_dsn: str, files: Path) -> None:
    apply(empty_dsn, files)
    (files / "0002_second.sql").unlink()
    with pytest.raises(StartupError, match="0002_second, which this program does not know"):
        apply(empty_dsn, files)


def test_a_file_put_before_an_applied_one_is_refused(empty_dsn: str, files: Path) -> None:
    write(files, "0004_fourth", "INSERT INTO first VALUES (4)")
    apply(empty_dsn, files)
    write(files, "0003_third", "INSERT INTO first VALUES (3)")
    with pytest.raises(StartupError, match="0003_third comes before 0004_fourth"):
        apply(empty_dsn, files)


@pytest.mark.parametrize("name", ["0002_again", "third", "0003-third", "003_third"])
def test_names_have_a_number_of_their_own(empty_dsn: str, files: Path, name: str) -> None:
    write(files, name, "SELECT 1")
    with pytest.raises(StartupError, match=r"NNNN_name\.sql"):
        apply(empty_dsn, files)
    assert rows(empty_dsn, "SELECT to_regclass('first')") == [(None,)]


def test_four_processes_at_once_apply_each_file_once(empty_dsn: str, files: Path) -> None:
    write(files, "0003_slow", "SELECT pg_sleep(0.3); INSERT INTO first VALUES (3);")
    said = [files / f"said-{n}" for n in range(4)]
    processes = [Forked(apply_and_say, empty_dsn, files, path) for path in said]
    assert [process.wait(60) for process in processes] == [0, 0, 0, 0]
    assert sorted(name for path in said for name in path.read_text().split()) == [
        "0001_first",
        "0002_second",
        "0003_slow",
    ]
    assert rows(empty_dsn, "SELECT n FROM first ORDER BY n") == [(1,), (2,), (3,)]


def test_a_killed_migration_is_taken_up_by_the_next(empty_dsn: str, files: Path) -> None:
    write(files, "0003_slow", "INSERT INTO first VALUES (3); SELECT pg_sleep(1);")
    with Forked(apply, empty_dsn, files) as process:
        sleeping = "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"
        while not rows(empty_dsn, sleeping):
            time.sleep(0.01)
        process.kill()
    assert apply(empty_dsn, files) == ["0003_slow"]
    assert rows(empty_dsn, "SELECT n FROM first ORDER BY n") == [(1,), (2,), (3,)]


def test_our_own_migrations_are_all_applied_in_a_tests_database(dsn: str) -> None:
    assert migrate(dsn, allow_unsafe=True) == []


def test_an_unsafe_server_is_refused_with_what_to_turn_on(empty_dsn: str, files: Path) -> None:
    with pytest.raises(StartupError, match=r"^fsync, full_page_writes, synchronous_commit off"):
        migrate(empty_dsn, directory=files)
    assert rows(empty_dsn, "SELECT to_regclass('leadlog_meta.migrations')") == [(None,)]


def test_a_login_that_commits_without_waiting_is_refused_on_a_safe_server(safe: Cluster) -> None:
    dsn = safe.dsn("postgres")
    with connect(dsn) as conn:
        check_server(conn)
        conn.execute("ALTER ROLE postgres SET synchronous_commit = off")
    with connect(dsn) as conn, pytest.raises(StartupError, match=r"^synchronous_commit off"):
        check_server(conn)


@pytest.mark.parametrize("value", ["y", "1", "True", "odd"])
def test_the_librarys_switch_that_drops_the_lock_is_refused(
    monkeypatch: pytest.MonkeyPatch, empty_dsn: str, value: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", value)
    with (
        connect(empty_dsn) as conn,
        pytest.raises(StartupError, match="POSTGRES_ENABLE_DB_FUNCTIONS"),
    ):
        check_server(conn, allow_unsafe=True)


@pytest.mark.parametrize("value", ["n", "off", ""])
def test_the_librarys_switch_may_be_off(
    monkeypatch: pytest.MonkeyPatch, empty_dsn: str, value: str
) -> None:
    monkeypatch.setenv("POSTGRES_ENABLE_DB_FUNCTIONS", value)
    with connect(empty_dsn) as conn:
        check_server(conn, allow_unsafe=True)


def test_an_old_server_and_a_foreign_encoding_are_refused(cluster: Cluster) -> None:
    old = SimpleNamespace(info=SimpleNamespace(server_version=14_00_09))
    with pytest.raises(StartupError, match="PostgreSQL 14 is too old"):
        check_server(old)
    with connect(cluster.dsn("postgres")) as conn:
        conn.execute("CREATE DATABASE latin TEMPLATE template0 ENCODING LATIN1 LOCALE 'C'")
    with connect(cluster.dsn("latin")) as conn, pytest.raises(StartupError, match="LATIN1"):
        check_server(conn, allow_unsafe=True)


def test_ensure_database_makes_it_once(cluster: Cluster) -> None:
    for _ in range(2):
        ensure_database(cluster.dsn("postgres"), 'odd "name"')
    assert rows(cluster.dsn('odd "name"'), "SELECT 1") == [(1,)]


def test_a_server_that_is_not_there_is_one_line_without_the_password() -> None:
    settings = Settings.load(database="postgresql://me:hunter2@127.0.0.1:1/db")
    with pytest.raises(StartupError, match=r"^cannot connect") as refused:
        open_database(settings)
    assert "\n" not in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.fixture
def safe(open_tmp: Path) -> Iterator[Cluster]:
    cluster = Cluster(open_tmp / "postgres").start()
    yield cluster
    cluster.stop()


def test_open_database_starts_migrates_revives_and_stops_the_embedded_one(open_tmp: Path) -> None:
    with open_database(Settings.load(data_dir=open_tmp)) as database:
        applied = rows(database.dsn, "SELECT count(*) FROM leadlog_meta.migrations")[0][0]
        assert applied == len(list((ROOT / "adapters/postgres/migrations").glob("*.sql")))
        Cluster(open_tmp / "postgres").kill()
        database.revive()
        assert rows(database.dsn, "SELECT 1") == [(1,)]
        dsn = database.dsn
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(dsn)


def test_open_database_takes_a_dsn_and_may_leave_the_schema_alone(empty_dsn: str) -> None:
    settings = Settings.load(database=empty_dsn, allow_unsafe_postgres=True)
    with open_database(settings, migrate=False) as database:
        assert database.dsn == empty_dsn
        database.revive()
        assert rows(empty_dsn, "SELECT to_regclass('leadlog_meta.migrations')") == [(None,)]
    with open_database(settings):
        assert rows(empty_dsn, "SELECT count(*) > 0 FROM leadlog_meta.migrations") == [(True,)]
    with pytest.raises(StartupError, match="fsync"):
        open_database(Settings.load(database=empty_dsn))
