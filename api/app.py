"""The composition root of the HTTP service: everything is made and joined here."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.convertors import Convertor, register_url_convertor

from adapters.channels import ChannelStore
from adapters.company import open_company
from adapters.postgres.attachments import AttachmentStore
from adapters.postgres.builds import ensure_live
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.reads import PostgresReads
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.tables import connect
from adapters.postgres.workloads import PostgresWorkloads
from adapters.settings import Settings
from adapters.tokens import TokenStore
from aggregates.lead.state import Lead, evolve
from api import (
    attachment_reads,
    attachments,
    batch,
    directory,
    duplicates,
    hand_over,
    health,
    intake,
    intervals,
    lead_reads,
    leads,
    openapi,
    policies,
    pools,
    problems,
    reports,
)
from api.auth import Doorkeeper
from api.company_json import SCHEMAS
from api.limits import BodyLimit
from api.service import Service
from commands.directory import WIRING as COMPANY_WIRING
from commands.directory import DirectoryCommands, Leavers
from commands.hand_over import HandOverPerson, HandOvers
from commands.lead.intake import CaptureLeads, Submission
from commands.leads import WIRING, LeadCommands
from commands.loop import CommandLoop
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
    clock = company.clock()
    simulated_now = clock.now if company.clock_kind == "simulated" else None
    log = PostgresEventLog(dsn, simulated_now=simulated_now)
    reads = PostgresReads(dsn, company.zone, patience=settings.position_wait_seconds)
    files = AttachmentStore(dsn)
    tokens = TokenStore(dsn)
    channels = ChannelStore(dsn, company.ledger_key)
    registry = PostgresRegistry(dsn)
    workloads = PostgresWorkloads(dsn)
    loop = CommandLoop(log, Lead, evolve)
    hand_overs = HandOvers(loop, registry, workloads, clock, company.zone)
    leavers = Leavers(workloads.open_leads, workloads.in_pools, tokens.revoke, hand_overs)
    service = Service(
        zone=company.zone,
        doorkeeper=Doorkeeper(tokens, registry, rate=settings.requests_per_second),
        commands=LeadCommands(
            loop, log, registry, clock, company.zone, company.ledger_key, workloads
        ),
        hand_overs=hand_overs,
        directory=DirectoryCommands(log, registry, clock, company.ledger_key, leavers),
        registry=registry,
        reads=reads,
        files=files,
        clock=clock,
        page_limit=settings.page_limit,
        attachment_limit=settings.max_attachment_bytes,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reads.open()
        yield
        await log.close()
        await files.close()
        await tokens.close()
        await channels.close()
        await registry.close()
        await workloads.close()
        await reads.close()

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
    app.router.routes.extend(leads.routes(service))  # ahead of all others: the busiest
    app.router.routes.extend((batch.route(service), intake.Intake(service, channels)))
    app.router.routes.extend((*directory.routes(service), *policies.routes(service)))
    app.router.routes.append(hand_over.route(service))
    for router in (
        lead_reads.router,
        duplicates.router,
        intervals.router,
        attachment_reads.router,
        attachments.router,
        reports.router,
        directory.router,
        policies.router,
        pools.router,
        health.router,
    ):
        app.include_router(router(service))
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        others={re.compile(attachments.PATH): settings.max_attachment_bytes},
    )
    problems.install(app)
    openapi.document(
        app,
        {
            **openapi.schemas((*WIRING, *COMPANY_WIRING, HandOverPerson, CaptureLeads, Submission)),
            **SCHEMAS,
            "Captures": batch.RESULTS,
            "Receipt": intake.RECEIPT,
            "HandedOver": hand_over.NUMBER,
        },
    )
    return app
