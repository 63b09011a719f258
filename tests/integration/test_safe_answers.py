"""Every answer has the security headers, and begins in time; how the layer around all does it."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from api import headers
from api.headers import SafeAnswers
from tests.integration.api_client import CUSTOMER, Api, problem

pytestmark = pytest.mark.anyio

NEEDED = (
    "x-content-type-options",
    "referrer-policy",
    "content-security-policy",
    "cross-origin-resource-policy",
    "cache-control",
)


async def test_every_kind_of_answer_has_them_once(api: Api) -> None:
    lead = await api.lead()
    found: dict[int, httpx.Response] = {}
    for answer in (
        await api.get(f"/v1/leads/{lead['id']}"),
        await api.post("/v1/leads", CUSTOMER),
        await api.post("/v1/leads", {}),
        await api.get("/v1/leads", role=None),
        await api.get("/nothing"),
        await api.call("PUT", "/v1/leads"),
        await api.call("POST", "/v1/leads", content=b" " * 2_000_000),
        await api.get("/health/live", role=None),
    ):
        found[answer.status_code] = answer
        for name in NEEDED:
            assert len(answer.headers.get_list(name)) == 1, (name, answer.url)
        assert answer.headers["cache-control"] == "no-store"
    assert found.keys() == {200, 201, 401, 404, 405, 413, 422}


async def called(app: SafeAnswers, path: str = "/") -> list[Any]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b""}

    await app({"type": "http", "path": path, "scheme": "http", "headers": []}, receive, send)
    return sent


async def begins_and_goes_on(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await asyncio.sleep(0.5)
    await send({"type": "http.response.body", "body": b"x"})


async def never_answers(scope: Scope, receive: Receive, send: Send) -> None:
    await asyncio.sleep(30)


async def test_an_answer_that_does_not_begin_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LOOK_SECONDS", 0.02)
    slow = SafeAnswers(never_answers, 0.1, {re.compile("/long"): 30.0})
    start, body = await asyncio.wait_for(called(slow), 5)
    assert start["status"] == 503
    assert b"too-slow" in body["body"]
    assert (b"cache-control", b"no-store") in start["headers"]
    with pytest.raises(TimeoutError):  # that path has longer; and others' cancelling goes through
        await asyncio.wait_for(called(slow, "/long"), 0.5)


async def test_one_that_has_begun_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(headers, "LOOK_SECONDS", 0.02)
    start, body = await called(SafeAnswers(begins_and_goes_on, 0.1))
    assert (start["status"], body["body"]) == (200, b"x")


async def test_a_defect_is_answered_with_them_too(api: Api) -> None:
    async def broken(*_: Any) -> Any:
        raise RuntimeError("a defect")

    api.app.router.add_route("/defect", broken)
    answer = await api.get("/defect")
    problem(answer, 500, "internal-error")
    assert all(name in answer.headers for name in NEEDED)
