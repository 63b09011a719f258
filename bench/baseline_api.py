"""The baseline of S1: what a plain FastAPI service does for a change of stage.

A checked body and one durable INSERT through psycopg's pool. No caller, no rules, no log, nothing
that recognises a repetition. DSN in `BASELINE_DSN`; its table is `stage_changes`.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from fastapi import FastAPI
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel, Field

TABLE = (
    "CREATE TABLE IF NOT EXISTS stage_changes (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " lead uuid NOT NULL, stage text NOT NULL, reason text,"
    " changed_at timestamptz NOT NULL DEFAULT now())"
)
INSERT = (
    "INSERT INTO stage_changes (lead, stage, reason) VALUES (%s, %s, %s) RETURNING id, changed_at"
)
POOL = AsyncConnectionPool(
    os.environ.get("BASELINE_DSN", ""), min_size=16, max_size=16, open=False,
    kwargs={"autocommit": True, "prepare_threshold": 0},
)  # fmt: skip


class Change(BaseModel):
    """A lead enters a stage."""

    stage: str = Field(min_length=1, max_length=100)
    reason: str | None = Field(None, max_length=500)


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    await POOL.open(wait=True)
    async with POOL.connection() as conn:
        await conn.execute(TABLE)
    yield
    await POOL.close()


app = FastAPI(lifespan=_lifespan)


@app.post("/leads/{lead}/advance")
async def advance(lead: UUID, change: Change) -> dict[str, object]:
    """Record it."""
    async with POOL.connection() as conn:
        cursor = await conn.execute(INSERT, (lead, change.stage, change.reason))
        row = await cursor.fetchone()
    assert row is not None
    return {"id": row[0], "lead": lead, "stage": change.stage, "changed_at": row[1]}
