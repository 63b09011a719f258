"""What every command shares: the `--database` option and an open database behind it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from adapters.database import Database, open_database
from adapters.settings import Settings

DatabaseOption = Annotated[
    str | None,
    typer.Option(
        "--database", help="DSN of a PostgreSQL >= 15. Default: LEADLOG_DATABASE, else embedded."
    ),
]


@contextmanager
def opened(database: str | None) -> Iterator[Database]:
    """The database of a command, migrated, for as long as the command runs."""
    with open_database(Settings.load(database=database)) as handle:
        yield handle
