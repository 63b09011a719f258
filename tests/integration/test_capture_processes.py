"""Captures from several processes at once: R2, R72, A1, A23, decision 10."""

import json
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg

from tests.conftest import ROOT

Lead = dict[str, Any]
PHONE = "13912345678"


def captured(
    dsn: str, processes: int, count: int, phone: str = "", customer: str = ""
) -> list[list[Lead]]:
    """What each of so many processes captured, all of them starting at one signal.

    The customers of each have names of their own, unless one is given for all.
    """
    with ExitStack() as stack:
        running = [
            stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.integration.capturing", dsn, f"客户{n}-",
                     str(count), phone, customer],
                    cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                )
            )
            for n in range(processes)
        ]  # fmt: skip
        for process in running:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for process in running:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        answers = [process.communicate(timeout=120)[0] for process in running]
    return [[json.loads(line) for line in answer.splitlines()] for answer in answers]


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
