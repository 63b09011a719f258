"""The embedded PostgreSQL: created once, shared, outlives any kill (issue 3 item 2, P1)."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import psutil
import psycopg
import pytest

from adapters.embedded import Cluster, binaries
from adapters.embedded.account import Account
from adapters.settings import StartupError

REPOSITORY = Path(__file__).resolve().parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root steps down")

NOBODY = "--as=65534,65534"
USER = """
import os, sys
from pathlib import Path
from adapters.embedded import Cluster
if sys.argv[2:] and sys.argv[2].startswith("--as="):  # now: Python may lie where others cannot go
    uid, gid = map(int, sys.argv[2][5:].split(","))
    os.setgroups([]), os.setgid(gid), os.setuid(uid)
try:
    cluster = Cluster(Path(sys.argv[1]), unsafe_fast="--safe" not in sys.argv).start()
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
if "--fork" in sys.argv:
    if os.fork() == 0:
        sys.exit()  # as Python programs end, exit handlers included
    os.wait()
print(cluster.dsn("postgres"), flush=True)
sys.stdin.read()
"""


@contextmanager
def user(root: Path, *options: str, **popen: object) -> Iterator[subprocess.Popen[str]]:
    """Another process that uses the cluster until its input is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", USER, str(root), *options],
        **{"cwd": REPOSITORY, "stdin": -1, "stdout": -1, "stderr": -1, "text": True, **popen},
    )
    with process:
        yield process
        process.kill()


def said(process: subprocess.Popen[str]) -> str:
    """The DSN that it prints when it has started."""
    return process.stdout.readline().strip()


def leave(process: subprocess.Popen[str]) -> None:
    process.stdin.close()
    assert process.wait(20) == 0


def postmaster(root: Path) -> int:
    return int((root / "data/postmaster.pid").read_text().splitlines()[0])


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE  # init may be slow to bury it
    except psutil.NoSuchProcess:
        return True


def ask(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as conn:
        return conn.execute(query).fetchone()[0]


def refusal(process: subprocess.Popen[str]) -> str:
    _, error = process.communicate(timeout=20)
    assert process.returncode == 1
    return error.strip()


@pytest.fixture
def root(open_tmp: Path) -> Path:
    return open_tmp / "postgres"


@pytest.fixture
def started(root: Path) -> Iterator[Cluster]:
    cluster = Cluster(root, unsafe_fast=True).start()
    yield cluster
    cluster.stop()


def test_a_new_cluster_is_durable_and_speaks_chinese(root: Path) -> None:
    cluster = Cluster(root).start()
    with psycopg.connect(cluster.dsn("postgres")) as conn:
        settings = dict(conn.execute("SELECT name, setting FROM pg_settings").fetchall())
        durable = ("fsync", "full_page_writes", "synchronous_commit", "data_checksums")
        assert {name: settings[name] for name in durable} == dict.fromkeys(durable, "on")
        assert settings["server_encoding"] == "UTF8"
        assert (settings["max_wal_size"], settings["listen_addresses"]) == ("2048", "127.0.0.1")
        conn.execute("CREATE EXTENSION pg_trgm")
        trigrams = conn.execute("SELECT cardinality(show_trgm('北京科技'))").fetchone()
        assert trigrams == (5,)
    cluster.stop()


def test_the_servers_log_holds_no_personal_data(started: Cluster, root: Path) -> None:
    with psycopg.connect(started.dsn("postgres"), autocommit=True) as conn:
        conn.execute("CREATE TABLE t (phone text PRIMARY KEY)")
        conn.execute("INSERT INTO t VALUES ('13956780000')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            conn.execute("INSERT INTO t VALUES ('13956780000')")
    log = (root / "server.log").read_text()
    assert "duplicate key" in log
    assert "13956780000" not in log


def test_people_connect_with_the_saved_password_and_not_without(root: Path) -> None:
    cluster = Cluster(root).start()
    psql = binaries.find(root / "data") / "psql"
    answer = subprocess.check_output([psql, cluster.dsn("postgres"), "-Atc", "SELECT 6*7"])
    assert answer == b"42\n"
    password = (root / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(cluster.dsn("postgres").replace(password, "guess"))
    assert (root / "password").stat().st_mode & 0o777 == 0o600
    cluster.stop()


def test_the_server_lives_as_long_as_its_last_user(root: Path) -> None:
    with user(root) as first:
        dsn = said(first)
        with user(root) as second:
            assert said(second) == dsn
            server = postmaster(root)
            leave(first)
            assert ask(dsn, "SELECT 1") == 1
            leave(second)
    assert is_gone(server)


def test_four_first_starts_at_once_make_one_cluster(root: Path) -> None:
    with user(root) as a, user(root) as b, user(root) as c, user(root) as d:
        dsns = {said(process) for process in (a, b, c, d)}
        assert len(dsns) == 1
        assert ask(dsns.pop(), "SELECT 1") == 1
        for process in (a, b, c, d):
            leave(process)


def test_a_killed_user_leaves_the_server_to_the_next(root: Path) -> None:
    with user(root) as process:
        said(process)
        server = postmaster(root)
        process.kill()
        process.wait()
    with user(root) as process:
        assert ask(said(process), "SELECT 1") == 1
        assert postmaster(root) == server
        leave(process)
    assert is_gone(server)


def test_a_forked_child_takes_nothing_with_it(root: Path) -> None:
    with user(root, "--fork") as process:
        assert ask(said(process), "SELECT 1") == 1
        server = postmaster(root)
        leave(process)
        assert is_gone(server)


def test_start_brings_a_killed_server_back_with_its_data(root: Path) -> None:
    cluster = Cluster(root).start()
    with psycopg.connect(cluster.dsn("postgres")) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1 AS n")
    before = cluster.dsn("postgres")
    cluster.kill()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(before)
    cluster.start()
    assert cluster.dsn("postgres") == before
    assert ask(before, "SELECT n FROM kept") == 1
    cluster.stop()


def test_a_killed_postmaster_whose_children_live_on_is_waited_for(
    started: Cluster, root: Path
) -> None:
    dsn = started.dsn("postgres")
    with psycopg.connect(dsn) as busy:
        busy.pgconn.send_query(b"SELECT sum(i) FROM generate_series(1, 8000000) i")
        working = (
            f"SELECT state = 'active' FROM pg_stat_activity WHERE pid = {busy.info.backend_pid}"
        )
        while not ask(dsn, working):
            time.sleep(0.01)
        killed = postmaster(root)
        os.kill(killed, signal.SIGKILL)
        while not is_gone(killed):
            time.sleep(0.001)
        started.start()
        assert ask(dsn, "SELECT 1") == 1
        busy.close()


@pytest.fixture
def tidy_shm() -> Iterator[None]:
    """Remove the shared memory that PostgreSQL leaves when it is killed and never starts again."""
    segments = partial(Path("/dev/shm").glob, "PostgreSQL.*")
    before = set(segments())
    yield
    maps = ""
    for path in Path("/proc").glob("[0-9]*/maps"):
        with suppress(OSError):  # it ended meanwhile
            maps += path.read_text()
    for segment in set(segments()) - before:
        if str(segment) not in maps:
            segment.unlink(missing_ok=True)


@pytest.mark.usefixtures("tidy_shm")
@pytest.mark.parametrize("delay", [0.05, 0.15, 0.25, 0.35, 0.45, 0.55])
def test_everything_killed_during_the_first_start(root: Path, delay: float) -> None:
    with user(root, "--safe") as process:
        while not root.exists():
            time.sleep(0.001)
        time.sleep(delay)
        for victim in (psutil.Process(process.pid), *psutil.Process(process.pid).children(True)):
            with suppress(psutil.NoSuchProcess):  # initdb's helpers come and go
                victim.kill()
        Cluster(root).kill()
    cluster = Cluster(root).start()
    assert ask(cluster.dsn("postgres"), "SELECT 1") == 1
    cluster.stop()
    assert list(root.glob("init-*")) == []


def test_a_stale_pid_file_that_names_another_living_process(started: Cluster, root: Path) -> None:
    account = Account.choose(root / "data")
    as_account = {"user": account.uid, "group": account.gid} if account.steps_down else {}
    with subprocess.Popen(["sleep", "60"], **as_account) as bystander:
        old = (root / "data/postmaster.pid").read_text()
        started.kill()
        stale = old.replace(old.splitlines()[0], str(bystander.pid), 1)
        (root / "data/postmaster.pid").write_text(stale)
        started.start()
        assert bystander.poll() is None
        bystander.kill()
    assert ask(started.dsn("postgres"), "SELECT 1") == 1


def test_a_taken_port_is_given_up_for_a_new_one(root: Path) -> None:
    with user(root) as process:
        old = said(process)
        leave(process)
    port = int((root / "port").read_text())
    with socket.create_server(("127.0.0.1", port)), user(root) as process:
        new = said(process)
        assert str(port) not in new
        assert ask(new, "SELECT 1") == 1
        leave(process)
    with user(root) as process:  # and keeps it
        assert said(process) == new != old
        leave(process)


def test_a_server_started_by_hand_is_not_disturbed(started: Cluster, root: Path) -> None:
    account, programs = Account.choose(root / "data"), binaries.find(root / "data")
    port = (root / "port").read_text()
    started.stop()
    options = f"-c port={port} -c unix_socket_directories="
    account.run(programs / "pg_ctl", "-D", root / "data", "-l", root / "server.log",
                "-o", options, "-w", "start")  # fmt: skip
    server = postmaster(root)
    with pytest.raises(StartupError, match=f"process {server}, which leadlog did not start"):
        Cluster(root, unsafe_fast=True).start()
    assert not is_gone(server)
    account.run(programs / "pg_ctl", "-D", root / "data", "-m", "immediate", "stop")


def test_a_server_that_cannot_start_says_why_in_one_line(started: Cluster, root: Path) -> None:
    started.stop()
    with (root / "data/postgresql.conf").open("a") as conf:
        conf.write("shared_buffers = 'lots'\n")
    with pytest.raises(StartupError, match=r"does not start: .*shared_buffers|configuration file"):
        started.start()


def test_the_server_sees_nothing_of_our_environment(root: Path) -> None:
    environment = {**os.environ, "LEADLOG_SECRET": "hunter2"}
    with user(root, env=environment) as process:
        said(process)
        assert "LEADLOG_SECRET" not in psutil.Process(postmaster(root)).environ()
        leave(process)


@as_root
def test_an_ordinary_user_runs_it_and_root_joins_as_that_user(open_tmp: Path) -> None:
    home = open_tmp / "home"
    home.mkdir()
    shutil.chown(home, "nobody")
    root = home / "share/leadlog/postgres"
    with user(root, NOBODY) as process:
        dsn = said(process)
        assert psutil.Process(postmaster(root)).username() == "nobody"
        with user(root) as joined:
            assert said(joined) == dsn
            leave(process)
            assert ask(dsn, "SELECT 1") == 1
            leave(joined)
    with user(root) as alone:
        assert ask(said(alone), "SELECT 1") == 1
        assert psutil.Process(postmaster(root)).username() == "nobody"
        leave(alone)
    with user(root, NOBODY) as process:
        assert ask(said(process), "SELECT 1") == 1
        leave(process)


@as_root
def test_what_root_began_its_stand_in_can_go_on_with(started: Cluster, root: Path) -> None:
    started.stop()
    account = Account.choose(root / "data")
    with user(root, f"--as={account.uid},{account.gid}") as process:
        assert ask(said(process), "SELECT 1") == 1
        leave(process)


@as_root
def test_a_directory_of_somebody_else_is_refused_in_one_line(started: Cluster, root: Path) -> None:
    with user(root, NOBODY) as process:
        said = refusal(process)
        assert said.startswith("StartupError: "), said
        assert "\n" not in said


@as_root
def test_root_is_told_when_the_server_could_not_enter_the_directory(open_tmp: Path) -> None:
    (open_tmp / "closed").mkdir(mode=0o700)
    with pytest.raises(StartupError, match=r"cannot enter .*/closed/postgres.*LEADLOG_DATA_DIR"):
        Cluster(open_tmp / "closed/postgres").start()


@as_root
def test_programs_out_of_the_servers_reach_are_copied(
    open_tmp: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_tmp / "closed"
    closed.mkdir(mode=0o700)
    installed = binaries.find(root / "data").directory.parent
    shutil.copytree(installed, closed / "pginstall", symlinks=True)
    monkeypatch.setattr(binaries, "candidates", lambda: [closed / "pginstall/bin"])
    monkeypatch.setattr(binaries, "COPIES", open_tmp / "copies")
    cluster = Cluster(root, unsafe_fast=True).start()
    program = Path(psutil.Process(postmaster(root)).exe())
    cluster.stop()
    assert program.is_relative_to(open_tmp / "copies")


def test_a_data_directory_gets_the_programs_of_its_version(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {programs.major: path for path in binaries.candidates()
             if (programs := binaries._inspect(path))}  # fmt: skip
    if len(found) < 2:
        pytest.skip("only one major version of PostgreSQL is installed")
    oldest = min(found)
    monkeypatch.setattr(binaries, "candidates", lambda: [found[oldest]])
    Cluster(root, unsafe_fast=True).start().stop()
    monkeypatch.undo()
    cluster = Cluster(root, unsafe_fast=True).start()
    assert str(ask(cluster.dsn("postgres"), "SHOW server_version")).startswith(str(oldest))
    cluster.stop()
    (root / "data/PG_VERSION").write_text("12\n")
    with pytest.raises(StartupError, match="needs PostgreSQL 12"):
        cluster.start()
