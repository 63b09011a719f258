"""The company's facts, fixed once there are events: time zone, currency, kind of clock.

Dates, codes and amounts in the log mean these; a start with other ones is refused. The ledger key,
which turns bodies of commands, phone numbers and names into fingerprints, is random and made with
the database. It lies there wrapped by the master key: with the database alone nobody can guess what
a fingerprint was made of.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import psycopg

from adapters.clock import clock_of
from adapters.keyring import keyring
from adapters.postgres.key_store import LEDGER_KEY, LEDGER_KEY_BYTES
from adapters.settings import PREFIX, Settings, StartupError
from aggregates.values import latest
from commands.ports import Clock

CLOCK_AT = "clock_at"
FEED = "feed"
"""The topic that a database is fed from which has no log of its own (docs/adr/0018)."""
FACTS = "SELECT name, value FROM log.company"
LAST = "SELECT recorded_at FROM log.leadlog_events ORDER BY notification_id DESC LIMIT 1"
KEEP = "INSERT INTO log.company (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING"
CHANGE = (
    "INSERT INTO log.company (name, value) VALUES (%s, %s)"
    " ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


@dataclass(frozen=True, slots=True)
class Company:
    """What holds for the whole database. `last_recorded_at` = where the log stood at opening,
    `clock_at` = where a simulated clock was moved to.
    """

    zone: ZoneInfo
    currency: str
    clock_kind: str
    ledger_key: bytes
    last_recorded_at: datetime | None
    clock_at: datetime | None = None

    def simulated_now(self) -> datetime | None:
        """Where a simulated clock stands; None where time is real."""
        return self.clock().now() if self.clock_kind == "simulated" else None

    @property
    def stood_at(self) -> datetime | None:
        """The latest instant that the database knows of."""
        return latest(self.last_recorded_at, self.clock_at)

    def clock(self) -> Clock:
        """The clock that a service on this database runs by."""
        return clock_of(self.clock_kind, self.stood_at)


def open_company(
    dsn: str, settings: Settings, *, clock: Literal["real", "simulated"] | None = None
) -> Company:
    """The company's facts, settled by the settings while there are no events yet.

    `clock` None takes what the database says, else real time. StartupError on a contradiction, and
    for a database whose log is elsewhere.
    """
    wanted = {"timezone": settings.timezone, "currency": settings.currency}
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT log.lock_for_append()")  # nobody makes the first event meanwhile
        require_log(conn)
        last = conn.execute(LAST).fetchone()
        _keep(conn, {"clock": clock or "real"})
        ledger_key = _ledger_key(conn)
        if clock:
            wanted["clock"] = clock
        if last:
            _keep(conn, wanted)
            _require_same(conn, wanted)
        else:
            conn.cursor().executemany(CHANGE, list(wanted.items()))
        facts = _facts(conn)
    return Company(
        zone=ZoneInfo(facts["timezone"]),
        currency=facts["currency"],
        clock_kind=facts["clock"],
        ledger_key=ledger_key,
        last_recorded_at=last[0] if last else None,
        clock_at=datetime.fromisoformat(facts[CLOCK_AT]) if CLOCK_AT in facts else None,
    )


def require_log(conn: psycopg.Connection[Any]) -> None:
    """Raise StartupError for a database whose log is elsewhere."""
    if topic := _facts(conn).get(FEED):
        raise StartupError(
            f"this database has no log, it is fed from {topic}: it takes"
            " `leadlog worker --from-kafka`, all else the log's own database"
        )


def keep_clock(dsn: str, at: datetime) -> None:
    """Let the simulated clock of a database go on from an instant."""
    with psycopg.connect(dsn) as conn:
        conn.execute(CHANGE, (CLOCK_AT, at.isoformat()))


def _ledger_key(conn: psycopg.Connection[Any]) -> bytes:
    """The key of fingerprints, made at the first opening; one that an earlier program left in clear
    is wrapped.
    """
    kept = bytes.fromhex(_facts(conn).get(LEDGER_KEY, ""))
    if len(kept) > LEDGER_KEY_BYTES:
        return keyring().unwrap_secret(LEDGER_KEY, kept)
    key = kept or secrets.token_bytes(LEDGER_KEY_BYTES)
    conn.execute(CHANGE, (LEDGER_KEY, keyring().wrap_secret(LEDGER_KEY, key).hex()))
    return key


def _facts(conn: psycopg.Connection[Any]) -> dict[str, str]:
    return dict(conn.execute(FACTS).fetchall())


def _keep(conn: psycopg.Connection[Any], facts: dict[str, str]) -> None:
    conn.cursor().executemany(KEEP, list(facts.items()))


def _require_same(conn: psycopg.Connection[Any], wanted: dict[str, str]) -> None:
    found = _facts(conn)
    for name, value in wanted.items():
        if found[name] != value:
            hint = "" if name == "clock" else f"set {PREFIX}{name.upper()}={found[name]} or "
            raise StartupError(
                f"this database's {name} is {found[name]}, fixed by its first event, not {value}: "
                f"{hint}use another database"
            )
