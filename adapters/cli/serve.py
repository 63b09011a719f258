"""`leadlog serve`, `worker`, `migrate`: the service, its background half, the schema.

`serve` runs the worker as a process of its own beside the API and starts it again when it dies;
a worker whose parent is gone, however it went, ends too.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from adapters.cli import Failed, app
from adapters.cli.options import DatabaseOption, opened
from adapters.database import open_database
from adapters.erasure_list import erase_again
from adapters.logs import log_discreetly
from adapters.settings import Settings
from adapters.tracing import exporting

PARENT = "LEADLOG_PARENT"
ENDS = (signal.SIGTERM, signal.SIGINT)
LOOK_SECONDS = 0.5
EVERYTHING = "project,process,relay,notify,seal,webhooks"


@app.command()
def serve(
    *,
    host: Annotated[str | None, typer.Option(help="Default: LEADLOG_HOST, 127.0.0.1.")] = None,
    port: Annotated[int | None, typer.Option(help="0 = a free one. LEADLOG_PORT, 8000.")] = None,
    no_worker: Annotated[bool, typer.Option("--no-worker", help="API only.")] = False,
    database: DatabaseOption = None,
) -> None:
    """Run the API and the worker until interrupted; requests under way are finished first."""
    settings = Settings.load(database=database, host=host, port=port)
    log_discreetly(settings.log_format, settings.log_level)
    from adapters.cli.service import run_service  # noqa: PLC0415 - slow to import

    # uvicorn finishes what is under way, then hands the signal on: leave in order, not at once.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with open_database(settings) as handle:
        run_service(settings, handle, with_worker=not no_worker)


@app.command()
def worker(
    *,
    only: Annotated[str, typer.Option(help="What to do, separated by commas.")] = EVERYTHING,
    from_kafka: Annotated[
        bool, typer.Option("--from-kafka", help="Only read models, in a database fed from a topic.")
    ] = False,
    database: DatabaseOption = None,
) -> None:
    """Keep the read models at the end of the log, act on time and rules, send messages, seal.

    A signal ends it after the steps under way, a second one at once.
    """
    from adapters.background import DUTIES, work  # noqa: PLC0415 - slow to import

    wanted = only.split(",")
    if unknown := set(wanted) - DUTIES.keys():
        raise Failed(f"--only: there is no {min(unknown)}: name some of {','.join(DUTIES)}")
    stop = threading.Event()
    for number in ENDS:
        signal.signal(number, lambda *_: _end(stop))
    if parent := os.environ.get(PARENT):
        threading.Thread(target=_end_with, args=(int(parent), stop), daemon=True).start()
    settings = Settings.load(database=database)
    log_discreetly(settings.log_format, settings.log_level)
    with open_database(settings) as handle, _telling(settings):
        if from_kafka:
            from adapters.kafka.consumer import run_forever  # noqa: PLC0415 - slow to import

            run_forever(handle.dsn, settings, stop)
            return
        erase_again(handle.dsn, settings)
        work(handle.dsn, settings, wanted, stop)


@app.command()
def migrate(database: DatabaseOption = None) -> None:
    """Bring the database's schema up to date, under a lock."""
    with opened(database, may_be_fed=True) as handle:
        erase_again(handle.dsn, Settings.load(database=database))
        typer.echo("the schema is up to date")


@contextmanager
def _telling(settings: Settings) -> Iterator[None]:
    """Send the worker's traces and serve its metrics, where a place for them is given."""
    if settings.worker_metrics is None:
        with exporting(settings.otlp, "leadlog-worker"):
            yield
        return
    from adapters.metrics import served  # noqa: PLC0415 - slow to import

    with (
        exporting(settings.otlp, "leadlog-worker"),
        served(settings.worker_metrics, settings.host) as port,
    ):
        print(f"leadlog worker serves http://{settings.host}:{port}/metrics", flush=True)
        yield


def _end(stop: threading.Event) -> None:
    """End with what is under way; whoever asks again does not wait for it."""
    stop.set()
    for number in ENDS:
        signal.signal(number, signal.SIG_DFL)


def _end_with(parent: int, stop: threading.Event) -> None:
    """Ask this process to stop once its parent is another one than it was."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    stop.set()
