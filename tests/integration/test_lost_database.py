"""Nobody waits longer than their own patience for a database, however many wait before them."""

import asyncio
import time

import pytest

from adapters.postgres.session import Session
from bench.services import free_port
from commands.ports import Unavailable

pytestmark = pytest.mark.anyio

PATIENCE = 0.5


async def test_all_who_wait_for_a_lost_database_are_told_at_once() -> None:
    lost = f"host=127.0.0.1 port={free_port()} dbname=lost user=nobody"
    session = Session(lost, "leadlog_writer", patience=PATIENCE)
    begun = time.monotonic()
    answers = await asyncio.gather(
        *(session.rows("SELECT 1", ()) for _ in range(6)), return_exceptions=True
    )
    assert all(isinstance(answer, Unavailable) for answer in answers), answers
    assert time.monotonic() - begun < 2 * PATIENCE


async def test_nobody_waits_for_the_statement_of_another_beyond_their_patience(dsn: str) -> None:
    session = Session(dsn, "leadlog_writer", patience=PATIENCE)
    slow = asyncio.create_task(session.rows("SELECT 1 FROM pg_sleep(2)", ()))
    await asyncio.sleep(0.1)
    begun = time.monotonic()
    with pytest.raises(Unavailable, match="does not answer"):
        await session.rows("SELECT 1", ())
    assert time.monotonic() - begun < 2 * PATIENCE
    assert await slow == [(1,)]
    assert await session.rows("SELECT 2", ()) == [(2,)]
    await session.close()
