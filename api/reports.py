"""Reports over HTTP, and the leads and events behind each of their cells."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from api.openapi import problems
from api.problems import bad_parameter
from api.reading import allowed, answer, at_most, decode_cursor, encode_cursor, read_instant
from api.scoping import counted_for
from api.service import Service
from commands.caller import Principal
from projections.reports.params import PARAMETERS

INSTANTS = ("as_of", "as_known")


def router(service: Service) -> APIRouter:
    """The reports."""
    routes = APIRouter(
        prefix="/v1/reports",
        tags=["reports"],
        responses=problems(404),
        default_response_class=Response,
    )

    reader = Depends(allowed(service, "report.read"))

    @routes.get("/{name}", openapi_extra=documented())
    async def read_report(
        name: str, request: Request, principal: Annotated[Principal, reader]
    ) -> Response:
        """A report by the dimensions and for the facts asked for."""
        given = await asked(request)
        body = await service.reads.report(name, given, await counted_for(service, principal))
        return answer(body, body["position"])

    @routes.get("/{name}/rows/{bucket:path}/evidence", openapi_extra=documented("cursor", "limit"))
    async def read_evidence(
        name: str, bucket: str, request: Request, principal: Annotated[Principal, reader]
    ) -> Response:
        """The leads and log positions behind one row of a report."""
        given = await asked(request)
        cursor = given.pop("cursor", None)
        limit = at_most(_whole("limit", given.pop("limit", "50")), service)
        after = decode_cursor(cursor, int) if cursor else 0
        scope = await counted_for(service, principal)
        position, rows, last = await service.reads.evidence(
            name, bucket, given, scope, after, limit
        )
        body = {"report": name, "bucket": bucket, "position": position, "rows": rows}
        return answer({**body, "next": last and encode_cursor(last)}, position)

    async def asked(request: Request) -> dict[str, Any]:
        """The report's parameters; waits for `min_position` first."""
        given = read_parameters(request.query_params)
        if (position := given.pop("min_position", None)) is not None:
            await service.reads.await_position(_whole("min_position", position))
        return given

    return routes


def read_parameters(query: Mapping[str, str]) -> dict[str, Any]:
    """The query's parameters, instants and positions among them read."""
    given: dict[str, Any] = dict(query)
    for name in INSTANTS:
        if name in given:
            given[name] = _instant(name, given[name])
    if "at_position" in given:
        given["at_position"] = _whole("at_position", given["at_position"])
    return given


def _instant(name: str, text: str) -> datetime:
    try:
        return read_instant(text)
    except ValueError as error:
        raise bad_parameter(name, f"cannot be read: {error}") from None


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 18):
        raise bad_parameter(name, "is a whole number >= 0")
    return int(text)


def documented(*more: str, without: Collection[str] = ()) -> dict[str, Any]:
    """What OpenAPI says of a report's parameters, `more` among them."""
    names = [name for name in (*PARAMETERS, "min_position", *more) if name not in without]
    return {"parameters": [{"name": n, "in": "query", "schema": {"type": "string"}} for n in names]}
