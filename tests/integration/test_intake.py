"""Many captures at once, and captures from outside the company (R1, R15, R30)."""

from typing import Any

import anyio
import psycopg
import pytest
from httpx import Response

from adapters import channels
from tests.integration.api_client import CUSTOMER, PHONE, Api, problem
from tests.integration.history_files import program

pytestmark = pytest.mark.anyio
FORM = {k: v for k, v in CUSTOMER.items() if k != "source"}


def channel(api: Api, name: str = "form", *, source: str = "官网注册", per_minute: int = 60) -> str:
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        key = channels.add(conn, name, source, per_minute)
    assert key
    return key


async def submit(api: Api, key: str, body: dict[str, Any] = FORM, **headers: str) -> Response:
    return await api.post(f"/v1/intake/{key}", body, role=None, headers=headers)


async def leads(api: Api) -> list[dict[str, Any]]:
    await api.project()
    items: list[dict[str, Any]] = (await api.get("/v1/leads")).json()["items"]
    return items


async def test_a_batch_answers_every_capture_in_its_place(api: Api) -> None:
    """R1, R30: what is wrong is told of that one; the others are in."""
    batch = [
        CUSTOMER,
        CUSTOMER | {"phone": "1391234567"},
        {"contact": "李经理"},
        CUSTOMER | {"level": "high", "segment": "大客户"},
        CUSTOMER | {"missing": ["need"]},
    ]
    answer = await api.post("/v1/leads:batch", {"leads": batch})
    body = answer.json()
    assert answer.status_code == 200 and body["captured"] == 2
    assert [result["status"] for result in body["results"]] == [201, 422, 422, 422, 201]
    wrong = [result["problem"]["errors"][0]["pointer"] for result in body["results"][1:4]]
    assert wrong == ["#/phone", "#/customer", "#/segment"]
    first, last = body["results"][0]["lead"], body["results"][4]["lead"]
    assert first["phone"] == "139****5678" and PHONE not in answer.text
    pairs = {first["id"]: first["duplicates"], last["id"]: last["duplicates"]}
    told = [d["code"] for found in pairs.values() for d in found]
    assert told in ([first["code"]], [last["code"]]), "of two equal ones the second is told"
    assert int(answer.headers["leadlog-position"]) == 11
    assert {lead["code"] for lead in await leads(api)} == {first["code"], last["code"]}


async def test_a_batch_again_changes_nothing(api: Api) -> None:
    """P2: the key of a batch names each of its captures."""
    batch = {"leads": [{"customer": f"客户{n}"} for n in range(20)]}
    answers = [
        await api.post("/v1/leads:batch", batch, headers={"Idempotency-Key": "b"}) for _ in "ab"
    ]
    assert answers[0].content == answers[1].content
    codes = [result["lead"]["code"][-3:] for result in answers[0].json()["results"]]
    assert sorted(codes) == [f"{n:03d}" for n in range(1, 21)]
    assert len(await leads(api)) == 20


async def test_the_key_of_a_batch_is_not_that_of_one_capture(api: Api) -> None:
    """P2: whatever keys the caller has used for single captures."""
    for n, key in enumerate(("b:0", "b-0", "b0")):
        one = CUSTOMER | {"customer": f"客户{n}"}
        await api.post("/v1/leads", one, headers={"Idempotency-Key": key})
    batch = {"leads": [{"customer": "A"}]}
    answer = await api.post("/v1/leads:batch", batch, headers={"Idempotency-Key": "b"})
    assert answer.json()["results"][0]["status"] == 201, answer.text
    assert len(await leads(api)) == 4


@pytest.mark.parametrize("batch", [[], [{}] * 1001, "x", [1], {"leads": []}])
async def test_a_batch_has_one_to_a_thousand_captures(api: Api, batch: Any) -> None:
    """Limits on everything."""
    problem(await api.post("/v1/leads:batch", {"leads": batch}), 422, "invalid-request")


async def test_a_submission_is_a_lead_of_its_channels_source(api: Api) -> None:
    """R1, R4, R20, A23: a receipt and nothing else is answered, not how many there were today."""
    answer = await submit(api, channel(api, source="展会咨询"))
    assert answer.status_code == 201 and answer.json().keys() == {"receipt"}
    (lead,) = await leads(api)
    assert answer.json()["receipt"] == lead["id"]
    assert (lead["source"], lead["customer"]) == ("展会咨询", CUSTOMER["customer"])
    events = (await api.get(f"/v1/leads/{lead['id']}")).json()
    assert events["label"]["rule"] == "buys" and events["missing"] == ["contact_title"]


async def test_a_form_as_a_browser_sends_it(api: Api) -> None:
    """R1: application/x-www-form-urlencoded."""
    answer = await api.call(
        "POST", f"/v1/intake/{channel(api)}", role=None, data=FORM | {"contact_title": ""}
    )
    assert answer.status_code == 201, answer.text
    assert [lead["phone"] for lead in await leads(api)] == ["139****5678"]


@pytest.mark.parametrize("named", ["header", "field", "nothing"])
async def test_a_double_click_is_one_lead(api: Api, named: str) -> None:
    """R1, P2: by the client's name for it, or by the same body shortly after."""
    key, receipts = channel(api), set()
    body = FORM | ({"submission_id": "s1"} if named == "field" else {})
    headers = {"Idempotency-Key": "s1"} if named == "header" else {}

    async def click() -> None:
        receipts.add((await submit(api, key, body, **headers)).text)

    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(click)
    assert len(receipts) == 1 and len(await leads(api)) == 1
    other = await submit(api, key, body | {"need": "另一个需求"})
    if named == "field":
        problem(other, 422, "idempotency-key-reused")
    else:
        assert other.status_code == 201 and len(await leads(api)) == 2


async def test_the_same_body_later_is_another_submission(api: Api) -> None:
    """A customer may ask again; what was submitted long ago is forgotten."""
    key = channel(api)
    await submit(api, key)
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("UPDATE access.submissions SET at = at - interval '11 minutes'")
    await submit(api, key)
    await submit(api, key, FORM | {"need": "另一个需求"})
    assert len(await leads(api)) == 3
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("UPDATE access.submissions SET at = at - interval '11 minutes'")
    await submit(api, key, FORM | {"need": "第三个需求"})
    with psycopg.connect(api.dsn) as conn:
        assert conn.execute("SELECT count(*) FROM access.submissions").fetchone() == (1,)


async def test_channels_do_not_meet(api: Api) -> None:
    """The same body or name of another channel is another submission."""
    for name in ("form", "fair"):
        key = channel(api, name)
        await submit(api, key)
        await submit(api, key, FORM, **{"Idempotency-Key": "1"})
    assert len(await leads(api)) == 4


async def test_a_channel_has_a_rate_of_its_own(api: Api) -> None:
    """Limits on everything: 429 with Retry-After, and other channels go on."""
    key, other = channel(api, per_minute=2), channel(api, "fair")
    answers = [await submit(api, key, FORM | {"customer": f"客户{n}"}) for n in range(3)]
    assert [answer.status_code for answer in answers] in ([201, 201, 429], [201, 201, 201])
    limited = [await submit(api, key, FORM | {"customer": f"客户{n}"}) for n in range(3, 6)][-1]
    problem(limited, 429, "too-many-requests")
    assert limited.headers["retry-after"] == "60"
    assert (await submit(api, other)).status_code == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (FORM | {"owner": "li"}, 422, "invalid-request"),
        (FORM | {"source": "转介绍"}, 422, "invalid-request"),
        (FORM | {"phone": "1234"}, 422, "invalid-request"),
        ({}, 422, "invalid-request"),
    ],
)
async def test_what_is_submitted_is_checked(
    api: Api, body: dict[str, Any], status: int, code: str
) -> None:
    """R30: from outside nobody chooses owner, label or source."""
    answer = await submit(api, channel(api), body)
    problem(answer, status, code)
    assert PHONE not in answer.text


async def test_odd_forms_are_refused(api: Api) -> None:
    path = f"/v1/intake/{channel(api)}"
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    for body in (b"customer=%ff\xff", b"&".join(b"a%d=1" % n for n in range(101))):
        answer = await api.call("POST", path, role=None, content=body, headers=form)
        problem(answer, 400, "malformed-form")
    answer = await api.call("POST", path, role=None, content=b"{", headers={})
    problem(answer, 400, "malformed-json")


async def test_only_a_valid_channel_key_opens(api: Api) -> None:
    """P8: unknown or revoked it is as if there were nothing; a token does not help."""
    key = channel(api)
    for wrong in ("x", "leadlog_in_x", api.token("admin")):
        problem(await submit(api, wrong), 404, "not-found")
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        assert channels.revoke(conn, "form") and not channels.revoke(conn, "form")
    problem(await submit(api, key), 404, "not-found")
    again = channel(api)
    assert again != key and (await submit(api, again)).status_code == 201


def test_channels_on_the_command_line(dsn: str) -> None:
    """A key is shown once, and never in a list."""
    made = program(dsn, "channels", "add", "form", "--source", "官网注册", "--per-minute", 5)
    assert made.returncode == 0 and made.stdout.startswith("leadlog_in_")
    twice = program(dsn, "channels", "add", "form", "--source", "官网注册")
    assert twice.returncode == 1 and "revoke it or choose another name" in twice.stderr
    shown = program(dsn, "channels", "list").stdout
    assert "官网注册" in shown and "leadlog_in_" not in shown
    assert program(dsn, "channels", "revoke", "form").returncode == 0
    gone = program(dsn, "channels", "revoke", "form")
    assert gone.returncode == 1 and "no channel named form" in gone.stderr
