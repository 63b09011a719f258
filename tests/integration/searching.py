"""Searches a whole database for texts: every row of every table, and what a backup of it holds."""

import base64
import os
import subprocess
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql

from adapters.embedded.binaries import find

TABLES = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'p', 'm', 'v') AND n.nspname <> 'information_schema'"
    " AND n.nspname <> 'pg_catalog' AND n.nspname NOT LIKE 'pg_toast%' ORDER BY 1, 2"
)


class Needles:
    """Texts to look for, in clear and as PostgreSQL and JSON show bytes: hex and base64."""

    def __init__(self, texts: Iterable[str]) -> None:
        self._forms = {form: text for text in texts for form in _forms(text)}

    def found(self, hay: str) -> set[str]:
        """Those of the texts that are in there."""
        return {text for form, text in self._forms.items() if form in hay}


def rows(dsn: str) -> Iterator[tuple[str, str]]:
    """Every row of every table and view as one text, behind the table's name."""
    with psycopg.connect(dsn) as conn:
        for schema, table in conn.execute(TABLES).fetchall():
            name = sql.Identifier(schema, table)
            for (row,) in conn.execute(sql.SQL("SELECT t::text FROM {} t").format(name)):
                yield f"{schema}.{table}", row


def places(dsn: str, texts: Collection[str]) -> dict[str, set[str]]:
    """The tables in which any of the texts can be read, and a backup's text as if it were one."""
    needles, found = Needles(texts), dict[str, set[str]]()
    for table, row in (*rows(dsn), ("pg_dump", dumped(dsn))):
        if hits := needles.found(row):
            found.setdefault(table, set()).update(hits)
    return found


def dumped(dsn: str) -> str:
    """What pg_dump writes of a database."""
    return programs("pg_dump", "--dbname", dsn)


def programs(program: str, *arguments: str) -> str:
    """What a program of PostgreSQL prints."""
    path = find(Path(os.devnull) / "none") / program
    ended = subprocess.run([path, *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _forms(text: str) -> Iterator[str]:
    """A text; its bytes in hex; what of its base64 does not depend on what stands around it."""
    raw = text.encode()
    yield text
    yield raw.hex()
    for skipped in range(3):
        whole = raw[skipped : skipped + (len(raw) - skipped) // 3 * 3]
        yield base64.b64encode(whole).decode()
