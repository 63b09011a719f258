"""The `leadlog` program: one file per group of commands, one place for its errors.

Exit codes: 0 done, 1 refused or failed with a one-line reason on stderr, 2 usage. Results go to
stdout, progress to stderr only.
"""

import gc
import importlib
import logging
import os
import sys

import psycopg
import typer

from adapters.logs import log_discreetly
from adapters.settings import StartupError
from aggregates.refusal import Refusal
from commands.ports import Unavailable

app = typer.Typer(
    name="leadlog",
    help="Event-sourced backend for sales leads: log, reports, audit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

COMMANDS = {
    "serve": "serve",
    "worker": "serve",
    "migrate": "serve",
    "import": "leads_import",
    "report": "report",
    "projections": "projections",
    "audit": "proof",
    "users": "access",
    "teams": "access",
    "tokens": "access",
    "logins": "logins",
    "keys": "keys",
    "erase": "erase",
    "channels": "channels",
    "policy": "policy",
    "timers": "timers",
    "demo": "demo",
}
"""Each command's module. Only the one that is called is imported: it starts in half the time."""


@app.callback()
def _leadlog() -> None:
    """Event-sourced backend for sales leads: log, reports, audit."""


class Failed(Exception):  # noqa: N818 - an ending, not a defect
    """A command that cannot go on; its text is the one line the user reads."""


def main() -> None:
    """Run one command; what is expected to go wrong ends in one line and exit code 1."""
    called = COMMANDS.get(sys.argv[1] if len(sys.argv) > 1 else "")
    for module in [called] if called else sorted(set(COMMANDS.values())):
        importlib.import_module(f"adapters.cli.{module}")
    log_discreetly()
    # What PostgreSQL shows of each connection.
    os.environ.setdefault("PGAPPNAME", " ".join(["leadlog", *sys.argv[1:2]]))
    # Batches make many short-lived objects without cycles: look for cycles rarely, and never
    # among what was imported.
    gc.freeze()
    gc.set_threshold(100_000, 20, 20)
    try:
        app()
    except (Failed, Refusal, StartupError, Unavailable) as error:
        sys.exit(f"leadlog: {error}")
    except psycopg.Error as error:
        sys.exit(f"leadlog: the database said: {str(error).splitlines()[0]}")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception:
        logging.getLogger("leadlog").exception("a defect of leadlog, please report it")
        sys.exit(1)
