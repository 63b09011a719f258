"""What the program logs: to stderr, without contact details (A4), as text or as JSON lines."""

import logging
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg

from aggregates.privacy import without_contacts
from commands import correlation

OURS = "leadlog"
FIELDS = {"time", "level", "logger", "message", "exception", "stack_info"}

# PostgreSQL quotes there the row that it refuses, or what it was given, with the line breaks in it.
# Where the text of an error is all there is, what follows is cut, up to the next traceback's head.
_QUOTES = re.compile(
    r"^([ |]*)(?:DETAIL|CONTEXT): .*?"
    r"(?=^\1(?:Traceback \(most recent|The above exception was|During handling of the above)|\Z)",
    re.DOTALL | re.MULTILINE,
)


class Discreet(logging.Formatter):
    """Writes a record with its traceback, and leaves out what is personal in them."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as text: of a database's error only the first line."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        ids = "".join(f" {name}={value}" for name, value in _ids().items())
        text = _discreet(super().format(record), record)
        return f"{at} {record.levelname} {record.name}{ids}: {text}"


def log_discreetly(style: str = "text", level: str = "warning") -> None:
    """Let every logger of this process write this way, from `level` on, as text or as JSON.

    Below warnings only our own are heard: a library may write an address with a secret in it.
    """
    root, least = logging.getLogger(), logging.getLevelNamesMapping()[level.upper()]
    handler = next((one for one in root.handlers if one.name == OURS), None)
    if handler is None:
        handler = logging.StreamHandler(sys.stderr)
        handler.name = OURS
        root.addHandler(handler)
    handler.setFormatter(_json() if style == "json" else Discreet())
    root.setLevel(max(least, logging.WARNING))
    logging.getLogger(OURS).setLevel(least)


def _json() -> logging.Formatter:
    """One object a line: time, level, logger, message, ids, exception."""
    from pythonjsonlogger.json import JsonFormatter  # noqa: PLC0415 - where it is wanted

    class DiscreetJson(JsonFormatter):
        def add_fields(
            self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]
        ) -> None:
            super().add_fields(log_data, record, message_dict)
            for name in log_data.keys() - FIELDS:  # what a library adds, we cannot vouch for
                del log_data[name]
            for name in log_data.keys() & {"message", "exception", "stack_info"}:
                log_data[name] = _discreet(str(log_data[name]), record)
            log_data |= _ids()

    names = {"levelname": "level", "name": "logger", "exc_info": "exception"}
    return DiscreetJson(
        ("levelname", "name", "message"),
        rename_fields=names,
        timestamp="time",
        json_ensure_ascii=False,
    )


def _ids() -> dict[str, str]:
    """What the record belongs to, as far as it is known: request and command."""
    request, command = correlation.correlation.get(), correlation.command_id.get()
    ids = {"correlation_id": request and request.id, "command_id": command}
    return {name: str(value) for name, value in ids.items() if value}


def _discreet(text: str, record: logging.LogRecord) -> str:
    for error in _errors(record):
        if said := error.diag.message_primary:
            text = said.join(_written(error).split(text))
            text = text.replace(repr(error), repr(type(error)(said)))  # as asyncio tells it
    return without_contacts(_QUOTES.sub("", text))


def _written(error: psycopg.Error) -> re.Pattern[str]:
    """The error's text, in a group of errors too, where each line of it has a margin."""
    lines = (str(error) or repr(error)).splitlines(keepends=True)
    return re.compile("[ |]*".join(map(re.escape, lines)))


def _errors(record: logging.LogRecord) -> Iterator[psycopg.Error]:
    """The database's errors in what a record says, and those that led to them."""
    said = record.args if isinstance(record.args, tuple) else ()
    raised = record.exc_info[1] if record.exc_info else None
    waiting = [one for one in (*said, raised) if isinstance(one, BaseException)]
    seen: set[int] = set()
    while waiting:
        error = waiting.pop()
        if id(error) in seen:
            continue
        seen.add(id(error))
        if isinstance(error, psycopg.Error):
            yield error
        waiting += [one for one in (error.__cause__, error.__context__) if one]
        if isinstance(error, BaseExceptionGroup):
            waiting += error.exceptions
