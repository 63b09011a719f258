"""What every suite shares: one fast PostgreSQL per run, and a fresh migrated database per test."""

import base64
import os
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import hypothesis
import psycopg
import pytest

from adapters import keyring
from adapters.embedded import Cluster
from adapters.postgres.builds import ensure_live
from adapters.postgres.migrate import ensure_database, migrate
from adapters.postgres.tables import connect
from projections.catalogue import PROJECTIONS

# How long an example takes says what else the machine is doing.
hypothesis.settings.register_profile("leadlog", deadline=None)
hypothesis.settings.load_profile("leadlog")

ROOT = Path(__file__).resolve().parents[1]
PREFIX = "leadlog-test-"
_numbers = count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is killed and waited for begins first: then no worker goes on long after the others."""
    items.sort(key=lambda item: item.path.parent.name not in ("crash", "kafka"))


def _memory() -> Path:
    """Memory-backed storage where there is some."""
    shm = Path("/dev/shm")
    return shm if os.access(shm, os.W_OK) else Path(tempfile.gettempdir())


def _remove(directory: Path) -> None:
    for version in directory.glob("**/data/PG_VERSION"):
        Cluster(version.parents[1]).kill()
    shutil.rmtree(directory, ignore_errors=True)


def _remove_alone(directory: Path) -> None:
    """Remove what other workers are about to remove as well: who gets to rename it does."""
    mine = directory.with_name(f"{PREFIX}{os.getpid()}-{directory.name}")
    with suppress(FileNotFoundError):
        directory.rename(mine)
        _remove(mine)


def _is_left_over(directory: Path) -> bool:
    """Whether the run that made the directory, whose number the name carries, was killed."""
    try:
        os.kill(int(directory.name.removeprefix(PREFIX).split("-")[0]), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, ValueError):
        return False
    return False


@pytest.fixture(scope="session")
def run_dir() -> Iterator[Path]:
    """The run's directory in memory, which every user can enter. Removes what killed runs left."""
    for directory in filter(_is_left_over, _memory().glob(PREFIX + "*")):
        _remove_alone(directory)
    directory = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-", dir=_memory()))
    directory.chmod(0o755)
    (directory / "master.key").write_text(base64.b64encode(secrets.token_bytes(32)).decode())
    (directory / "master.key").chmod(0o600)
    os.environ["LEADLOG_MASTER_KEY_FILE"] = str(directory / "master.key")
    os.environ["LEADLOG_SIGNING_KEY_FILE"] = str(directory / "signing.key")
    yield directory
    _remove(directory)


@pytest.fixture(autouse=True)
def _own_keyring(run_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that opens a database by other master keys leaves those of the next test alone."""
    monkeypatch.setattr(keyring, "_in_use", {})


@pytest.fixture
def open_tmp(run_dir: Path) -> Iterator[Path]:
    """An empty directory in memory that every user can enter; servers left in it are killed."""
    directory = run_dir / f"tmp-{next(_numbers)}"
    directory.mkdir()
    directory.chmod(0o755)
    yield directory
    _remove(directory)


@pytest.fixture(scope="session")
def cluster(run_dir: Path) -> Iterator[Cluster]:
    """The run's PostgreSQL: in memory and without durability."""
    server = Cluster(run_dir / "postgres", unsafe_fast=True).start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def template(cluster: Cluster) -> str:
    """The name of a migrated database with empty read models, the pattern of the tests' own."""
    name = "leadlog_template"
    ensure_database(cluster.dsn("postgres"), name)
    migrate(cluster.dsn(name), allow_unsafe=True)
    with connect(cluster.dsn(name)) as conn:
        for projection in PROJECTIONS.values():
            ensure_live(conn, projection)
    return name


@pytest.fixture
def dsn(cluster: Cluster, template: str) -> Iterator[str]:
    """A migrated database without a single event, the test's own."""
    with _database(cluster, template) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_dsn(cluster: Cluster, template: str) -> Iterator[str]:
    """One that the tests of a module share, for those that only look at a service."""
    with _database(cluster, template) as dsn:
        yield dsn


@pytest.fixture
def second_dsn(cluster: Cluster, template: str) -> Iterator[str]:
    """Another one, to compare with."""
    with _database(cluster, template) as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(cluster: Cluster) -> Iterator[str]:
    """A database with nothing in it, not even our schema."""
    with _database(cluster, "template1") as dsn:
        yield dsn


@contextmanager
def _database(cluster: Cluster, template: str) -> Iterator[str]:
    name = f"test_{next(_numbers)}"
    _administer(cluster, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    keys = Path(os.environ["LEADLOG_MASTER_KEY_FILE"])
    os.environ["LEADLOG_ERASURE_LIST"] = str(keys.with_name(f"{name}.erasures"))
    # Every test's log has the template's name: two of them never share what was signed last.
    os.environ["LEADLOG_SIGNING_KEY_FILE"] = str(keys.with_name(f"{name}.signing"))
    yield cluster.dsn(name)
    _administer(cluster, f"DROP DATABASE {name} WITH (FORCE)")


def _administer(cluster: Cluster, statement: str) -> None:
    with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as conn:
        conn.execute(statement)


@pytest.fixture
def free_port() -> int:
    """A TCP port that nobody uses now."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The directory with the spec, checks and data sets, which lies outside the repository."""
    path = Path(os.environ.get("LEADLOG_SHARED", ROOT.parent / "shared")).resolve()
    if not path.is_dir():
        pytest.skip(f"{path} is missing: set LEADLOG_SHARED to run this")
    return path
