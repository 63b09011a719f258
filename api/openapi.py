"""What OpenAPI says where FastAPI cannot see it: bodies and headers of commands, errors, tokens."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.lead_schema import LEAD
from commands.fields import Command

BEARER = {
    "type": "http",
    "scheme": "bearer",
    "description": "`leadlog tokens create --user U --name N` prints a token once.",
}
PROBLEM: Mapping[str, Any] = {
    "type": "object",
    "description": "RFC 9457: `type` is stable, `errors` point at the places at fault.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string", "examples": ["/problems/invalid-request"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["detail"],
                "properties": {
                    "pointer": {"type": "string", "examples": ["#/customer"]},
                    "parameter": {"type": "string"},
                    "detail": {"type": "string"},
                    "suggestion": {"type": "string", "description": "What would do instead."},
                },
            },
        },
    },
}
_PROBLEM_CONTENT = {
    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
}
_ERRORS = {
    400: "Malformed request",
    401: "No valid token",
    403: "The caller's role does not allow it",
    404: "No such thing, or none that the caller may see",
    409: "Others kept changing the lead: try again",
    412: "The lead has another version than If-Match says",
    413: "The body is too large",
    415: "Not a type of file that the policy accepts",
    422: "Refused, with the reason",
    429: "Too many requests",
    503: "Not now: try again after Retry-After seconds",
}
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    "description": "The same key again has no second effect and gets the same answer.",
}
IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": {"type": "string", "pattern": '^"[0-9]+"$'},
    "description": "Only if the lead has this version (its ETag).",
}
REF = {
    "name": "ref",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The lead's UUID or code.",
    "example": "XLSH20240501001",
}
NAME = {
    "name": "ref",
    "in": "path",
    "required": True,
    "schema": {"type": "string"},
    "description": "The name of what the command is about.",
}
FILE: dict[str, Any] = {
    "parameters": [KEY, IF_MATCH],
    "requestBody": {
        "required": True,
        "description": "The file itself. What it is is found in its content.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    },
}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors that a route may answer beside those that every route may."""
    return {
        status: {"description": _ERRORS[status], "content": _PROBLEM_CONTENT}
        for status in sorted({400, 401, 403, 422, 429, 503, *statuses})
    }


def shape(name: str, status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The answer that is a thing of this schema, with its version where it has one."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}
    headers = {name: {"schema": {"type": "string"}} for name in ("ETag", "Leadlog-Position")}
    return {status: {"description": f"The {name}", "content": content, "headers": headers}}


def lead(status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The answer that is a lead."""
    return shape("Lead", status)


def command(model: type[Command], status: int, *, on_lead: bool) -> dict[str, Any]:
    """The documentation of a command's route."""
    return command_on("Lead", model, status, ref=REF if on_lead else None)


def command_on(
    answer: str,
    model: type[Command],
    status: int,
    *,
    ref: Mapping[str, Any] | None,
    operation: str | None = None,
    conditional: bool = True,
) -> dict[str, Any]:
    """The documentation of a command's route that answers with `answer`.

    `ref` describes what the path names; `operation` is the model's name, but where several routes
    take the same command; one that is not `conditional` knows neither keys nor versions.
    """
    conditions = [KEY, IF_MATCH] if ref else [KEY]
    return {
        "summary": (model.__doc__ or "").strip(),
        "operation_id": operation or model.__name__,
        "status_code": status,
        "responses": {**shape(answer, status), **problems(409, 413, *([404, 412] if ref else []))},
        "openapi_extra": {
            "parameters": [*([ref] if ref else []), *(conditions if conditional else [])],
            "requestBody": {
                "required": True,
                "content": {
                    "application/json": {
                        "schema": {"$ref": f"#/components/schemas/{model.__name__}"}
                    }
                },
            },
        },
    }


def schemas(models: Iterable[type[Command]]) -> dict[str, Any]:
    """The schemas of commands by name, each of those that they refer to beside them."""
    found: dict[str, Any] = {}
    for model in models:
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        found |= schema.pop("$defs", {})
        found[model.__name__] = schema
    return found


def document(app: FastAPI, models: Callable[[], Mapping[str, Any]]) -> None:
    """Have `app` describe itself, with these schemas, made when somebody asks, beside its own."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            schema = get_openapi(
                title="leadlog", version=app.version, summary=app.summary, routes=app.routes
            )
            components = schema.setdefault("components", {})
            components.setdefault("schemas", {}).update(
                {**models(), "Lead": LEAD, "Problem": PROBLEM}
            )
            components["securitySchemes"] = {"bearer": BEARER}
            schema["security"] = [{"bearer": []}]
            app.openapi_schema = schema
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]
