"""People with a role and their tokens, as the command line manages them.

A person is an entry of the directory, by events; a token is a secret and never is one.
"""

import asyncio
import getpass
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg

from adapters.clock import SystemClock
from adapters.postgres.codec import decode_event
from adapters.postgres.event_log import PostgresEventLog
from adapters.tokens import issue, issued
from aggregates.directory.events import PersonAdded
from aggregates.directory.register import add_person
from aggregates.directory.state import Entry, evolve, person_id
from aggregates.event import Meta
from commands.loop import CommandLoop, Intent

PEOPLE = "SELECT topic, state FROM log.leadlog_events WHERE topic = %s ORDER BY notification_id"
ADMINISTRATOR = "admin"
TOKEN_FILE = "admin-token"  # noqa: S105 - a file's name


@dataclass(frozen=True, slots=True)
class NewPerson:
    """Whom to add; `role` is one of aggregates.directory.register.ROLES."""

    name: str
    role: str
    team: str | None = None
    email: str | None = None


def operator() -> str:
    """The actor of a command line: who runs it."""
    return f"operator:{getpass.getuser()}"


def add(dsn: str, person: NewPerson) -> Entry:
    """Add a person to the directory; the same again changes nothing. Refusal otherwise."""
    return asyncio.run(_add(dsn, person))


def find(dsn: str, name: str) -> Entry:
    """The directory's entry of a name; its `name` is None when there is none."""
    return asyncio.run(_find(dsn, name))


def everybody(conn: psycopg.Connection[Any]) -> list[Entry]:
    """The people in the directory by name; those that only imports have named have no role."""
    entries: dict[str, Entry] = {}
    for topic, state in conn.execute(PEOPLE, (PersonAdded.topic,)):
        event = decode_event(topic, state)
        assert isinstance(event, PersonAdded)
        entries[event.name] = evolve(entries.get(event.name, Entry()), event)
    return [entries[name] for name in sorted(entries)]


def first_administrator(dsn: str, data_dir: Path) -> str | None:
    """On a database without tokens: make an administrator and a token; None otherwise.

    The token also goes into a file that only its owner can read.
    """
    with psycopg.connect(dsn, autocommit=True) as conn:
        if issued(conn):
            return None
        add(dsn, NewPerson(ADMINISTRATOR, "admin"))
        token = issue(conn, ADMINISTRATOR, "admin", "first start")
    if token:
        data_dir.mkdir(parents=True, exist_ok=True)
        file = os.open(data_dir / TOKEN_FILE, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "w") as stream:
            stream.write(token + "\n")
    return token


async def _add(dsn: str, person: NewPerson) -> Entry:
    log = PostgresEventLog(dsn)
    decide = partial(
        add_person,
        now=SystemClock().now(),
        name=person.name,
        role=person.role,
        team=person.team,
        email=person.email,
    )
    meta = Meta(operator(), uuid4())
    try:
        reply = await _loop(log).run(Intent(person_id(person.name), decide, meta, b""))
    finally:
        await log.close()
    return reply.state


async def _find(dsn: str, name: str) -> Entry:
    log = PostgresEventLog(dsn)
    try:
        return await _loop(log).read(person_id(name))
    finally:
        await log.close()


def _loop(log: PostgresEventLog) -> CommandLoop[Entry]:
    return CommandLoop(log, _unknown, evolve)


def _unknown(_: UUID) -> Entry:
    return Entry()
