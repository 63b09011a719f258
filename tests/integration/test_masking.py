"""No reader finds a contact detail in clear, in whatever field it was typed (A4, R19, R75, R111).

A log is filled with canaries in every text of every event of a lead; whoever reads it is searched.
"""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import scalar_row

from adapters.postgres.builds import live_builds
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.tokens import issue
from aggregates.access import events as a
from aggregates.event import Event, Meta
from aggregates.lead import events as e
from aggregates.lead import privacy_events as p
from aggregates.lead import time_events as t
from aggregates.notification import events as n
from aggregates.review import events as r
from commands.ports import NewEvents
from projections.catalogue import PROJECTIONS
from projections.reports.catalogue import REPORTS
from projections.reports.dimensions import LEAD_DIMENSIONS
from tests.canaries import Canaries, canaries
from tests.integration.api_client import running
from tests.integration.test_audit import run

OF_A_LEAD = (*e.EVENTS, *t.EVENTS, p.ContactRevealed)
ORIGINS = ((None, None), ("lists", True), ("crm", None))


@dataclass(frozen=True)
class Typed:
    """A log full of canaries, and the streams in it."""

    dsn: str
    canaries: Canaries
    streams: list[UUID]

    def safe(self, text: str, where: str) -> None:
        """Nothing can be read in clear."""
        leaks = self.canaries.leaks(text)
        assert not leaks, f"{where} shows in clear what was typed into {leaks}"


@pytest.fixture
def typed(dsn: str) -> Typed:
    """Leads captured by hand, by `import leads`, from a history: one with each event as its last,
    one with all.
    """
    made = canaries()
    lives = list(_lives(made))
    streams = [UUID(int=n) for n in range(1, len(lives) + 1)]

    async def append() -> None:
        log = PostgresEventLog(dsn)
        for stream, events in zip(streams, lives, strict=True):
            meta = Meta("user:Li", UUID(int=stream.int + 1000))
            await log.append(NewEvents(stream, 0, events, meta, b"f"))
        await log.close()

    asyncio.run(append())
    catch_up(dsn)
    return Typed(dsn, made, streams)


def _lives(made: Canaries) -> Iterator[list[Event]]:
    for source, by_command in ORIGINS:
        for later in (*((cls,) for cls in OF_A_LEAD), OF_A_LEAD):
            origin = {"source_system": source, "by_command": by_command}
            given: dict[Any, Any] = {e.LeadCaptured: origin}
            if by_command:  # these have details from a history alone, and are as clear as that
                given |= {cls: {"details": {}} for cls in (e.LeadAssigned, e.LeadConverted)}
            yield [made.event(cls, **given.get(cls, {})) for cls in (e.LeadCaptured, *later)]
    for cls in (*r.EVENTS, *n.EVENTS, *a.EVENTS):
        yield [made.event(cls)]
    for source, by_command in ORIGINS:  # erased: what is left is clear, and what was is gone
        captured = made.event(e.LeadCaptured, source_system=source, by_command=by_command)
        yield [captured, made.event(e.FollowUpRecorded), made.event(p.PersonalDataErased)]


@pytest.mark.parametrize("name", PROJECTIONS)
def test_no_table_of_a_read_model_holds_contact_details(typed: Typed, name: str) -> None:
    """A4: only attributes of a history's leads stay as they are, for reports to group by."""
    with connect(typed.dsn) as conn:
        schema = live_builds(conn)[name].schema
        for table in PROJECTIONS[name].tables:
            statement = sql.SQL("SELECT to_jsonb(t) FROM {} t")
            rows = conn.execute(statement.format(sql.Identifier(schema, table.name))).fetchall()
            assert rows
            for (row,) in rows:
                if (name, table.name) == ("leads", "leads") and row["source_system"] == "crm":
                    del row["attributes"], row["covered"]
                typed.safe(json.dumps(row, ensure_ascii=False), f"{name}.{table.name}")


def test_no_view_for_analysts_shows_contact_details(typed: Typed) -> None:
    """A4, architecture 5: every view of the schema `report`."""
    with psycopg.connect(typed.dsn, row_factory=scalar_row) as conn:
        views = conn.execute("SELECT viewname FROM pg_views WHERE schemaname = 'report'").fetchall()
        assert {"leads", "follow_ups", "conversions", "conversion", "cycle_time"} <= {*views}
        for view in views:
            statement = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier("report", view))
            typed.safe("\n".join(conn.execute(statement)), f"report.{view}")
        shown = "\n".join(conn.execute("SELECT attributes::text FROM report.leads"))
        assert "139****" in shown


@pytest.mark.anyio
async def test_no_answer_of_the_api_shows_contact_details(typed: Typed) -> None:
    """A4, R19: every read of a lead, the list, every report by every dimension, with evidence."""
    async with running(typed.dsn) as api:
        paths = [path for path, methods in api.app.openapi()["paths"].items() if "get" in methods]
        of_a_lead = [path for path in paths if path.count("{") == 1 and "{ref}" in path]
        assert len(of_a_lead) >= 2
        asked = [p.replace("{ref}", str(s)) for p in of_a_lead for s in typed.streams]
        asked += [f"{path}?as_known=2100-01-01T00:00:00Z" for path in asked]
        asked += [
            p if p != "/v1/attachments" else f"{p}?q=." for p in paths if "{" not in p and "v1" in p
        ]
        asked += ["/v1/leads?limit=200", "/v1/privacy/accesses?limit=200"]
        for name in REPORTS:
            asked += [f"/v1/reports/{name}?dimension={d}" for d in LEAD_DIMENSIONS]
            asked += [f"/v1/reports/{name}/rows/all/evidence"]
        with psycopg.connect(typed.dsn, autocommit=True) as conn:
            own = issue(conn, "Li", "admin", "laptop")  # whom the messages and tasks are for
        answered = 0
        for path in asked:
            answer = await api.get(path, headers={"Authorization": f"Bearer {own}"})
            answered += answer.status_code == 200
            assert answer.status_code < 500, answer.text
            typed.safe(answer.text, path)
        assert answered > len(typed.streams) * 2
        made = typed.canaries.event(e.LeadCaptured)
        names = ("customer", "contact", "contact_title", "phone", "email", "campaign", "need")
        reply = await api.lead(**{name: made.details[name] for name in names})
        typed.safe(json.dumps(reply, ensure_ascii=False), "the reply to a capture")


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_replay_shows_contact_details(typed: Typed, form: str) -> None:
    """A4: an auditor sees that a value changed, not which number it was."""
    per_origin = len(OF_A_LEAD) + 1
    of_leads = typed.streams[: per_origin * len(ORIGINS)]
    every_event = of_leads[per_origin - 1 :: per_origin]
    assert len(every_event) == len(ORIGINS)
    for stream in every_event:
        done = run(typed.dsn, "audit", "replay", str(stream), "--format", form)
        assert done.returncode == 0, done.stderr
        assert "139****" in done.stdout
        typed.safe(done.stdout, f"audit replay --format {form}")
