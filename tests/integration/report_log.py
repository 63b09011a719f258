"""A log written by hand for the report tests: events go in as they are, without decisions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid4, uuid5
from zoneinfo import ZoneInfo

import psycopg

from adapters.postgres import reports
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from aggregates.event import Event, Meta
from aggregates.lead import events as e
from projections.reports.catalogue import find
from projections.reports.params import read
from tests.sealed import Sealing

ZONE = "Asia/Shanghai"
APPEND = (
    "SELECT max(position) FROM log.append(%s::uuid[], %s::bytea[], %s::int[], %s::uuid[],"
    " %s::bigint[], %s::text[], %s::bytea[], %s)"
)


Fact = tuple[str, Event]


def when(text: str | None) -> datetime | None:
    """Local time of the company, or unknown; a text with an offset stays as it is."""
    if text is None:
        return None
    time = datetime.fromisoformat(text)
    return (time if time.tzinfo else time.replace(tzinfo=ZoneInfo(ZONE))).astimezone(UTC)


def captured(lead: str, time: str | None, *, imported: bool = False, **details: Any) -> Fact:
    external = {"external_id": lead, "source_system": "test"} if imported else {}
    event = e.LeadCaptured(occurred_at=when(time), code=f"X-{lead}", details=details, **external)
    return lead, event


def assigned(lead: str, time: str | None, owner: str, **details: Any) -> Fact:
    return lead, e.LeadAssigned(occurred_at=when(time), owner=owner, details=details)


def entered(lead: str, time: str | None, stage: str) -> Fact:
    return lead, e.StageChanged(occurred_at=when(time), stage=stage)


def contacted(lead: str, time: str | None, *, connected: bool = True, **more: Any) -> Fact:
    event = e.FollowUpRecorded(occurred_at=when(time), code="GJ", connected=connected, **more)
    return lead, event


def lost(lead: str, time: str | None) -> Fact:
    return lead, e.LeadInvalidated(occurred_at=when(time))


def reopened(lead: str, time: str | None) -> Fact:
    return lead, e.LeadReopened(occurred_at=when(time))


def paused(lead: str, time: str | None) -> Fact:
    return lead, e.LeadPaused(occurred_at=when(time), reason="预算未批")


def changed(lead: str, time: str | None, **details: Any) -> Fact:
    return lead, e.InfoChanged(occurred_at=when(time), details=details)


def won(lead: str, time: str | None, amount: str | None = None, **more: Any) -> Fact:
    value = None if amount is None else Decimal(amount)
    return lead, e.LeadConverted(occurred_at=when(time), amount=value, **more)


def reversed_(lead: str, time: str | None) -> Fact:
    return lead, e.ConversionReversed(occurred_at=when(time), reason="entered wrongly")


def merged(lead: str, time: str | None, into: str) -> Fact:
    return lead, e.LeadsMerged(occurred_at=when(time), into=stream(into), into_code=f"X-{into}")


def unmerged(lead: str, time: str | None) -> Fact:
    return lead, e.MergeUndone(occurred_at=when(time), into=stream(lead))


def stream(lead: str) -> UUID:
    return uuid5(NAMESPACE_OID, lead)


class Log:
    """Appends to a database's log and asks for reports on it."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._versions: dict[str, int] = {}
        self._sealing = Sealing()

    def append(self, *facts: Fact, recorded_at: datetime | None = None) -> int:
        """Facts (lead, event) in order; returns the last position."""
        meta, sealing = Meta("import:test", uuid4()), self._sealing
        rows = []
        for lead, event in facts:
            version = self._versions[lead] = self._versions.get(lead, 0) + 1
            state = sealing.encode(stream(lead), version, event, meta)
            rows.append((1, stream(lead), version, event.topic, state))
        with psycopg.connect(self.dsn) as conn:
            if recorded_at:
                conn.execute(
                    "INSERT INTO log.company VALUES ('clock', 'simulated') ON CONFLICT DO NOTHING"
                )
            columns = [list(column) for column in zip(*rows, strict=True)]
            sealing.store_keys(conn, columns[1])
            row = conn.execute(APPEND, ([uuid4()], [b"x"], *columns, recorded_at)).fetchone()
        assert row is not None
        return row[0]

    def report(self, name: str, *, fresh: bool = True, **given: Any) -> dict[str, Any]:
        """A report's body, from tables that are `fresh`; `from_` and `to` are the period."""
        report = find(name)
        params = read(report, _named(given), ZONE)
        if fresh:
            catch_up(self.dsn, report.projections)
        with connect(self.dsn) as conn:
            return reports.run(conn, report, params)

    def evidence(self, name: str, bucket: str, **given: Any) -> list[dict[str, Any]]:
        """What stands behind a bucket, read in pages of two."""
        report = find(name)
        params = read(report, _named(given), ZONE)
        catch_up(self.dsn)
        rows: list[dict[str, Any]] = []
        with connect(self.dsn) as conn:
            after: int | None = 0
            while after is not None:
                page = reports.evidence(conn, report, params, bucket, after=after, limit=2)
                rows += page.rows
                after = page.next
        return rows


def _named(given: Mapping[str, Any]) -> dict[str, Any]:
    return {name.removesuffix("_"): value for name, value in given.items()}
