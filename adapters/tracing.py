"""Traces by OpenTelemetry, where a collector is named; else nothing of it is even imported.

The trace of whatever a command causes is its correlation id, or its own id: so what another process
does about its events later is in the same trace, and nothing has to be stored for it. Spans have
names of routes, read models and actors' kinds, nothing that somebody typed.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Tracer

NOTHING: AbstractContextManager[Any] = nullcontext()
_LOW = 2**64 - 1
_tracers: "list[Tracer]" = []


@contextmanager
def exporting(url: str | None, service: str) -> Iterator[None]:
    """While it is open, send spans to `url` (OTLP over http) in the name of `service`."""
    if url is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - as above
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    provider = TracerProvider(resource=Resource({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=url)))
    _tracers.append(provider.get_tracer("leadlog"))
    try:
        yield
    finally:
        _tracers.pop()
        provider.shutdown()


def is_on() -> bool:
    """Whether spans go anywhere."""
    return bool(_tracers)


def span(
    name: str, trace: UUID | None = None, traceparent: str | None = None, **attributes: Any
) -> AbstractContextManager[Any]:
    """A span while its block runs: in that trace, or a child of the one that is under way."""
    if not _tracers:
        return NOTHING
    context = _within(trace, traceparent) if trace else None
    return _tracers[-1].start_as_current_span(name, context, attributes=attributes)


def note(trace: UUID, name: str, begun: int, ended: int, **attributes: Any) -> None:
    """A span in a trace, from one instant to another in nanoseconds since 1970."""
    if _tracers:
        noted = _tracers[-1].start_span(
            name, _within(trace), attributes=attributes, start_time=begun
        )
        noted.end(ended)


def is_under_way() -> bool:
    """Whether there is a span that the next one would be a child of."""
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    return get_current_span().get_span_context().is_valid


def _within(trace: UUID, traceparent: str | None = None) -> "Context":
    """The inside of a trace: below the caller's span, or one that stands for the whole trace."""
    from opentelemetry import trace as api  # noqa: PLC0415
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace.propagation import tracecontext  # noqa: PLC0415

    if traceparent:
        carrier = {"traceparent": traceparent}
        found = tracecontext.TraceContextTextMapPropagator().extract(carrier, Context())
        if api.get_current_span(found).get_span_context().trace_id == trace.int:
            return found
    sampled = api.TraceFlags(api.TraceFlags.SAMPLED)
    whole = api.SpanContext(trace.int, trace.int & _LOW or 1, is_remote=True, trace_flags=sampled)
    return api.set_span_in_context(api.NonRecordingSpan(whole), Context())
