"""Captures from several processes at once: R2, R72, A1, A23, decision 10."""

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from tests import forked
from tests.integration.capturing import capture_into

Lead = dict[str, Any]
PHONE = "13912345678"


def captured(
    dsn: str, processes: int, count: int, phone: str = "", customer: str = ""
) -> list[list[Lead]]:
    """What each of so many processes captured, all of them starting at one signal.

    The customers of each have names of their own, unless one is given for all.
    """
    at_once = forked.barrier(processes)
    with TemporaryDirectory() as directory, ExitStack() as stack:
        files = [Path(directory, f"客户{n}-") for n in range(processes)]
        running = [
            stack.enter_context(
                forked.Forked(capture_into, file, at_once, dsn, file.name, count, phone, customer)
            )
            for file in files
        ]
        assert {process.wait(120) for process in running} == {0}
        return [json.loads(file.read_bytes()) for file in files]


def numbers(leads: list[list[Lead]]) -> list[int]:
    """The numbers of the codes of the one or two days on which they were given out."""
    stem = len("XLSH20240501")
    return sorted(int(lead["code"][stem:]) for some in leads for lead in some)


def take(dsn: str, amount: int) -> None:
    today = datetime.now(UTC).astimezone(ZoneInfo("Asia/Shanghai")).date()
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("SELECT log.take_codes('XLSH', %s, %s)", (today, amount))


def test_codes_of_three_processes_are_unique_and_widen_past_999(dsn: str) -> None:
    """R72, A23, G6: no double, no wrap, nothing left out while nobody is refused."""
    take(dsn, 950)
    leads = captured(dsn, 3, 40)
    codes = [lead["code"] for some in leads for lead in some]
    assert len(set(codes)) == 120
    assert numbers(leads) == list(range(951, 1071))
    assert {len(code) for code in codes} == {15, 16}, "XLSHyyyymmdd and three digits, then four"


def test_a_phone_number_captured_twice_at_once_never_goes_unnoticed(dsn: str) -> None:
    """R2, A1: 40 numbers, each by two processes: whichever came second is told of the first."""
    for one, other in zip(*captured(dsn, 2, 40, "1391234"), strict=True):
        told = [one["suspects"] == [other["id"]], other["suspects"] == [one["id"]]]
        assert sorted(told) == [False, True], (one, other)


def test_every_lead_of_a_burst_knows_of_one_before_it(dsn: str) -> None:
    """R2, A1: 3 processes, 90 leads, one number: all but the first are told, none of itself."""
    leads = [lead for some in captured(dsn, 3, 30, PHONE) for lead in some]
    assert sum(not lead["suspects"] for lead in leads) == 1
    ids = {lead["id"] for lead in leads}
    assert len(ids) == 90
    for lead in leads:
        assert set(lead["suspects"]) <= ids - {lead["id"]}
        assert len(lead["suspects"]) <= 10


def test_two_hundred_captures_of_one_customer_are_all_in(dsn: str) -> None:
    """Decision 10, R2: 4 processes, one name and one number: nobody is refused, all are told."""
    leads = [lead for some in captured(dsn, 4, 50, PHONE, "A科技有限公司") for lead in some]
    assert len({lead["id"] for lead in leads}) == 200
    assert sum(not lead["suspects"] for lead in leads) == 1
