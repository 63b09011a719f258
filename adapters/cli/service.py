"""The running service: the API in this process, the worker and the database looked after beside it.

A worker that dies is started again, and so is an embedded PostgreSQL. Kept apart from the command
line because importing it takes longer than most commands.
"""

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Self

import typer
import uvicorn
from fastapi import FastAPI

from adapters.cli.serve import PARENT
from adapters.database import Database
from adapters.erasure_list import erase_again
from adapters.http_protocol import bounded
from adapters.people import first_administrator
from adapters.settings import Settings, StartupError
from adapters.simulated import going_by
from adapters.tracing import exporting
from api.app import create_app
from api.headers import PLAIN
from api.service import Health

logger = logging.getLogger("leadlog.serve")

LOOK_SECONDS = 0.5
STOP_SECONDS = 15
BACKLOG = 2048


def run_service(settings: Settings, database: Database, *, with_worker: bool = True) -> None:
    """Serve an open database in the foreground."""
    erase_again(database.dsn, settings)
    listener = _listen(settings.host, settings.port)
    with going_by(database.dsn, settings):
        _serve(settings, database, listener, with_worker=with_worker)


def _serve(
    settings: Settings, database: Database, listener: socket.socket, *, with_worker: bool
) -> None:
    service = create_app(settings, database.dsn)
    if token := first_administrator(database.dsn, settings.data_dir, settings.token_days):
        typer.echo(f"administrator's token (shown once): {token}")
    config = uvicorn.Config(
        service,
        loop="uvloop",
        http=bounded(settings, PLAIN),
        ws="none",
        access_log=False,
        log_config=None,  # as everything else: adapters/logs.py
        log_level="warning",
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.drain_seconds,
    )
    with (
        exporting(settings.otlp, "leadlog-api"),
        _Keeper(settings, database, with_worker=with_worker) as keeper,
    ):
        server = _Server(config, service.state.health, settings.unready_seconds, keeper.end_now)
        server.run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise StartupError(
            f"cannot listen on {host} port {port}: {error.strerror or error}. Choose another --port"
        ) from error


class _Server(uvicorn.Server):
    """Says where it listens once it does, with a port of 0 too, and ends by and by.

    At the first signal it is not ready any more, after `unready` seconds it listens no more, then
    finishes what is under way. At the second one it calls `end_now`.
    """

    def __init__(
        self, config: uvicorn.Config, health: Health, unready: float, end_now: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._health, self._unready, self._end_now = health, unready, end_now
        self._ending: tuple[float, int] | None = None

    def handle_exit(self, sig: int, _: FrameType | None) -> None:
        """A signal has come."""
        if self._ending:
            self._end_now()
        self._health.draining = True
        self._ending = time.monotonic() + self._unready, sig

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether to listen no more."""
        if self._ending and time.monotonic() >= self._ending[0]:
            super().handle_exit(self._ending[1], None)
        return await super().on_tick(counter)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for server in getattr(self, "servers", ()):
            host, port = server.sockets[0].getsockname()[:2]
            print(f"leadlog serves http://{host}:{port}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        assert isinstance(self.config.app, FastAPI)
        self.config.app.state.feed.end()  # its answers never end by themselves
        await super().shutdown(sockets)


class _Keeper:
    """Keeps the worker and an embedded database running beside the API, while its block runs."""

    def __init__(self, settings: Settings, database: Database, *, with_worker: bool) -> None:
        self._database = database
        self._environment = os.environ | {PARENT: str(os.getpid())}
        if settings.database:
            self._environment["LEADLOG_DATABASE"] = settings.database
        self._environment["LEADLOG_DATA_DIR"] = str(settings.data_dir)
        self._with_worker = with_worker
        self._child: subprocess.Popen[bytes] | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="leadlog-keeper", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._child:
            _end(self._child)

    def end_now(self) -> None:
        """End the worker, the embedded database and this process at once."""
        self._stop.set()
        if self._child:
            self._child.kill()
        self._database.close()
        os._exit(1)

    def _keep(self) -> None:
        while True:
            if self._with_worker and (self._child is None or self._child.poll() is not None):
                command = [sys.executable, "-m", "adapters.cli", "worker"]
                # Ctrl-C is for this process, which ends the worker in its turn.
                self._child = subprocess.Popen(
                    command, env=self._environment, start_new_session=True
                )
            if self._stop.wait(LOOK_SECONDS):
                return
            try:
                self._database.revive()
            except StartupError as error:
                logger.warning("%s", error)


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
