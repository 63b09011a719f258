"""What Prometheus gets: the figures of dashboard and alerts, and who is given them."""

import re
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.api_client import CUSTOMER, Api, problem, running

pytestmark = pytest.mark.anyio

Labels = frozenset[tuple[str, str]]


async def measured(api: Api) -> Mapping[tuple[str, Labels], float]:
    """Every sample that is served now, by name and labels."""
    answer = await api.get("/metrics", role="auditor")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


class Growth:
    """How samples grow: the process's counters know of other tests, too."""

    def __init__(self, before: Mapping[Any, float], after: Mapping[Any, float]) -> None:
        self._before, self._after = before, after

    def __call__(self, name: str, **labels: str) -> float:
        key = (name, frozenset(labels.items()))
        return self._after.get(key, 0) - self._before.get(key, 0)


async def test_commands_requests_and_appends_are_counted(api: Api) -> None:
    before = await measured(api)
    for _ in range(2):
        await api.post("/v1/leads", CUSTOMER, headers={"Idempotency-Key": "once"})
    lead = await api.lead(phone="13800000001")
    path = f"/v1/leads/{lead['id']}:label"
    await api.post(path, {"level": "high"}, headers={"If-Match": '"7777"'})
    await api.post(path, {"level": "unheard-of"})
    await api.post(f"/v1/leads/{uuid4()}:claim", {})
    await api.get("/wp-admin.php?x=13912345678")
    grown = Growth(before, await measured(api))
    counted = "leadlog_commands_total"
    assert grown(counted, kind="lead.capture", outcome="accepted") == 2
    assert grown(counted, kind="lead.capture", outcome="repeated") == 1
    assert grown(counted, kind="lead.label", outcome="conflict") == 1
    assert grown(counted, kind="lead.claim", outcome="refused") == 1
    requests = "leadlog_http_requests_total"
    assert grown(requests, method="POST", route="/v1/leads", status="201") == 3
    label = "/v1/leads/{ref}:label"
    assert grown(requests, method="POST", route=label, status="412") == 1
    assert grown(requests, method="POST", route=label, status="422") == 1
    assert grown(requests, method="GET", route="(none)", status="404") == 1
    seconds = "leadlog_http_request_seconds"
    assert grown(f"{seconds}_count", method="POST", route="/v1/leads") == 3
    assert grown(f"{seconds}_bucket", method="POST", route="/v1/leads", le="+Inf") == 3
    assert 0 < grown(f"{seconds}_sum", method="POST", route="/v1/leads") < 30
    assert grown("leadlog_appends_total", outcome="appended") >= 2
    assert grown("leadlog_appends_total", outcome="conflict") == 0
    assert (
        grown("leadlog_append_seconds_count") == grown("leadlog_append_batch_commands_count") >= 2
    )
    assert grown("leadlog_append_batch_commands_sum") >= 2


async def test_the_database_tells_how_far_everything_is(api: Api) -> None:
    await api.lead()
    found = await measured(api)
    leads = frozenset({("projection", "leads")})
    position = found["leadlog_log_position", frozenset()]
    assert found["leadlog_projection_lag_events", leads] == position > 0
    assert found["leadlog_projection_lag_seconds", leads] > 0
    assert found["leadlog_unsealed_events", frozenset()] == position
    assert found["leadlog_database_up", frozenset()] == 1
    assert found["leadlog_leased", frozenset({("duty", "process:seal")})] == 0
    assert found["leadlog_database_connections", frozenset()] > 0


async def test_a_late_timer_a_parked_event_and_a_dead_message_show(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.postgres.vital_signs.FRESH_SECONDS", 0.0)
    lead = await api.lead()
    await api.post(f"/v1/leads/{lead['id']}:assign", {"owner": "王芳", "team": "华东"})
    await api.project()
    before = await measured(api)
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute(
            "UPDATE p_tasks_1.tasks SET rings_at = now() - interval '1 hour'"
            " WHERE rings_at IS NOT NULL"
        )
        conn.execute(
            "INSERT INTO projection.parked (name, generation, stream, position, error)"
            " SELECT 'leads', generation, %s, 1, 'x' FROM projection.builds WHERE name = 'leads'",
            [lead["id"]],
        )
        conn.execute(
            "INSERT INTO p_notifications_1.deliveries"
            " (id, channel, recipient, state, position, error)"
            " VALUES (gen_random_uuid(), 'email', 'x', 'dead', 1, 'lost')"
        )
    after = await measured(api)
    assert before["leadlog_timer_overdue_seconds", frozenset()] == 0
    assert 3500 < after["leadlog_timer_overdue_seconds", frozenset()] < 3700
    assert after["leadlog_parked_events", frozenset({("projection", "leads")})] == 1
    assert after["leadlog_dead_messages", frozenset()] == 1
    ready = (await api.get("/health/ready", role=None)).json()
    assert ready["status"] == "degraded"
    assert any("parked in leads" in problem for problem in ready["problems"])
    assert any("timers are 3" in problem for problem in ready["problems"])


async def test_no_label_can_hold_what_somebody_typed(api: Api) -> None:
    """Names of people, leads and unknown paths: not one of them gets into a label."""
    lead = await api.lead()
    for path in (f"/v1/leads/{lead['id']}", f"/v1/leads/{lead['code']}", "/v1/nowhere/13912345678"):
        await api.get(path)
        await api.call("PUT", path)
        await api.call("PROPFIND", path)
    text = (await api.get("/metrics")).text
    for secret in (lead["id"], lead["code"], "nowhere", "13912345678", "PROPFIND", "admin-person"):
        assert secret not in text
    labels = set(re.findall(r'(\w+)="', text))
    known = {"method", "route", "status", "kind", "outcome", "projection", "duty", "le"}
    assert labels <= known | {"process", "channel"}


async def test_metrics_take_a_token_of_the_right_role_unless_they_are_open(dsn: str) -> None:
    async with running(dsn) as api:
        problem(await api.get("/metrics", role=None), 401, "unauthorised")
        problem(await api.get("/metrics", role="sales"), 403, "forbidden")
    async with running(dsn, metrics_open=True) as api:
        assert (await api.get("/metrics", role=None)).status_code == 200


async def test_too_many_requests_are_told_when_to_return_and_counted(dsn: str) -> None:
    async with running(dsn, requests_per_second=1, metrics_open=True) as api:
        before = await api.get("/metrics", role=None)
        answers = [await api.get("/v1/session") for _ in range(5)]
        late = [answer for answer in answers if answer.status_code == 429]
        assert late
        assert all(answer.headers["retry-after"] == "1" for answer in late)
        line = 'leadlog_http_requests_total{method="GET",route="/v1/session",status="429"}'
        after = await api.get("/metrics", role=None)
    assert _value(after.text, line) - _value(before.text, line) == len(late)


def _value(text: str, series: str) -> float:
    return next((float(x[len(series) :]) for x in text.splitlines() if x.startswith(series)), 0.0)
