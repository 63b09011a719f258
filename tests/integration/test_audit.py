"""Verification and the SQL roles, on a log with real events in it."""

import asyncio
import os
import subprocess
from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.runner import catch_up
from aggregates.event import Meta
from aggregates.lead import events as e
from commands.ports import NewEvents
from tests import forked

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
PHONE, EMAIL = "13912345678", "zhang.wei@example.cn"


def run(dsn: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    env = os.environ | {"LEADLOG_DATABASE": dsn, "LEADLOG_ALLOW_UNSAFE_POSTGRES": "true"}
    return forked.run(*arguments, environment=env)


@pytest.fixture
def lead(dsn: str) -> UUID:
    """A lead with four events, captured from the website and won."""
    stream = uuid4()
    events = [
        e.LeadCaptured(
            occurred_at=AT,
            code="XLSH20240501001",
            details={
                "source": "官网",
                "phone": PHONE,
                "email": EMAIL,
                "need": f"call {PHONE}",
                "stage": PHONE,  # an attribute may be called like a field
            },
        ),
        e.LeadAssigned(occurred_at=AT, owner="Li"),
        e.StageChanged(occurred_at=AT, stage="已联系"),
        e.LeadConverted(occurred_at=AT),
    ]

    async def append() -> None:
        log = PostgresEventLog(dsn)
        await log.append(NewEvents(stream, 0, events, Meta("user:Li", uuid4()), b"f"))
        await log.close()

    asyncio.run(append())
    return stream


def test_a_whole_log_verifies(dsn: str, lead: UUID) -> None:
    done = run(dsn, "audit", "verify")
    assert done.returncode == 0
    assert done.stdout.startswith("4 events:")


TAMPERINGS = {
    "a hole": ("DELETE FROM log.leadlog_events WHERE notification_id = 2", 2),
    "a version out of order": (
        "UPDATE log.leadlog_events SET originator_version = 9 WHERE notification_id = 3",
        3,
    ),
    "an earlier time": (
        "UPDATE log.leadlog_events SET recorded_at = '2000-01-01' WHERE notification_id = 4",
        4,
    ),
    "broken bytes": (
        r"UPDATE log.leadlog_events SET state = '{' WHERE notification_id = 2",
        2,
    ),
    "another topic": ("UPDATE log.leadlog_events SET topic = 'x' WHERE notification_id = 4", 4),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_verification_names_the_first_wrong_position(dsn: str, lead: UUID, name: str) -> None:
    statement, position = TAMPERINGS[name]
    with psycopg.connect(dsn) as owner:
        owner.execute("SET session_replication_role = replica")  # switches the triggers off
        owner.execute(statement)
    done = run(dsn, "audit", "verify")
    assert done.returncode == 1
    assert f"position {position} " in done.stderr


READS = [
    ("leadlog_analyst", "SELECT * FROM report.leads", True),
    ("leadlog_analyst", "SELECT * FROM report.follow_ups", True),
    ("leadlog_analyst", "SELECT * FROM report.conversions", True),
    ("leadlog_analyst", "SELECT * FROM report.conversion", True),
    ("leadlog_analyst", "SELECT * FROM report.cycle_time", True),
    ("leadlog_analyst", "SELECT * FROM log.leadlog_events", False),
    ("leadlog_analyst", "SELECT * FROM audit.events", False),
    ("leadlog_analyst", "SELECT * FROM p_leads_1.leads", False),
    ("leadlog_analyst", "SELECT * FROM access.tokens", False),
    ("leadlog_auditor", "SELECT * FROM audit.events", True),
    ("leadlog_auditor", "SELECT * FROM access.tokens", False),
    ("leadlog_projector", "DELETE FROM log.leadlog_events", False),
    ("leadlog_projector", "INSERT INTO log.ledger VALUES (gen_random_uuid(), '', 1)", False),
    ("leadlog_writer", "UPDATE log.leadlog_events SET topic = ''", False),
    ("leadlog_writer", "DELETE FROM log.ledger", False),
    ("leadlog_writer", "TRUNCATE log.leadlog_events", False),
]


@pytest.mark.parametrize(("role", "statement", "allowed"), READS)
def test_roles_may_what_the_grants_page_says(
    dsn: str, lead: UUID, role: str, statement: str, allowed: bool
) -> None:
    catch_up(dsn)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        if allowed:
            assert conn.execute(statement).description
        else:
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


@pytest.mark.parametrize(
    "statement", ["UPDATE {} SET position = 1", "DELETE FROM {}", "TRUNCATE {}"]
)
def test_the_owner_too_only_appends(dsn: str, lead: UUID, statement: str) -> None:
    with psycopg.connect(dsn) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement.format("log.ledger"))


def test_views_for_analysts_hold_the_figures_and_no_contact_details(dsn: str, lead: UUID) -> None:
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            "SELECT leads, converted, lost, open, rate, amount FROM report.conversion"
            " WHERE dimension = 'source' AND bucket = '官网' AND cohort_month = '2024-05'"
        ).fetchone()
        assert row == (1, 1, 0, 0, 1, 0)
        cycle = conn.execute(
            "SELECT n, calendar_median FROM report.cycle_time WHERE dimension = 'all'"
        ).fetchone()
        assert cycle == (1, 0)
        for view in ("leads", "follow_ups", "conversions", "conversion", "cycle_time"):
            text = str(conn.execute(f"SELECT t::text FROM report.{view} t").fetchall())
            assert PHONE not in text
            assert EMAIL not in text
            assert "call " not in text


def test_every_column_that_a_view_describes_exists(dsn: str) -> None:
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        described = conn.execute(
            "SELECT count(*) FROM pg_description d JOIN pg_class c ON c.oid = d.objoid"
            " WHERE c.relnamespace = 'report'::regnamespace AND d.objsubid > 0"
        ).fetchone()
    assert described is not None
    assert described[0] > 30
