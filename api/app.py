"""The composition root of the HTTP service: everything is made and joined here."""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.convertors import Convertor, register_url_convertor

from adapters.channels import ChannelStore
from adapters.company import Company, open_company
from adapters.holiday_calendar import PublicHolidays
from adapters.message_texts import MessageTexts
from adapters.postgres.attachments import AttachmentStore
from adapters.postgres.builds import ensure_live
from adapters.postgres.reads import PostgresReads
from adapters.postgres.tables import connect
from adapters.settings import Settings
from adapters.tokens import TokenStore
from adapters.write_side import open_write_side
from api import (
    attachment_reads,
    attachments,
    batch,
    calendars,
    clean_up,
    directory,
    duplicates,
    hand_over,
    health,
    intake,
    intervals,
    lead_reads,
    leads,
    notifications,
    openapi,
    policies,
    pools,
    problems,
    reports,
    review_json,
    reviews,
    sla,
    tasks,
)
from api.auth import Doorkeeper
from api.company_json import SCHEMAS
from api.limits import BodyLimit
from api.service import Service
from commands.directory import WIRING as COMPANY_WIRING
from commands.directory import DirectoryCommands, Leavers
from commands.fields import Command
from commands.hand_over import HandOverPerson, HandOvers
from commands.lead.intake import CaptureLeads, Submission
from commands.leads import WIRING
from commands.notifications import NotificationCommands
from commands.reviews import CloseReview, ReviewCommands
from projections.catalogue import PROJECTIONS


class Ref(Convertor[str]):
    """What a lead is called in a path: everything up to the verb."""

    regex = "[^/:]+"

    def convert(self, value: str) -> str:
        """The text itself."""
        return value

    def to_string(self, value: str) -> str:
        """The text itself."""
        return value


register_url_convertor("ref", Ref())


def create_app(settings: Settings, dsn: str) -> FastAPI:
    """The service on a migrated database. Raises StartupError when it does not fit the settings."""
    company = open_company(dsn, settings)
    with connect(dsn) as conn:
        for projection in PROJECTIONS.values():
            ensure_live(conn, projection)
    channels = ChannelStore(dsn, company.ledger_key)
    reads = PostgresReads(dsn, company.zone, patience=settings.position_wait_seconds)
    opened = AsyncExitStack()
    service = _service(settings, dsn, company, reads, opened)
    for part in (channels, reads):
        opened.push_async_callback(part.close)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reads.open()
        async with opened:
            yield

    app = FastAPI(
        title="leadlog",
        version=version("leadlog"),
        summary="Sales leads as events; every figure drills down to them.",
        lifespan=lifespan,
        openapi_url="/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},  # nothing exports it
    )
    _mount(app, service, channels)
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        others={re.compile(attachments.PATH): settings.max_attachment_bytes},
    )
    problems.install(app)
    return app


def _service(
    settings: Settings, dsn: str, company: Company, reads: PostgresReads, opened: AsyncExitStack
) -> Service:
    """Everything that a route needs; `opened` closes it."""
    own = open_write_side(dsn, company, opened)
    log, registry, workloads, clock = own.log, own.registry, own.workloads, own.clock
    files, tokens, holidays = AttachmentStore(dsn), TokenStore(dsn), PublicHolidays()
    for part in (files, tokens):
        opened.push_async_callback(part.close)
    hand_overs = HandOvers(own.leads, registry, workloads, clock, company.zone)
    leavers = Leavers(workloads.open_leads, workloads.in_pools, tokens.revoke, hand_overs)
    return Service(
        zone=company.zone,
        doorkeeper=Doorkeeper(tokens, registry, rate=settings.requests_per_second),
        commands=own.commands,
        hand_overs=hand_overs,
        reviews=ReviewCommands(log, clock, company.ledger_key),
        directory=DirectoryCommands(log, registry, clock, company.ledger_key, leavers, holidays),
        holidays=holidays,
        notifications=NotificationCommands(log, clock),
        texts=MessageTexts(company.zone),
        registry=registry,
        reads=reads,
        files=files,
        clock=clock,
        page_limit=settings.page_limit,
        attachment_limit=settings.max_attachment_bytes,
    )


def _mount(app: FastAPI, service: Service, channels: ChannelStore) -> None:
    """Every route, and what OpenAPI says of their bodies."""
    app.router.routes.extend(leads.routes(service))  # ahead of all others: the busiest
    app.router.routes.extend((batch.route(service), intake.Intake(service, channels)))
    app.router.routes.extend((*directory.routes(service), *policies.routes(service)))
    app.router.routes.append(hand_over.route(service))
    app.router.routes.extend((*reviews.routes(service), *clean_up.routes(service)))
    app.router.routes.extend(notifications.routes(service))
    for router in (
        lead_reads.router,
        duplicates.router,
        intervals.router,
        attachment_reads.router,
        attachments.router,
        reports.router,
        directory.router,
        policies.router,
        calendars.router,
        pools.router,
        tasks.router,
        sla.router,
        notifications.router,
        reviews.router,
        clean_up.router,
        health.router,
    ):
        app.include_router(router(service))
    commands: Sequence[type[Command]] = (
        *WIRING, *COMPANY_WIRING, HandOverPerson, CaptureLeads, Submission, CloseReview,
        *notifications.COMMANDS,
    )  # fmt: skip
    answers = {
        "Captures": batch.RESULTS,
        "Receipt": intake.RECEIPT,
        "HandedOver": hand_over.NUMBER,
        "Changed": notifications.DONE,
    }
    openapi.document(
        app, lambda: {**openapi.schemas(commands), **SCHEMAS, **review_json.SCHEMAS, **answers}
    )
