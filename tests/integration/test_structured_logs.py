"""Log lines for machines: a JSON object each, with ids that join them, as discreet as text."""

import io
import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters import logs
from adapters.postgres.batcher import Batcher
from commands.correlation import Correlation, correlation
from tests.integration.api_client import CUSTOMER, Api, running
from tests.integration.test_logs import NAME, PHONE, TOLD, _record, _refused

pytestmark = pytest.mark.anyio

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
Lines = Callable[[], list[Mapping[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What is logged, as JSON, from information on."""
    root, stream = logging.getLogger(), io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs._json())
    root.addHandler(handler)
    levels = {logger: logger.level for logger in (root, logging.getLogger("leadlog"))}
    for logger in levels:
        logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.removeHandler(handler)
    for logger, level in levels.items():
        logger.setLevel(level)


@pytest.mark.parametrize("way", TOLD)
def test_json_is_as_discreet_as_text(way: str, dsn: str) -> None:
    record = TOLD[way](_refused(dsn))
    record.customer = NAME  # what a library might add
    told = json.loads(written := logs._json().format(record))
    whole = told["message"] + told.get("exception", "")
    assert 'new row for relation "given" violates check constraint' in whole
    assert NAME not in written
    assert {"time", "level", "logger", "message"} <= told.keys()


def test_a_contact_detail_is_masked_and_a_line_is_one_line() -> None:
    written = logs._json().format(_record("%s\ncalled from %s", "线索", PHONE))
    assert PHONE not in written
    assert "线索" in written
    assert len(written.splitlines()) == 1


async def test_a_request_is_one_line_with_its_route(api: Api, lines: Lines) -> None:
    lead = await api.lead()
    given = str(uuid4())
    await api.get(f"/v1/leads/{lead['id']}", headers={"X-Correlation-ID": given})
    named = [line for line in lines() if line.get("correlation_id") == given]
    (line,) = [line for line in named if line["logger"] == "leadlog.access"]
    assert line["message"].startswith("GET /v1/leads/{ref} ")
    assert line["correlation_id"] == given
    assert lead["id"] not in json.dumps(line)


NAMED: Mapping[str, tuple[dict[str, str], str | None]] = {
    "ours": ({"X-Correlation-ID": str(UUID(TRACE))}, str(UUID(TRACE))),
    "traceparent": ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, str(UUID(TRACE))),
    "ours first": (
        {"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01", "X-Correlation-ID": str(UUID(int=7))},
        str(UUID(int=7)),
    ),
    "nonsense": ({"X-Correlation-ID": f"call {PHONE}"}, None),
    "no trace": ({"traceparent": f"00-{'0' * 32}-00f067aa0ba902b7-01"}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("way", NAMED)
async def test_what_the_caller_names_is_recorded_and_answered(api: Api, way: str) -> None:
    headers, expected = NAMED[way]
    answer = await api.post("/v1/leads", CUSTOMER, headers=headers)
    assert answer.status_code == 201
    assert answer.headers.get("x-correlation-id") == expected
    with psycopg.connect(api.dsn) as conn:
        rows = conn.execute(
            "SELECT convert_from(state, 'UTF8')::json -> 'meta' FROM log.leadlog_events"
        ).fetchall()
    assert rows
    assert all(meta.get("correlation_id") == expected for (meta,) in rows)


async def test_a_defect_is_logged_under_the_id_that_the_answer_tells(
    dsn: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(f"no idea what {PHONE} wants")

    async with running(dsn) as api:
        monkeypatch.setattr("commands.leads._judged", broken)
        answer = await api.post("/v1/leads", CUSTOMER)
    assert answer.status_code == 500
    (line,) = [line for line in lines() if line["level"] == "ERROR"]
    assert line["correlation_id"] == answer.headers["x-correlation-id"]
    assert "RuntimeError" in line["exception"]
    assert PHONE not in json.dumps(line)


async def test_what_a_command_logs_names_the_command(
    dsn: str, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(dsn) as api:
        monkeypatch.setattr("commands.loop._new", _broken)
        answer = await api.post("/v1/leads", CUSTOMER)
    assert answer.status_code == 500
    (line,) = [line for line in lines() if line["level"] == "ERROR"]
    assert UUID(line["command_id"])


async def test_what_works_for_many_callers_belongs_to_none(api: Api) -> None:
    """A line that a batch logs does not name the request that happened to start it."""

    async def work(items: Sequence[int]) -> list[Correlation | None]:
        return [correlation.get() for _ in items]

    correlation.set(Correlation(uuid4()))
    assert await Batcher(work, max_batch=1)(1) is None


def _broken(*_: object) -> None:
    raise RuntimeError("broken")
