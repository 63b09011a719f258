"""`GET /metrics`: what Prometheus collects (docs/reference/metrics.md)."""

from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from api.access import require
from api.service import Service

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def router(service: Service, *, is_open: bool) -> APIRouter:
    """With a token of somebody who may read metrics, or `is_open` to all."""
    routes = APIRouter(tags=["operations"])
    extra: dict[str, Any] | None = {"security": []} if is_open else None
    answer = {"description": "Metrics", "content": {"text/plain": {"schema": {"type": "string"}}}}

    @routes.get("/metrics", openapi_extra=extra, responses={200: answer}, response_class=Response)
    async def metrics(request: Request) -> Response:
        """What this process has counted and how the database is, for Prometheus."""
        if not is_open:
            headers = dict(request.scope["headers"])
            require(await service.doorkeeper.admit(request.scope, headers), "metrics.read")
        return Response(await service.health.metrics(), media_type=MEDIA_TYPE)

    return routes
