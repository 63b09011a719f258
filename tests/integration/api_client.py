"""A client that talks to the real application, and the few words that the API tests use."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any
from uuid import uuid4

import anyio
import psycopg
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from adapters.clock import SimulatedClock
from adapters.company import open_company
from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.register import PostgresRegistry
from adapters.postgres.runner import catch_up
from adapters.settings import Settings
from adapters.tokens import issue
from api.app import create_app
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead_loop import LeadLoop
from commands.leads import LeadCommands

FEED = "/v1/events"
"""It has no end, and this client waits for it: it is asked for what is there."""
PHONE, EMAIL = "13912345678", "zhang.wei@example.cn"
CUSTOMER = {
    "customer": "A科技有限公司",
    "contact": "李经理",
    "phone": PHONE,
    "email": EMAIL,
    "source": "官网注册",
    "industry": "信息技术",
    "region": "华东",
    "need": f"需采购办公自动化系统,请打 {PHONE} 或写 {EMAIL}",
}
CONTACT = {
    "method": "电话沟通",
    "content": "客户对产品A功能感兴趣,要求提供案例",
    "feedback": f"需要下周前提供报价单,回电 {PHONE}",
    "next_step": "发送方案",
    "next_step_due": "2024-05-10",
}


class Api:
    """The application with a token per role; requests are the administrator's by default."""

    def __init__(self, app: FastAPI, client: AsyncClient, dsn: str) -> None:
        self.app = app
        self.dsn = dsn
        self._client = client
        self._tokens: dict[str, str] = {}

    def token(self, role: str) -> str:
        """A token of a person with this role."""
        if role not in self._tokens:
            with psycopg.connect(self.dsn, autocommit=True) as conn:
                token = issue(conn, f"{role}-person", role, str(uuid4()))
            assert token
            self._tokens[role] = token
        return self._tokens[role]

    async def call(
        self, method: str, path: str, *, role: str | None = "admin", **options: Any
    ) -> Response:
        """A request; `role` None sends no token."""
        headers = dict(options.pop("headers", {}))
        if path == FEED:
            path += "?after=0&follow=false"
        elif path.startswith(f"{FEED}?") and "follow=" not in path:
            path += "&follow=false" if "after=" in path else "&follow=false&after=0"
        if role:
            headers.setdefault("Authorization", f"Bearer {self.token(role)}")
        return await self._client.request(method, path, headers=headers, **options)

    async def get(self, path: str, **options: Any) -> Response:
        """A read."""
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Mapping[str, Any], **options: Any) -> Response:
        """A command."""
        return await self.call("POST", path, json=body, **options)

    async def lead(self, **details: Any) -> dict[str, Any]:
        """A lead, captured just now."""
        answer = await self.post("/v1/leads", CUSTOMER | details)
        assert answer.status_code == 201, answer.text
        body: dict[str, Any] = answer.json()
        return body

    async def project(self) -> None:
        """Do what the worker does: bring the read models to the end of the log."""
        await anyio.to_thread.run_sync(catch_up, self.dsn)


@asynccontextmanager
async def running(dsn: str, **settings: Any) -> AsyncIterator[Api]:
    """The application from start to shutdown."""
    app = create_app(Settings(position_wait_seconds=0.5, **settings), dsn)
    transport = ASGITransport(app, raise_app_exceptions=False)
    async with (
        app.router.lifespan_context(app),
        AsyncClient(transport=transport, base_url="http://api") as client,
    ):
        yield Api(app, client, dsn)


async def begin_simulation(dsn: str, at: datetime) -> str:
    """Capture a first lead at a simulated instant, where the service's clock goes on; its code."""
    company = open_company(dsn, Settings(), clock="simulated")
    clock = SimulatedClock(at)
    log, registry = PostgresEventLog(dsn, simulated_now=clock.now), PostgresRegistry(dsn)
    commands = LeadCommands(
        LeadLoop(log, registry, clock, company.zone),
        log,
        registry,
        clock,
        company.zone,
        company.ledger_key,
    )
    command = CaptureLead(customer="B制造有限公司")
    reply = await commands.execute(command, lead=None, caller=Caller("process:test"))
    await log.close()
    await registry.close()
    assert reply.state.code
    return reply.state.code


def problem(answer: Response, status: int, code: str) -> dict[str, Any]:
    """The problem that an answer is, which must be of this status and type."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"/problems/{code}", status), body
    assert body["title"] and body["detail"]
    return body
