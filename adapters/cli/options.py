"""What commands share: the `--database` option, the database behind it, times."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo

import psycopg
import typer

from adapters.cli import Failed
from adapters.company import require_log
from adapters.database import Database, open_database
from adapters.settings import Settings

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", help="DSN of a PostgreSQL >= 15. Default: LEADLOG_DATABASE, else embedded."
    ),
]


@contextmanager
def opened(database: str | None, *, may_be_fed: bool = False) -> Iterator[Database]:
    """The database of a command, migrated, for as long as the command runs.

    StartupError for one that has no log of its own, unless it `may_be_fed` from a topic.
    """
    with open_database(Settings.load(database=database)) as handle:
        if not may_be_fed:
            with psycopg.connect(handle.dsn) as conn:
                require_log(conn)
        yield handle


def read_time(option: str, text: str | None, zone: str) -> datetime | None:
    """An instant; without an offset it is local time of the company. Failed when it is no time."""
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise Failed(f"{option}: {text} is not a time such as 2024-05-01T09:15:00+08:00") from None
    return time if time.tzinfo else time.replace(tzinfo=ZoneInfo(zone))
