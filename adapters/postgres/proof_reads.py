"""Checkpoints and proofs for the API, read as an auditor of the database, who can write nothing."""

import asyncio
from base64 import b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from psycopg_pool import PoolTimeout

from adapters.event_leaf import StoredEvent
from adapters.lead_export import recorded_at
from adapters.postgres.pools import question_pool
from adapters.postgres.tables import Connection
from adapters.postgres.tile_store import (
    BadTree,
    consistency_proof,
    newest,
    prove,
    public_keys,
    root_at,
)
from aggregates.refusal import Refusal
from commands.ports import Unavailable

T = TypeVar("T")
CONNECTIONS = 2
LONGEST_QUESTION = "30s"


class PostgresProofs:
    """Implements the API's `Proofs`."""

    def __init__(self, dsn: str, *, patience: float) -> None:
        self._patience = patience
        # Hashing takes CPU: it gets no more threads than connections, and none of the others'.
        self._threads = ThreadPoolExecutor(CONNECTIONS, thread_name_prefix="proofs")
        self._pool = question_pool(
            dsn, "leadlog_auditor", most=CONNECTIONS, longest=LONGEST_QUESTION
        )

    async def close(self) -> None:
        """Close the connections."""
        await asyncio.to_thread(self._pool.close)
        self._threads.shutdown()

    async def checkpoint(self) -> Mapping[str, Any] | None:
        """The newest checkpoint with every key; None while there is none."""
        return await self._ask(_checkpoint)

    async def consistency(self, old: int, new: int) -> Mapping[str, Any]:
        """The proof between two sizes; Refusal where they are none of the tree."""
        return await self._ask(lambda conn: _consistency(conn, old, new))

    async def lead(self, lead: UUID, after: int, limit: int) -> Mapping[str, Any]:
        """The proofs of a lead's events behind a version, at most so many."""
        return await self._ask(lambda conn: _lead(conn, lead, after, limit))

    async def _ask(self, question: Callable[[Connection], T]) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, question)

    def _answer(self, question: Callable[[Connection], T]) -> T:
        self._pool.open()  # at the first question
        try:
            with self._pool.connection(timeout=self._patience) as conn, conn.transaction():
                conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
                return question(conn)
        except BadTree as error:
            raise Unavailable(str(error)) from error
        except (psycopg.OperationalError, PoolTimeout) as error:
            raise Unavailable("the database does not answer") from error


def _checkpoint(conn: Connection) -> Mapping[str, Any] | None:
    last = newest(conn)
    if last is None:
        return None
    keys = [{**key._asdict(), "verifier": str(key.verifier)} for key in public_keys(conn)]
    return {
        "note": last.note,
        "size": last.size,
        "root": _base64(last.root),
        "verifiers": keys,
    }


def _consistency(conn: Connection, old: int, new: int) -> Mapping[str, Any]:
    last = newest(conn)
    size = last.size if last else 0
    if not 0 < old <= new <= size:
        said = f"from and to are sizes that checkpoints cover: 1 <= from <= to <= {size}"
        raise Refusal("invalid-parameter", said)
    return {
        "from": old,
        "from_root": _base64(root_at(conn, old)),
        "to": new,
        "to_root": _base64(root_at(conn, new)),
        "proof": [_base64(one) for one in consistency_proof(conn, old, new)],
    }


def _lead(conn: Connection, lead: UUID, after: int, limit: int) -> Mapping[str, Any]:
    found = prove(conn, lead, after=after, limit=limit)
    proven = [
        {
            **_row(event),
            "state": _base64(event.state),
            "leaf_hash": _base64(event.hash()),
            "proof": [_base64(one) for one in proof],
        }
        for event, proof in found.events
    ]
    return {
        "checkpoint": found.checkpoint.note if found.checkpoint else None,
        "items": proven,
        "uncovered": [_row(event) for event in found.uncovered],
    }


def _row(event: StoredEvent) -> dict[str, Any]:
    return {
        "position": event.position,
        "version": event.version,
        "topic": event.topic,
        "recorded_at": recorded_at(event.recorded_us),
    }


def _base64(data: bytes) -> str:
    return b64encode(data).decode()
