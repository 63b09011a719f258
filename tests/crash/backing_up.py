"""PostgreSQL's own backups, as docs/how-to/backup-and-restore.md has them: a base backup, an
archive of its write-ahead log, and a restore to a point in time.
"""

import shutil
from datetime import datetime
from pathlib import Path

import psycopg

from adapters.embedded import Cluster
from adapters.embedded.account import Account
from adapters.embedded.binaries import find
from tests.crash.waiting import until

ARCHIVED = (
    "SELECT last_archived_wal >= %s FROM pg_stat_archiver WHERE last_archived_wal IS NOT NULL"
)


class Backups:
    """The backups of an embedded server, kept in a directory of their own."""

    def __init__(self, directory: Path, root: Path) -> None:
        self._root = root
        self._account = Account.choose(root / "data")
        self._base, self._archive = directory / "base", directory / "archive"
        for path in (directory, self._archive):
            self._account.make_directory(path)

    def archive(self) -> None:
        """Set the server up for it, before anything else; when each commit was made is kept."""
        cluster = Cluster(self._root).start()
        to = f"{self._archive}/"
        keep = f"test ! -f {to}%f && cp %p {to}.%f && mv {to}.%f {to}%f"
        with psycopg.connect(cluster.dsn("postgres"), autocommit=True) as conn:
            conn.execute("ALTER SYSTEM SET archive_mode = 'on'")
            conn.execute(f"ALTER SYSTEM SET archive_command = '{keep}'")
            conn.execute("ALTER SYSTEM SET track_commit_timestamp = 'on'")
        cluster.stop()

    def take(self, dsn: str) -> None:
        """A base backup, while the server works, and whether it is whole."""
        self._run("pg_basebackup", "-d", dsn, "-D", str(self._base), "--checkpoint=fast")
        self._run("pg_verifybackup", str(self._base))
        self._account.run("cp", self._root / "password", self._base.with_name("password"))

    def finish(self, conn: psycopg.Connection[tuple[str]]) -> None:
        """Until all that is committed lies in the archive."""
        (segment,) = conn.execute("SELECT pg_walfile_name(pg_switch_wal())").fetchone() or ("",)
        until(
            lambda: conn.execute(ARCHIVED, (segment,)).fetchone() == (True,),
            f"{segment} is archived",
        )

    def restore(self, root: Path, point: datetime) -> Cluster:
        """A server on a new directory with what had been committed by then; it has started."""
        self._account.make_directory(root)
        self._account.run("cp", "-a", self._base, root / "data")
        self._account.run("cp", self._base.with_name("password"), root / "password")
        with (root / "data" / "postgresql.auto.conf").open("a") as settings:
            settings.write(
                f"restore_command = 'cp {self._archive}/%f %p'\n"
                f"recovery_target_time = '{point.isoformat()}'\n"
                "recovery_target_action = 'promote'\n"
            )
        self._account.run("touch", root / "data" / "recovery.signal")
        return Cluster(root).start()

    def lose_server(self) -> None:
        """The disk of the server that was backed up is gone."""
        shutil.rmtree(self._root)

    def _run(self, program: str, *arguments: str) -> None:
        programs = find(self._root / "data").reachable_by(self._account)
        self._account.run(programs / program, *arguments)
