"""Leads that a history file brought: only clocks that ring in the future start (architecture 5)."""

import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

from tests.integration.history_files import imported, text, write
from tests.integration.living import Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
NOW = datetime(2024, 5, 20, 10, 0, tzinfo=ZONE)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TIMED = (
    "SELECT l.data->>'external_id', e.topic, (e.data->>'occurred_at')::timestamptz,"
    " (e.data->>'due_at')::timestamptz FROM events e JOIN events l"
    " ON l.originator_id = e.originator_id AND l.topic = 'lead.captured'"
    " WHERE e.topic IN ('lead.first-follow-up-task-issued', 'lead.task-scheduled',"
    " 'lead.first-response-breached', 'lead.escalated-to-supervisor', 'lead.task-overdue')"
    " ORDER BY 1, e.notification_id"
)
EVENTS = (
    "WITH events AS (SELECT *, convert_from(state, 'UTF8')::jsonb AS data FROM log.leadlog_events) "
)


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, NOW) as company:
        yield company


def timed(company: Living) -> list[tuple[str, str, datetime, datetime | None]]:
    with psycopg.connect(company.dsn) as conn:
        return conn.execute(EVENTS + TIMED).fetchall()


async def test_an_import_starts_what_rings_in_the_future(company: Living, tmp_path: Path) -> None:
    """Assigned an hour ago: due in 23. Assigned long ago: nothing, not even a breach."""
    facts = [
        ("new", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("new", NOW - HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("old", NOW - 40 * DAY, "LeadCreated", {"channel": "官网"}),
        ("old", NOW - 40 * DAY, "OwnerAssigned", {"owner": "chen"}),
        ("met", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("met", NOW - 2 * HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("met", NOW - HOUR, "FirstContacted", {}),
        ("met", NOW - HOUR, "StatusChanged", {"to": "方案提交"}),
        ("won", NOW - 2 * HOUR, "LeadCreated", {"channel": "官网"}),
        ("won", NOW - 2 * HOUR, "OwnerAssigned", {"owner": "chen"}),
        ("won", NOW - HOUR, "LeadConverted", {"amount": "1"}),
    ]
    rows = [
        (n, at.replace(tzinfo=None).isoformat(), lead, kind, json.dumps(data))
        for n, (lead, at, kind, data) in enumerate(facts, 1)
    ]
    assert imported(company.dsn, write(tmp_path, text(rows))).returncode == 0
    await company.until(NOW + HOUR)
    started = [
        ("met", "lead.task-scheduled", NOW - HOUR, NOW + 71 * HOUR),
        ("new", "lead.first-follow-up-task-issued", NOW - HOUR, NOW + 23 * HOUR),
    ]
    assert timed(company) == started
    await company.until(NOW + 10 * DAY)
    assert [(lead, topic, at) for lead, topic, at, _ in timed(company)] == [
        ("met", "lead.task-scheduled", NOW - HOUR),
        ("met", "lead.task-overdue", NOW + 71 * HOUR),
        ("new", "lead.first-follow-up-task-issued", NOW - HOUR),
        ("new", "lead.first-response-breached", NOW + 23 * HOUR),
        ("new", "lead.escalated-to-supervisor", NOW + 71 * HOUR),
    ]
