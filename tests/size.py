"""How much a random suite does: minutes in `make test`, a night with LEADLOG_TEST_SIZE=soak."""

import os

SOAK = os.environ.get("LEADLOG_TEST_SIZE") == "soak"


def size(test: int, soak: int) -> int:
    """The number for this run."""
    return soak if SOAK else test
