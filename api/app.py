"""The composition root of the HTTP service: everything is made and joined here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from starlette.convertors import Convertor, register_url_convertor

from adapters.company import open_company
from adapters.postgres.builds import ensure_live
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.reads import PostgresReads
from adapters.postgres.tables import connect
from adapters.settings import Settings
from adapters.tokens import TokenStore
from aggregates.lead.state import Lead, evolve
from api import health, lead_reads, leads, openapi, problems, reports
from api.auth import Doorkeeper
from api.limits import BodyLimit
from api.service import Service
from commands.leads import DECISIONS, LeadCommands
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
    tokens = TokenStore(dsn)
    loop = CommandLoop(log, Lead, evolve)
    service = Service(
        zone=company.zone,
        doorkeeper=Doorkeeper(tokens, rate=settings.requests_per_second),
        commands=LeadCommands(loop, log, clock, company.zone, company.ledger_key),
        reads=reads,
        page_limit=settings.page_limit,
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        reads.open()
        yield
        await log.close()
        await tokens.close()
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
    for router in (lead_reads.router, reports.router, health.router):
        app.include_router(router(service))
    app.add_middleware(BodyLimit, limit=settings.max_body_bytes)
    problems.install(app)
    openapi.document(app, {model.__name__: model.model_json_schema() for model in DECISIONS})
    return app
