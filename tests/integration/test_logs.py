"""What the program logs quotes neither rows nor contact details, however it came by them (A4)."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from uuid import uuid4

import psycopg
import pytest

from adapters.logs import Discreet
from adapters.postgres.runner import catch_up
from tests.conformance.histories import append_bytes
from tests.integration.program import Program

NAME, PHONE = "A科技有限公司", "13987654321"
VALUE = f"\n\nTraceback (most recent call last):\n{NAME}"
"""A value that looks like what comes behind it; PostgreSQL quotes up to 64 bytes of one."""
CAPTURED = '{"code": "X", "details": {"customer": "%s\\n\\n%s"}}' % (NAME, PHONE)  # noqa: UP031


def _refused(dsn: str) -> psycopg.Error:
    """What the database says of a row that it does not take, and the row."""
    with psycopg.connect(dsn) as conn:
        conn.execute("CREATE TEMPORARY TABLE given (value text CHECK (value IS NULL))")
        with pytest.raises(psycopg.errors.CheckViolation) as refused:
            conn.execute("INSERT INTO given VALUES (%s)", (VALUE,))
    assert NAME in str(refused.value)
    return refused.value


def _record(message: str, *args: object, error: BaseException | None = None) -> logging.LogRecord:
    raised = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("leadlog", logging.ERROR, __file__, 1, message, args, raised)


def _caused(error: psycopg.Error) -> RuntimeError:
    other = RuntimeError("an answer to it")
    other.__cause__ = error
    return other


def _never_retrieved(error: psycopg.Error) -> logging.LogRecord:
    """As asyncio tells of a task that nobody waited for."""
    with asyncio.Runner() as runner:
        future: asyncio.Future[None] = runner.get_loop().create_future()
        future.set_exception(error)
        future.exception()
        return _record(f"Task exception was never retrieved\nfuture: {future!r}", error=error)


TOLD: Mapping[str, Callable[[psycopg.Error], logging.LogRecord]] = {
    "raised": lambda error: _record("failed", error=error),
    "in the message": lambda error: _record("again in %.1f s: %s", 0.5, error),
    "as the cause": lambda error: _record("failed", error=_caused(error)),
    "in a group": lambda error: _record("failed", error=BaseExceptionGroup("several", [error])),
    "never retrieved": _never_retrieved,
}


@pytest.mark.parametrize("way", TOLD)
def test_of_a_database_error_its_first_line_is_logged(way: str, dsn: str) -> None:
    logged = Discreet().format(TOLD[way](_refused(dsn)))
    assert 'new row for relation "given" violates check constraint' in logged
    assert NAME not in logged


def test_where_its_text_is_all_there_is_everything_behind_the_first_line_is_cut() -> None:
    text = f"new row violates\nDETAIL:  Failing row contains ({NAME}\n\n{NAME}\nHINT: {NAME})."
    error = _caused(psycopg.Error(text))
    logged = Discreet().format(_record("failed", error=error))
    assert "new row violates" in logged
    assert logged.endswith("RuntimeError: an answer to it"), "what comes behind is there"
    assert NAME not in logged


def test_every_command_logs_discreetly(dsn: str) -> None:
    """Here one that brings the read models up to the end of the log."""
    catch_up(dsn)
    with psycopg.connect(dsn) as conn:
        refused = "ADD CONSTRAINT no CHECK (customer IS NULL) NOT VALID"
        conn.execute(f"ALTER TABLE p_leads_1.leads {refused}")
    append_bytes(dsn, uuid4(), 1, "lead.captured", CAPTURED.encode())
    ended = Program(dsn).run("projections", "list")
    assert ended.returncode == 0, ended.stderr
    assert "parked position 1" in ended.stderr
    assert "CheckViolation" in ended.stderr
    assert NAME not in ended.stderr
    assert PHONE not in ended.stderr


def test_a_defect_ends_a_command_in_the_log(dsn: str) -> None:
    """Here an event in another shape than any that was ever written."""
    lead = uuid4()
    append_bytes(dsn, lead, 1, "lead.converted", b'{"amount": ["1"]}')
    ended = Program(dsn).run("audit", "replay", str(lead))
    assert ended.returncode == 1
    assert " ERROR leadlog: a defect of leadlog, please report it\nTraceback " in ended.stderr
    assert "ValidationError" in ended.stderr
