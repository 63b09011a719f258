"""The duty `seal` of a worker: a signed checkpoint every so often, while there is something new.

Leased like a process, and apart from everything else: what goes wrong here is said in the log and
tried again, while commands, read models and messages go on.
"""

import logging
import threading
import time

import psycopg

from adapters.company import Company
from adapters.key_file import KeyFile
from adapters.postgres import leases
from adapters.postgres.checkpointing import ROLE, make_checkpoint
from adapters.postgres.leases import Pauses
from adapters.postgres.tables import Connection, connect
from adapters.postgres.tile_store import BadTree
from adapters.settings import Settings, StartupError

logger = logging.getLogger("leadlog.checkpoints")

NAME = "process:seal"
LOOK_SECONDS = 1.0
"""How often it is looked whether so much is new that a checkpoint is due early."""

BACKLOG = (
    "SELECT coalesce((SELECT max(notification_id) FROM log.leadlog_events), 0)"
    " - coalesce((SELECT size FROM audit.checkpoints ORDER BY number DESC LIMIT 1), 0)"
)


def run_forever(dsn: str, _: Company, settings: Settings, stop: threading.Event) -> None:
    """Sign checkpoints until `stop` is set."""
    keys = KeyFile(settings.signing_key_path)
    pauses = Pauses()
    while not stop.is_set():
        pauses.begin()
        try:
            with connect(dsn, ROLE, autocommit=True) as conn:
                if leases.wait_for(conn, leases.PROCESS, NAME, stop):
                    _spell(conn, keys, settings, stop)
        except psycopg.Error as error:
            pause = pauses.next()
            logger.warning("seal: the database lets us down, again in %.1f s: %s", pause, error)
            stop.wait(pause)
        except (StartupError, BadTree) as error:
            logger.error("seal: no checkpoint can be signed: %s", error)  # noqa: TRY400 - one line
            stop.wait(settings.seal_seconds)


def _spell(conn: Connection, keys: KeyFile, settings: Settings, stop: threading.Event) -> None:
    """Sign checkpoints as long as the connection holds."""
    due = time.monotonic()
    while not stop.is_set():
        waiting = _backlog(conn)
        if waiting >= settings.seal_events or (waiting and time.monotonic() >= due):
            make_checkpoint(conn, keys)
            due = time.monotonic() + settings.seal_seconds
        stop.wait(min(LOOK_SECONDS, settings.seal_seconds))


def _backlog(conn: Connection) -> int:
    """How many events no checkpoint covers; below 0 when the log has lost some."""
    row = conn.execute(BACKLOG).fetchone()
    assert row is not None
    return int(row[0])
