"""Opens the company's database: the embedded one, or the server that LEADLOG_DATABASE names."""

from types import TracebackType
from typing import Self

from adapters.embedded import Cluster
from adapters.postgres.key_store import require_master_key
from adapters.postgres.migrate import check_server, connect, ensure_database
from adapters.postgres.migrate import migrate as apply_migrations
from adapters.settings import Settings

NAME = "leadlog"


class Database:
    """A database that is safe to use, for as long as it is not closed. Also a context manager."""

    def __init__(self, dsn: str | None, cluster: Cluster | None = None) -> None:
        assert (dsn is None) != (cluster is None), "either a server's address or one of our own"
        self._dsn = dsn
        self._cluster = cluster

    @property
    def dsn(self) -> str:
        """Where to connect now; after `revive` the embedded server may have another port."""
        return self._dsn or self._embedded().dsn(NAME)

    def revive(self) -> None:
        """Start the embedded server again if it was killed; with a DSN it is not ours to start."""
        if self._cluster:
            self._cluster.start()

    def close(self) -> None:
        """Let go; the embedded server stops with its last user."""
        if self._cluster:
            self._cluster.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def _embedded(self) -> Cluster:
        assert self._cluster is not None
        return self._cluster


def open_database(settings: Settings, *, migrate: bool = True) -> Database:
    """The database of the settings, its server checked, its schema up to date. Or StartupError.

    With `migrate=False` the schema stays as it is.
    """
    database = _reach(settings)
    try:
        if migrate:
            apply_migrations(database.dsn, allow_unsafe=settings.allow_unsafe_postgres)
            require_master_key(database.dsn, settings)
        else:
            with connect(database.dsn) as conn:
                check_server(conn, allow_unsafe=settings.allow_unsafe_postgres)
    except BaseException:
        database.close()
        raise
    return database


def _reach(settings: Settings) -> Database:
    if settings.database:
        return Database(settings.database)
    cluster = Cluster(settings.data_dir / "postgres").start()
    ensure_database(cluster.dsn("postgres"), NAME)
    return Database(None, cluster)
