"""What the program logs: to stderr, without contact details (A4)."""

import logging
import re
import sys
from collections.abc import Iterator

import psycopg

from aggregates.privacy import without_contacts

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
        text = super().format(record)
        for error in _errors(record):
            if said := error.diag.message_primary:
                text = said.join(_written(error).split(text))
                text = text.replace(repr(error), repr(type(error)(said)))  # as asyncio tells it
        return without_contacts(_QUOTES.sub("", text))


def log_discreetly() -> None:
    """Let every logger of this process write warnings and errors this way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Discreet())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])


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
