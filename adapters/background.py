"""What a worker does: each duty in a thread of its own, until it is told to stop."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait

from adapters import checkpoint_duty, notifying, webhook_duty
from adapters.company import Company, open_company
from adapters.postgres import processes, worker
from adapters.settings import Settings

Duty = Callable[[str, Company, Settings, threading.Event], None]


def _project(dsn: str, _: Company, __: Settings, stop: threading.Event) -> None:
    worker.run_forever(dsn, stop)


def _process(dsn: str, company: Company, _: Settings, stop: threading.Event) -> None:
    processes.run_forever(dsn, company, stop)


def _relay(dsn: str, _: Company, settings: Settings, stop: threading.Event) -> None:
    if settings.kafka:
        from adapters.kafka import relay  # noqa: PLC0415 - slow to import

        relay.run_forever(dsn, settings, stop)
    else:
        stop.wait()


DUTIES: Mapping[str, Duty] = {
    "project": _project,
    "process": _process,
    "relay": _relay,
    "notify": notifying.run_forever,
    "seal": checkpoint_duty.run_forever,
    "webhooks": webhook_duty.run_forever,
}
"""`project` keeps the read models at the end of the log, `process` sends the rules' commands,
`relay` copies the log to Kafka, `notify` sends messages to people, `seal` signs checkpoints,
`webhooks` tells other systems.
"""


def work(dsn: str, settings: Settings, wanted: Iterable[str], stop: threading.Event) -> None:
    """Do these duties; when one fails for good, the others stop and its error is raised."""
    company = open_company(dsn, settings)
    with ThreadPoolExecutor(len(DUTIES)) as threads:  # none waits for another's end
        running = [threads.submit(DUTIES[name], dsn, company, settings, stop) for name in wanted]
        wait(running, return_when=FIRST_EXCEPTION)
        stop.set()
    for duty in running:
        duty.result()
