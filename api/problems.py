"""Every error as an RFC 9457 problem: a stable `type`, a sentence, pointers to the fields at fault.

Nothing of the inside is told: an unexpected error is logged and answered with a bare 500.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from aggregates.lead.reveal import TooManyReveals
from aggregates.privacy import without_contacts
from aggregates.refusal import Refusal
from aggregates.review.review import UnknownReview
from commands.leads import UnknownLead
from commands.loop import CommandReused, Contended, VersionMismatch
from commands.policy_documents import InvalidPolicy
from commands.ports import Unavailable
from commands.validation import NOT_JSON, sentence

logger = logging.getLogger("leadlog.api")

MEDIA_TYPE = "application/problem+json"
TYPES = "/problems/"
RETRY_SECONDS = 1

_NO_SUCH = ("person", "team", "list", "entry", "policy")
_STATUS = {
    **{f"no-such-{what}": 404 for what in _NO_SUCH},
    "unknown-report": 404,
    "shared-for-reading": 403,
    "attachment-too-large": 413,
    "attachment-type": 415,
}
_OF_A_PARAMETER = {"invalid-parameter", "attachment-name", "unknown-follow-up"}
_IN_THE_URL = ("query", "path", "header", "cookie")
_RESERVED = {
    404: "nothing has this path: /openapi.json describes those there are",
    405: "this path is not for this method: Allow and /openapi.json name those it is for",
}


class Problem(Exception):  # noqa: N818 - it is an answer
    """An answer that is an error. `errors` name the places at fault (RFC 9457, section 3)."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        errors: Iterable[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """The problem as JSON. What it quotes of a request may be a contact detail (A4)."""
        problem: dict[str, Any] = {
            "type": TYPES + self.code,
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": without_contacts(self.detail),
        }
        if self.errors:
            problem["errors"] = [
                {name: without_contacts(text) for name, text in error.items()}
                for error in self.errors
            ]
        return msgspec.json.encode(problem)


def not_found(what: str = "there is nothing here") -> Problem:
    """Also for what the caller may not see."""
    return Problem(404, "not-found", what)


def bad_parameter(name: str, detail: str) -> Problem:
    """A query parameter or header that cannot be read."""
    errors = [{"parameter": name, "detail": detail}]
    return Problem(400, "invalid-parameter", f"{name} {detail}", errors=errors)


def unavailable(detail: str) -> Problem:
    """Not now; the same request may succeed later."""
    return Problem(503, "unavailable", detail, headers={"Retry-After": str(RETRY_SECONDS)})


def invalid(error: ValidationError | RequestValidationError, place: str = "#") -> Problem:
    """What validation found. Malformed JSON is 400, a wrong value 422."""
    found = error.errors()
    if broken := [item for item in found if item["type"] == NOT_JSON]:
        return Problem(400, "malformed-json", sentence(broken[0]))
    errors = [_error(item, place) for item in found]
    return Problem(
        422, "invalid-request", "the request has values that are not allowed", errors=errors
    )


def _error(item: Mapping[str, Any], place: str) -> dict[str, str]:
    detail = sentence(item)
    where, *path = item["loc"] or ("",)
    if where in _IN_THE_URL:
        unknown = item["type"] == "extra_forbidden"
        detail = "there is no such parameter" if unknown else detail
        return {"parameter": ".".join(map(str, path)), "detail": detail}
    return {"pointer": _pointer(place, item["loc"]), "detail": detail}


def _pointer(place: str, path: Iterable[str | int]) -> str:
    """A JSON pointer as a URI fragment (RFC 6901, section 6)."""
    names = (without_contacts(str(p)) for p in path)  # ~1 before a number would hide it
    return "/".join((place, *(n.replace("~", "~0").replace("/", "~1") for n in names)))


def _refused(refusal: Refusal) -> Problem:
    place = {"parameter": refusal.field or ""}
    if refusal.code not in _OF_A_PARAMETER:
        place = {"pointer": f"#/{refusal.field}"}
    if refusal.suggestion:
        place["suggestion"] = refusal.suggestion
    errors = [{**place, "detail": refusal.message}] if refusal.field else ()
    return Problem(_STATUS.get(refusal.code, 422), refusal.code, refusal.message, errors=errors)


def _invalid_policy(refusal: InvalidPolicy) -> Problem:
    """Every field at fault, within the command's document."""
    errors = [
        {"pointer": _pointer("#/document", path), "detail": what} for path, what in refusal.problems
    ]
    return Problem(422, refusal.code, refusal.message, errors=errors)


def _reserved(error: HTTPException) -> Problem:
    """What the framework itself answers: no such route, no such method."""
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "-")
    detail = _RESERVED.get(error.status_code, str(error.detail))
    return Problem(error.status_code, code, detail, headers=error.headers)


_ANSWERS: Mapping[type[Exception], Callable[[Any], Problem]] = {
    Problem: lambda problem: problem,
    ValidationError: invalid,
    RequestValidationError: invalid,
    HTTPException: _reserved,
    UnknownLead: lambda refusal: not_found(refusal.message),
    UnknownReview: lambda refusal: not_found(refusal.message),
    InvalidPolicy: _invalid_policy,
    TooManyReveals: lambda refusal: Problem(
        429,
        refusal.code,
        refusal.message,
        headers={"Retry-After": str(refusal.retry_seconds)},
    ),
    Refusal: _refused,
    VersionMismatch: lambda error: Problem(412, "version-mismatch", str(error)),
    CommandReused: lambda error: Problem(422, "idempotency-key-reused", str(error)),
    Contended: lambda error: Problem(
        409, "contended", str(error), headers={"Retry-After": str(RETRY_SECONDS)}
    ),
    Unavailable: lambda error: unavailable(str(error)),
}


def problem_of(error: Exception) -> Problem | None:
    """The problem that an exception is answered with; None for a defect."""
    answers = (_ANSWERS[kind] for kind in type(error).__mro__ if kind in _ANSWERS)
    return next((answer(error) for answer in answers), None)


def install(app: FastAPI) -> None:
    """Answer every exception of an application with its problem."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, _handler(answer))
    app.add_exception_handler(Exception, _unexpected)


def _handler(answer: Callable[[Any], Problem]) -> Callable[[Request, Any], Awaitable[Response]]:
    async def handle(_: Request, error: Exception) -> Response:
        return response(answer(error))

    return handle


async def _unexpected(request: Request, error: Exception) -> Response:
    # Its pattern: a path may hold the key of a channel.
    path = getattr(request.scope.get("route"), "path_format", "(no route)")
    logger.error("%s %s failed", request.method, path, exc_info=error)
    return response(Problem(500, "internal-error", "something went wrong here; it is logged"))


def response(problem: Problem) -> Response:
    """The problem as a response."""
    return Response(problem.body(), problem.status, headers=problem.headers, media_type=MEDIA_TYPE)
