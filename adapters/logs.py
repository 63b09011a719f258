"""What the service and the worker log: to stderr, without contact details (A4)."""

import logging
import re
import sys

from aggregates.privacy import without_contacts

# PostgreSQL quotes there the row that it refuses, or what it was given.
_QUOTES = re.compile(r"^(?:DETAIL|CONTEXT): .*?(?=^HINT: |^$|\Z)", re.DOTALL | re.MULTILINE)


class _Discreet(logging.Formatter):
    """Writes a record with its traceback, and leaves out what is personal in them."""

    def format(self, record: logging.LogRecord) -> str:
        return without_contacts(_QUOTES.sub("", super().format(record)))


def log_discreetly() -> None:
    """Let every logger of this process write warnings and errors this way."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Discreet())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
