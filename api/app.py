"""The composition root of the HTTP service: everything is made and joined here."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from importlib.metadata import version
from uuid import UUID

from fastapi import FastAPI
from starlette.convertors import Convertor, register_url_convertor
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from adapters import tracing
from adapters.channels import ChannelStore
from adapters.company import Company, open_company
from adapters.erasure_list import note_erasure
from adapters.event_feed import PostgresFeed
from adapters.health import ServiceHealth
from adapters.holiday_calendar import PublicHolidays
from adapters.measures import LOOP_LAG, REQUEST_SECONDS, REQUESTS
from adapters.message_texts import MessageTexts
from adapters.oidc import OidcIssuer
from adapters.postgres.attachments import AttachmentStore
from adapters.postgres.builds import ensure_live
from adapters.postgres.codec import EVENT_TYPES
from adapters.postgres.proof_reads import PostgresProofs
from adapters.postgres.reads import PostgresReads
from adapters.postgres.tables import connect
from adapters.sessions import SessionStore
from adapters.settings import Settings, StartupError
from adapters.tokens import TokenStore
from adapters.webhook_commands import webhooks_by
from adapters.write_side import open_write_side
from api import (
    attachment_reads,
    attachments,
    batch,
    calendars,
    clean_up,
    directory,
    duplicates,
    feed,
    hand_over,
    health,
    intake,
    intervals,
    lead_reads,
    leads,
    metrics,
    notifications,
    openapi,
    people_tokens,
    policies,
    pools,
    privacy,
    problems,
    proofs,
    replay,
    reports,
    review_json,
    reviews,
    session,
    sla,
    tasks,
    webhooks,
)
from api.auth import Credentials, Doorkeeper
from api.company_json import SCHEMAS
from api.federated import Federated
from api.feed_limits import FeedLimits
from api.headers import SafeAnswers
from api.limits import BodyLimit
from api.service import Service
from api.telemetry import Observed, watch_loop
from api.throttle import FailedLogins
from commands.access import CreateToken, RevokeTokens
from commands.directory import WIRING as COMPANY_WIRING
from commands.directory import DirectoryCommands, Leavers
from commands.fields import Command
from commands.hand_over import HandOverPerson, HandOvers
from commands.lead.intake import CaptureLeads, Submission
from commands.leads import WIRING
from commands.notifications import NotificationCommands
from commands.readings import ReadingRecords
from commands.register import Registry
from commands.reviews import CloseReview, ReviewCommands
from commands.webhooks import COMMANDS as WEBHOOK_COMMANDS
from projections.catalogue import PROJECTIONS

logger = logging.getLogger("leadlog.api")


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
        opened.callback(asyncio.create_task(watch_loop(LOOP_LAG.observe)).cancel)
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
    app.state.health = service.health
    app.state.feed = service.feed
    _mount(app, service, channels, settings)
    app.add_middleware(
        BodyLimit,
        limit=settings.max_body_bytes,
        others={re.compile(attachments.PATH): settings.max_attachment_bytes},
    )
    _guard(app, settings)
    problems.install(app)
    return app


def _service(
    settings: Settings, dsn: str, company: Company, reads: PostgresReads, opened: AsyncExitStack
) -> Service:
    """Everything that a route needs; `opened` closes it."""
    own = open_write_side(dsn, company, opened)
    log, registry, workloads, clock = own.log, own.registry, own.workloads, own.clock
    files, holidays = AttachmentStore(dsn), PublicHolidays()
    proof_reads = PostgresProofs(dsn, patience=settings.position_wait_seconds)
    tokens, sessions = TokenStore(dsn), _sessions(settings, dsn)
    telling, following = ServiceHealth(settings, dsn), PostgresFeed(dsn)
    for part in (files, following, proof_reads, sessions, telling, tokens):
        opened.push_async_callback(part.close)

    async def end_access(person: str) -> None:
        await tokens.end(person)
        sessions.forget(person)

    hand_overs = HandOvers(own.leads, registry, workloads, clock, company.zone)
    leavers = Leavers(workloads.open_leads, workloads.in_pools, end_access, hand_overs)
    return Service(
        zone=company.zone,
        doorkeeper=_doorkeeper(
            settings, tokens, sessions, _issuer(settings, registry, opened), registry
        ),
        tokens=tokens,
        sessions=sessions,
        commands=own.commands,
        readings=ReadingRecords(log, clock, company.zone),
        note_erasure=lambda lead: asyncio.to_thread(_note_erasure, dsn, settings, lead),
        hand_overs=hand_overs,
        reviews=ReviewCommands(log, clock, company.ledger_key),
        directory=DirectoryCommands(log, registry, clock, company.ledger_key, leavers, holidays),
        holidays=holidays,
        notifications=NotificationCommands(log, clock),
        texts=MessageTexts(company.zone),
        registry=registry,
        reads=reads,
        proofs=proof_reads,
        files=files,
        feed=following,
        feed_limits=_feed_limits(settings),
        topics=EVENT_TYPES,
        webhooks=webhooks_by(dsn, settings, company, own, opened),
        health=telling,
        clock=clock,
        page_limit=settings.page_limit,
        attachment_limit=settings.max_attachment_bytes,
    )


def _doorkeeper(
    settings: Settings,
    tokens: TokenStore,
    sessions: SessionStore,
    issuer: Credentials | None,
    registry: Registry,
) -> Doorkeeper:
    """Whoever lets requests in."""
    failed = FailedLogins(
        each=settings.login_failures,
        total=settings.login_failures_total,
        window=settings.login_window_seconds,
    )
    return Doorkeeper(
        tokens,
        sessions,
        issuer,
        registry,
        failed,
        cookie=_cookie(settings),
        rate=settings.requests_per_second,
    )


def _feed_limits(settings: Settings) -> FeedLimits:
    return FeedLimits(
        total=settings.feed_connections,
        each=settings.feed_connections_per_person,
        heartbeat=settings.feed_heartbeat_seconds,
    )


def _sessions(settings: Settings, dsn: str) -> SessionStore:
    seconds, idle = settings.session_hours * 3600, settings.session_idle_minutes * 60
    return SessionStore(dsn, seconds=seconds, idle_seconds=idle)


def _issuer(settings: Settings, registry: Registry, opened: AsyncExitStack) -> Credentials | None:
    """Whoever else may say who people are, if the settings name somebody."""
    if not settings.oidc_issuer:
        return None
    issuer = OidcIssuer(settings)
    opened.push_async_callback(issuer.close)
    return Federated(issuer, registry)


def _note_erasure(dsn: str, settings: Settings, lead: UUID) -> None:
    """What could not be noted is noted at the next start: the erasure itself is recorded."""
    try:
        note_erasure(dsn, settings, lead)
    except StartupError:
        logger.exception("an erasure is not in the list of erasures yet")


def _cookie(settings: Settings) -> str:
    return session.SECURE_COOKIE if settings.cookie_secure else session.PLAIN_COOKIE


def _guard(app: FastAPI, settings: Settings) -> None:
    """What surrounds every request; the outermost layer also answers for defects of all others."""
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "POST", "DELETE"),
            allow_headers=(
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "If-Match",
                "Last-Event-ID",
                "Traceparent",
                "X-Correlation-ID",
            ),
            expose_headers=(
                "ETag",
                "Leadlog-Position",
                "Location",
                "Retry-After",
                "X-Correlation-ID",
            ),
            max_age=600,
        )
    inner = app.build_middleware_stack
    uploads = {re.compile(attachments.PATH): settings.upload_seconds}

    def stack() -> ASGIApp:
        safe = SafeAnswers(inner(), settings.request_seconds, uploads)
        trace = partial(tracing.span, "request") if settings.otlp else None
        return Observed(safe, _note_request, lambda: app.state.health.draining, trace)

    app.build_middleware_stack = stack  # type: ignore[method-assign]


def _note_request(method: str, route: str, status: int, seconds: float) -> None:
    REQUESTS.add(method, route, str(status))
    REQUEST_SECONDS.observe(seconds, method, route)


def _mount(app: FastAPI, service: Service, channels: ChannelStore, settings: Settings) -> None:
    """Every route, and what OpenAPI says of their bodies."""
    app.router.routes.extend(leads.routes(service))  # ahead of all others: the busiest
    app.router.routes.extend((batch.route(service), intake.Intake(service, channels)))
    app.router.routes.extend((*directory.routes(service), *policies.routes(service)))
    app.router.routes.append(hand_over.route(service))
    app.router.routes.extend(people_tokens.routes(service, settings.token_days))
    app.include_router(session.router(service, _cookie(settings)))
    app.router.routes.extend((*reviews.routes(service), *clean_up.routes(service)))
    app.router.routes.extend((*notifications.routes(service), *privacy.routes(service)))
    app.router.routes.extend(webhooks.routes(service))
    app.include_router(metrics.router(service, is_open=settings.metrics_open))
    for router in (
        lead_reads.router,
        duplicates.router,
        intervals.router,
        replay.router,
        attachment_reads.router,
        attachments.router,
        reports.router,
        people_tokens.router,  # ahead of the names of people, which may have slashes
        directory.router,
        policies.router,
        calendars.router,
        pools.router,
        tasks.router,
        sla.router,
        notifications.router,
        reviews.router,
        clean_up.router,
        privacy.router,
        proofs.router,
        feed.router,
        webhooks.router,
        health.router,
    ):
        app.router.routes.extend(router(service).routes)
    commands: Sequence[type[Command]] = (
        *WIRING, *COMPANY_WIRING, HandOverPerson, CaptureLeads, Submission, CloseReview,
        *notifications.COMMANDS, CreateToken, RevokeTokens, *WEBHOOK_COMMANDS,
    )  # fmt: skip
    answers = {
        "Captures": batch.RESULTS,
        "Receipt": intake.RECEIPT,
        "HandedOver": hand_over.NUMBER,
        "Changed": notifications.DONE,
        "Session": session.SESSION,
        "Revealed": privacy.REVEALED,
        **people_tokens.SCHEMAS,
        **webhooks.SCHEMAS,
    }
    openapi.document(
        app, lambda: {**openapi.schemas(commands), **SCHEMAS, **review_json.SCHEMAS, **answers}
    )
