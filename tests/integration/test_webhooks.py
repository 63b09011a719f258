"""Webhooks: what is sent, that it is sent, and to whom it never is."""

import json
import signal
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import pytest
from standardwebhooks.webhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from adapters.postgres.event_log import PostgresEventLog
from adapters.postgres.webhook_store import PostgresWebhooks
from aggregates.event import Meta
from aggregates.lead import events as e
from commands.ports import NewEvents
from tests.integration.api_client import EMAIL, PHONE, Api, begin_simulation, problem, running
from tests.integration.feed_client import told
from tests.integration.test_serve import command, env
from tests.integration.webhooks import LOCAL, Got, delivering, receivers, until

pytestmark = pytest.mark.anyio


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with running(dsn, **LOCAL) as api:
        yield api


async def add(api: Api, url: str, *topics: str) -> dict[str, Any]:
    """A webhook, with its secret."""
    answer = await api.post("/v1/webhooks", {"url": url, "topics": topics})
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


async def do(api: Api, webhook: dict[str, Any], verb: str, **body: Any) -> dict[str, Any]:
    """One of its commands."""
    answer = await api.post(f"/v1/webhooks/{webhook['id']}:{verb}", body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def show(api: Api, webhook: dict[str, Any]) -> dict[str, Any]:
    """How it is now."""
    items = (await api.get("/v1/webhooks")).json()["items"]
    return next(item for item in items if item["id"] == webhook["id"])


async def dead(api: Api, webhook: dict[str, Any]) -> list[dict[str, Any]]:
    """Its dead letters."""
    items: list[dict[str, Any]] = (await api.get(f"/v1/webhooks/{webhook['id']}/dead")).json()[
        "items"
    ]
    return items


async def seen(condition: Any) -> None:
    """Wait until something that is asked of the API is so."""
    with anyio.fail_after(60):
        while not await condition():  # noqa: ASYNC110 - of another process
            await anyio.sleep(0.05)


async def leads(dsn: str, number: int, actor: str = "user:Li", first: int = 1) -> list[str]:
    """Leads with one event each; the ids of the messages about them."""
    log = PostgresEventLog(dsn)
    streams = [UUID(int=n) for n in range(first, first + number)]
    for stream in streams:
        event = e.StageChanged(stage="方案提交")
        await log.append(NewEvents(stream, 0, [event], Meta(actor, stream), b"f"))
    await log.close()
    return [f"{stream}/1" for stream in streams]


async def test_what_happens_is_sent_masked_and_signed_in_order(api: Api, tmp_path: Path) -> None:
    """As the feed tells an administrator; verified by the library of the standard."""
    with receivers(tmp_path, "200") as [receiver]:
        webhook = await add(api, receiver.url, "lead.*")
        lead = await api.lead()
        await api.post(f"/v1/leads/{lead['id']}:label", {"level": "high"})
        fed = told((await api.get("/v1/events?follow=false&after=0&topic=lead.*")).text)
        with delivering(api.dsn):
            until(lambda: len(receiver.got) >= len(fed))
        assert [got.message["data"] for got in receiver.got] == [sent.data for sent in fed]
        for got, sent in zip(receiver.got, fed, strict=True):
            assert Verifier(webhook["secret"]).verify(got.body, got.headers) == got.message
            assert got.message["type"] == sent.event
            assert got.message["timestamp"]
            assert got.id == f"{sent.data['stream']}/{sent.data['version']}"
            assert PHONE not in got.body
            assert EMAIL not in got.body
        with pytest.raises(WebhookVerificationError):
            Verifier(webhook["secret"]).verify(receiver.got[0].body + " ", receiver.got[0].headers)
        shown = await show(api, webhook)
        assert (shown["active"], shown["attempts"]) == (True, 0)
        assert "secret" not in shown


async def test_a_new_secret_and_the_old_one_count_for_a_while(api: Api, tmp_path: Path) -> None:
    with receivers(tmp_path, "200") as [receiver]:
        webhook = await add(api, receiver.url)
        rotated = await do(api, webhook, "rotate-secret", overlap_hours=1)
        again = await do(api, webhook, "test")
        assert again == {"taken": True, "status": 200, "error": None}
        last = await do(api, webhook, "rotate-secret", overlap_hours=0)
        await do(api, webhook, "test")
        one, two = receiver.got

        def good(secret: str, got: Got) -> bool:
            try:
                return bool(Verifier(secret).verify(got.body, got.headers))
            except WebhookVerificationError:
                return False

        secrets = [webhook["secret"], rotated["secret"], last["secret"]]
        assert len(set(secrets)) == 3
        assert [good(secret, one) for secret in secrets] == [True, True, False]
        assert [good(secret, two) for secret in secrets] == [False, False, True]
        assert one.message["type"] == "webhook.test"


@pytest.mark.parametrize("how", ["cut", "short", "endless"])
async def test_what_says_200_has_it_whatever_comes_behind(
    api: Api, tmp_path: Path, how: str
) -> None:
    with receivers(tmp_path, how) as [liar]:
        await add(api, liar.url)
        ids = await leads(api.dsn, 2)
        with delivering(api.dsn, webhook_seconds=5):
            until(lambda: [got.id for got in liar.got][-2:] == ids)
        assert len(liar.got) <= 3, "its own making, and two leads"


async def test_nobody_waits_for_a_slow_a_dead_or_a_lying_receiver(api: Api, tmp_path: Path) -> None:
    ways = ("200", "slow", "garbage", "500", "redirect:http://127.0.0.1:1/", "410")
    with receivers(tmp_path, *ways) as [good, slow, garbage, broken, away, gone]:
        hooks = [await add(api, one.url, "lead.*") for one in (slow, garbage, broken, away, gone)]
        hooks.append(await add(api, "http://127.0.0.1:1/nobody", "lead.*"))
        await add(api, good.url, "lead.*")
        ids = await leads(api.dsn, 20)
        with delivering(api.dsn):
            until(lambda: [got.id for got in good.got] == ids)
            for one in (slow, garbage, broken, away):
                until(lambda one=one: len(one.got) > 1)  # type: ignore[misc]
            errors = [(await show(api, hook))["error"] for hook in hooks]
        assert errors[:4] == [
            "took longer than 1 s", "broke off, or does not speak HTTP", "answered 500",
            "answered 307",
        ]  # fmt: skip
        assert errors[5] == "is not reachable"
        assert {got.id for got in broken.got} == {ids[0]}, "the same one again, by the same id"
        shown = await show(api, hooks[4])
        assert (shown["active"], len(gone.got)) == (False, 1)
        assert "gone" in shown["disabled"]
        query = "/v1/events?follow=false&after=0&topic=access.webhook-changed"
        last = told((await api.get(query)).text)[-1].data
        assert last["actor"] == "process:webhooks"
        assert last["data"]["change"] == "disabled"
        await do(api, hooks[0], "change", active=False)
        measured = (await api.get("/metrics")).text
        assert "\nleadlog_webhooks_disabled 1.0\n" in measured, "one by us, one by hand"


async def test_a_message_that_is_refused_is_given_up_and_the_next_ones_come(
    api: Api, tmp_path: Path
) -> None:
    how = tmp_path / "how"
    how.write_text("400")
    with receivers(tmp_path, f"file:{how}") as [receiver], delivering(api.dsn):
        webhook = await add(api, receiver.url, "lead.*")
        first, second = await leads(api.dsn, 2)

        async def buried() -> bool:
            return bool(await dead(api, webhook))

        await seen(buried)
        how.write_text("200")
        until(lambda: receiver.got[-1].id == second)
        assert sum(got.id == first for got in receiver.got) == 5
        [letter] = await dead(api, webhook)
        assert (letter["topic"], letter["error"]) == ("lead.stage-changed", "answered 400")
        assert await do(api, webhook, "retry", position=letter["position"]) == {"messages": 1}
        until(lambda: receiver.got[-1].id == first)

        async def revived() -> bool:
            return not await dead(api, webhook)

        await seen(revived)


async def test_a_receiver_that_takes_nothing_for_long_is_disabled_and_goes_on_later(
    api: Api, tmp_path: Path
) -> None:
    how = tmp_path / "how"
    how.write_text("503")
    with (
        receivers(tmp_path, f"file:{how}") as [receiver],
        delivering(api.dsn, webhook_hours=1 / 3600),
    ):
        webhook = await add(api, receiver.url, "lead.*")
        ids = await leads(api.dsn, 3)

        async def disabled() -> bool:
            return bool((await show(api, webhook))["disabled"])

        await seen(disabled)
        assert [letter["error"] for letter in await dead(api, webhook)] == ["answered 503"]
        how.write_text("200")
        await do(api, webhook, "change", active=True)
        until(lambda: [got.id for got in receiver.got][-2:] == ids[1:])
        await do(api, webhook, "retry")
        until(lambda: receiver.got[-1].id == ids[0])


async def test_imported_history_is_sent_where_it_is_asked_for(api: Api, tmp_path: Path) -> None:
    with receivers(tmp_path, "200") as [receiver], delivering(api.dsn):
        webhook = await add(api, receiver.url, "lead.*")
        imported = await leads(api.dsn, 2, "import:crm")
        news = await leads(api.dsn, 1, first=10)
        until(lambda: [got.id for got in receiver.got] == news)
        await do(api, webhook, "replay", after=0)
        until(lambda: [got.id for got in receiver.got] == [*news, *imported, *news])
        later = await leads(api.dsn, 1, "import:crm", first=20)
        last = await leads(api.dsn, 1, first=30)
        until(lambda: receiver.got[-1].id == last[0])
        assert later[0] not in {got.id for got in receiver.got}


async def test_a_replay_is_not_passed_over(api: Api) -> None:
    """By a delivery under way that began where it begins."""
    webhook = await add(api, "http://127.0.0.1:9/leadlog", "lead.*")
    store = PostgresWebhooks(api.dsn, most=1)
    under_way = await store.find(UUID(webhook["id"]))
    assert under_way
    await leads(api.dsn, 2, "import:crm")
    replayed = await do(api, webhook, "replay", after=under_way.position)
    assert replayed["replay_upto"] > replayed["position"] == under_way.position
    assert await store.passed(under_way, under_way.position + 2, delivered=False) is None
    await store.close()


async def test_what_is_erased_is_not_sent_though_it_was_read(
    api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.webhook_deliveries.PAGE_SECONDS", 0.2)
    with receivers(tmp_path, "wait") as [receiver]:
        await add(api, receiver.url, "lead.captured")
        captured = [await api.lead() for _ in range(4)]
        with delivering(api.dsn):
            until(lambda: bool(receiver.got))
            reason = {"reason": "the customer asked"}
            answer = await api.post(f"/v1/leads/{captured[-1]['id']}:erase", reason)
            assert answer.status_code == 200, answer.text
            until(lambda: len(receiver.got) == 4)
    erased = [got.message["data"]["erased"] for got in receiver.got]
    assert erased == [False, False, False, True]


def _worker(dsn: str, directory: Path, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    arguments = command("worker", "--only", "webhooks", "--database", dsn)
    return subprocess.Popen(arguments, env=env(directory, **settings))


async def test_a_killed_worker_misses_nothing_and_ids_stay(api: Api, tmp_path: Path) -> None:
    """At least once: what was under way comes again, under the same id and in order."""
    with receivers(tmp_path, "200") as [receiver]:
        webhook = await add(api, receiver.url, "lead.*")
        ids = await leads(api.dsn, 150)
        allowed = {f"LEADLOG_{name.upper()}": str(value) for name, value in LOCAL.items()}
        allowed["LEADLOG_WEBHOOK_ALLOWED"] = "127.0.0.0/8"
        for enough in (30, 150):
            worker = _worker(api.dsn, tmp_path, allowed)
            until(lambda enough=enough: len({got.id for got in receiver.got}) >= enough)  # type: ignore[misc]
            worker.send_signal(signal.SIGKILL)
            worker.wait()
        came = [got.id for got in receiver.got]
        assert list(dict.fromkeys(came)) == ids
        assert len(came) <= len(ids) + 2, "no more than what was under way"
        assert (await show(api, webhook))["position"] >= 149


async def test_what_administrators_do_is_on_record(api: Api, tmp_path: Path) -> None:
    with receivers(tmp_path, "200") as [receiver]:
        webhook = await add(api, receiver.url)
        await do(api, webhook, "change", topics=["lead.assigned"], description="CRM")
        await do(api, webhook, "change", active=False)
        await do(api, webhook, "rotate-secret")
        await do(api, webhook, "replay", after=0)
        await do(api, webhook, "retry")
        await do(api, webhook, "delete")
        query = "/v1/events?follow=false&after=0&topic=access.webhook-changed"
        record = [sent.data for sent in told((await api.get(query)).text)]
        assert [one["data"]["change"] for one in record] == [
            "created", "changed", "disabled", "secret-rotated", "replayed", "retried",
            "deleted",
        ]  # fmt: skip
        assert {one["stream"] for one in record} == {webhook["id"]}
        assert {one["actor"] for one in record} == {"user:admin-person"}
        problem(await api.post(f"/v1/webhooks/{webhook['id']}:test", {}), 404, "not-found")


async def test_an_old_secret_lasts_in_real_time_where_the_companys_is_simulated(dsn: str) -> None:
    await begin_simulation(dsn, datetime(2024, 5, 1, tzinfo=UTC))
    async with running(dsn, **LOCAL) as api:
        webhook = await add(api, "http://127.0.0.1:9/")
        rotated = await do(api, webhook, "rotate-secret", overlap_hours=1)
    left = datetime.fromisoformat(rotated["old_secret_until"]) - datetime.now(UTC)
    assert timedelta(minutes=59) < left <= timedelta(hours=1)


async def test_a_receivers_secret_is_shown_to_nobody(api: Api) -> None:
    """Many a receiver's address has one in its query, or in its path: that is for its owners."""
    made = await add(api, "http://127.0.0.1:9/ali-baba?token=sesame")
    assert made["url"] == "http://127.0.0.1:9/ali-baba"
    for path in ("/v1/webhooks", "/v1/events"):
        assert "sesame" not in (await api.get(path, role="auditor")).text
    assert "ali-baba" not in (await api.get("/v1/events", role="auditor")).text


async def test_what_makes_no_webhook_is_refused(api: Api, dsn: str) -> None:
    for url, code in (
        ("https://user:secret@crm.example.com/", "unsafe-url"),
        ("ftp://127.0.0.1/", "unsafe-url"),
        ("http://10.0.0.1/", "unsafe-url"),
        ("http://127.0.0.1/#part", "unsafe-url"),
        ("http://nobody.invalid/", "unsafe-url"),
        ("", "invalid-request"),
    ):
        answer = await api.post("/v1/webhooks", {"url": url})
        assert "secret@" not in problem(answer, 422, code)["detail"]
    wrong = {"url": "http://127.0.0.1/", "topics": ["lead.forged"]}
    problem(await api.post("/v1/webhooks", wrong), 422, "unknown-topic")
    keyed = {"Idempotency-Key": "a"}
    answer = await api.post("/v1/webhooks", {"url": "http://127.0.0.1/"}, headers=keyed)
    problem(answer, 400, "invalid-parameter")
    for ref in ("no-id", str(UUID(int=7))):
        problem(await api.post(f"/v1/webhooks/{ref}:test", {}), 404, "not-found")
    async with running(dsn, **{**LOCAL, "webhooks": 1}) as small:
        await add(small, "http://127.0.0.1/")
        answer = await small.post("/v1/webhooks", {"url": "http://127.0.0.1/"})
        problem(answer, 422, "too-many-webhooks")
    assert json.loads((await api.get("/v1/webhooks")).text)["items"]
