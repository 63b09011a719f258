"""Traces as a collector gets them: one holds a request and all that came of it, in any process."""

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from uuid import UUID, uuid4

import anyio
import psycopg
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from adapters import tracing
from tests.integration.api_client import CUSTOMER, PHONE, Api, running
from tests.integration.assigning import Company, working

pytestmark = pytest.mark.anyio


class Collector:
    """An OTLP receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self.bodies = b""
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                collector.take(body)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def take(self, body: bytes) -> None:
        self.bodies += body
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                self.spans += scope.spans

    def of(self, trace: UUID) -> dict[str, Span]:
        """The spans of a trace by name."""
        return {span.name: span for span in self.spans if span.trace_id == trace.bytes}

    @contextmanager
    def listening(self) -> Iterator[None]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            self._server.shutdown()
            self._server.server_close()
            thread.join()


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "none")
    collector = Collector()
    with collector.listening():
        yield collector


async def _assigned(api: Api, lead: str) -> None:
    end = time.monotonic() + 60
    while not (await api.get(f"/v1/leads/{lead}")).json()["owner"]:
        assert time.monotonic() < end
        await anyio.sleep(0.05)


async def test_one_trace_holds_a_request_and_all_that_came_of_it(
    dsn: str, collector: Collector
) -> None:
    """The request, its append, the read models' batches, and what the process did about it."""
    company = Company(dsn)
    await company.people("王芳", team="华东")
    with tracing.exporting(collector.url, "leadlog-test"):
        async with running(dsn, otlp=collector.url) as api:
            with working(dsn):
                given = uuid4()
                named = {"X-Correlation-ID": str(given)}
                lead = (await api.post("/v1/leads", CUSTOMER, headers=named)).json()
                await _assigned(api, lead["id"])
                await anyio.to_thread.run_sync(_followed, dsn)
    await company.close()
    found = collector.of(given)
    request = found["POST /v1/leads"]
    assert {"append", "fold leads", "fold workload"} <= found.keys()
    appends = [s for s in collector.spans if s.name == "append" and s.trace_id == given.bytes]
    assert appends[0].parent_span_id == request.span_id
    by = [attribute.value.string_value for s in appends for attribute in s.attributes]
    assert by == ["user", "process"], "the process answers the capture in its trace"
    assert found["fold leads"].start_time_unix_nano >= appends[0].start_time_unix_nano
    said = collector.bodies
    for personal in (PHONE, CUSTOMER["customer"], lead["id"], lead["code"], "王芳"):
        assert personal.encode() not in said


def _followed(dsn: str) -> None:
    """Until the read models have passed all there is."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        while conn.execute(
            "SELECT (SELECT max(notification_id) FROM log.leadlog_events)"
            " > (SELECT min(position) FROM projection.builds WHERE state = 'live')"
        ).fetchone() != (False,):
            time.sleep(0.02)


async def test_a_callers_span_is_the_parent_and_without_one_the_trace_is_recorded(
    dsn: str, collector: Collector
) -> None:
    trace, parent = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
    with tracing.exporting(collector.url, "leadlog-test"):
        async with running(dsn, otlp=collector.url) as api:
            headers = {"traceparent": f"00-{trace}-{parent}-01"}
            await api.post("/v1/leads", CUSTOMER, headers=headers)
            answer = await api.post("/v1/leads", CUSTOMER)
    assert collector.of(UUID(trace))["POST /v1/leads"].parent_span_id == bytes.fromhex(parent)
    made = UUID(answer.headers["x-correlation-id"])
    assert {"POST /v1/leads", "append"} <= collector.of(made).keys()


async def test_without_a_collector_there_is_nothing(dsn: str) -> None:
    async with running(dsn) as api:
        answer = await api.post("/v1/leads", CUSTOMER)
    assert not tracing.is_on()
    assert "x-correlation-id" not in answer.headers
    assert re.fullmatch(r"XLSH\d+", answer.json()["code"])
