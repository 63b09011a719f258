"""Fingerprints tell nobody who has the database alone what they were made of (R113)."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import blake2b
from uuid import UUID

import psycopg
import pytest

from adapters.company import open_company
from adapters.settings import Settings
from adapters.write_side import open_write_side
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead.privacy import EraseLead
from tests.integration.erasing import phone

pytestmark = pytest.mark.anyio

CLERK = Caller("user:admin-person")
ERASED, KEPT = (CaptureLead(customer="甲公司", phone=phone(n)) for n in (1, 2))


async def filled(dsn: str) -> list[UUID]:
    """Two leads, the first one erased."""
    async with AsyncExitStack() as stack:
        own = open_write_side(dsn, open_company(dsn, Settings()), stack)
        leads = [
            (await own.commands.execute(said, lead=None, caller=CLERK, key=said.phone)).state.id
            for said in (ERASED, KEPT)
        ]
        erasing = EraseLead(reason="客户要求删除个人信息")
        await own.commands.execute(erasing, lead=leads[0], caller=CLERK)
    return leads


def fingerprints(dsn: str) -> set[bytes]:
    """All that the database holds, of bodies of commands and of values that leads share."""
    with psycopg.connect(dsn) as conn:
        found = conn.execute("SELECT fingerprint FROM log.ledger UNION SELECT mark FROM log.marks")
        return {bytes(fingerprint) for (fingerprint,) in found}


def guessed(key: bytes) -> Iterator[bytes]:
    """What the fingerprints of both leads would be under a key."""
    for said in (ERASED, KEPT):
        for text in (f"CaptureLead\nNone\n{said.said()}", f"mark:phone\n{said.phone}"):
            yield blake2b(text.encode(), key=key, digest_size=16).digest()


def keys_at_hand(dsn: str) -> Iterator[bytes]:
    """Whatever might be the key in a table of facts that every backup has."""
    with psycopg.connect(dsn) as conn:
        for (value,) in conn.execute("SELECT value FROM log.company"):
            yield value.encode()[:64]
            try:
                raw = bytes.fromhex(value)
            except ValueError:
                continue
            yield from (raw[at : at + 32] for at in range(max(1, len(raw) - 31)))


async def test_nobody_guesses_a_phone_number_from_a_backup(dsn: str) -> None:
    """An erased lead's, whose commands stay in the ledger, or a living lead's among the marks."""
    await filled(dsn)
    stored = fingerprints(dsn)
    with_master_key = stored & set(guessed(open_company(dsn, Settings()).ledger_key))
    assert len(with_master_key) == 3, "both commands, and the living lead's number"
    tried = list(keys_at_hand(dsn))
    assert len(tried) > 30
    assert not [key for key in tried if stored & set(guessed(key))]


async def test_an_erasure_finds_its_marks_by_an_index(dsn: str) -> None:
    """It holds the append lock: with millions of marks it must not read them all."""
    first, _ = await filled(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "INSERT INTO log.marks SELECT decode(md5(n::text), 'hex'), gen_random_uuid(), n"
            " FROM generate_series(1, 20000) n"
        )
        conn.execute("ANALYZE log.marks")
        deleting = "EXPLAIN DELETE FROM log.marks m WHERE m.stream = %s"
        plan = "\n".join(line for (line,) in conn.execute(deleting, (first,)))
        body = conn.execute("SELECT prosrc FROM pg_proc WHERE proname = 'forget'").fetchone()
    assert "marks_stream_idx" in plan
    assert body and "DELETE FROM log.marks m WHERE m.stream = lead;" in body[0]


def test_what_is_deleted_is_vacuumed(dsn: str) -> None:
    """One dead row is enough: a table that is deleted from once a month would keep it for years."""
    with psycopg.connect(dsn) as conn:
        found = dict(
            conn.execute(
                "SELECT c.oid::regclass::text, c.reloptions FROM pg_class c WHERE c.oid = ANY"
                " (ARRAY['privacy.keys', 'log.marks', 'log.attachments']::regclass[])"
            ).fetchall()
        )
    for table, options in found.items():
        assert {
            "autovacuum_vacuum_scale_factor=0",
            "autovacuum_vacuum_threshold=1",
        } <= set(options), table
    assert len(found) == 3
