"""Waiting for what has to come, with an end to the patience."""

import time
from collections.abc import Callable

import httpx
import psycopg

PATIENCE = 60.0
LAG = (
    "SELECT (SELECT max(notification_id) FROM log.leadlog_events)"
    " - (SELECT min(position) FROM projection.builds WHERE state = 'live')"
)


def until(reached: Callable[[], bool], what: str, patience: float = PATIENCE) -> float:
    """Return when it is so: after how many seconds."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() < began + patience, f"not within {patience} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - began


def until_ready(url: str) -> None:
    """Until a service takes requests."""
    with httpx.Client() as http:
        until(lambda: _answers(http, f"{url}/health/ready"), f"{url} is ready")


def until_read(dsn: str) -> None:
    """Until every read table stands at the log's end."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        until(lambda: conn.execute(LAG).fetchone() == (0,), "the read tables follow")


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).status_code == 200
    except httpx.TransportError:
        return False
