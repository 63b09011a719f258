"""Personal values in clear, for a purpose and on record: A4, A27, R113, R117."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from httpx import Response

from aggregates.directory.register import ROLES
from aggregates.lead.reveal import MOST_REVEALS
from tests.integration.api_client import CUSTOMER, EMAIL, PHONE, Api, problem, running
from tests.integration.test_row_access import VISIBLE, WORKED_ON, World, world  # noqa: F401

pytestmark = pytest.mark.anyio

PURPOSE = "首次电话联系"
REVEALERS = {"sales", "supervisor", "admin"}
"""A4: the owner, their supervisor, the administrator."""
HISTORY_READS = ("events", "replay", "proof")


async def reveal(api: Api, lead: str, field: str = "phone", **options: Any) -> Response:
    body = {"field": field, "purpose": options.pop("purpose", PURPOSE)}
    return await api.post(f"/v1/leads/{lead}/contact:reveal", body, **options)


async def accesses(api: Api, **options: Any) -> list[dict[str, Any]]:
    await api.project()
    role = options.pop("role", "admin")
    answer = await api.get("/v1/privacy/accesses", params=options, role=role)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json()["items"]
    return items


@pytest.fixture
async def owned(dsn: str) -> AsyncIterator[tuple[Api, str]]:
    """A lead of sales-person."""
    async with running(dsn) as api:
        lead = await api.lead(owner="sales-person")
        yield api, lead["id"]


@pytest.mark.parametrize("field", ["phone", "email", "need"])
async def test_a_value_is_shown_to_its_owner_and_that_is_recorded(
    owned: tuple[Api, str], field: str
) -> None:
    api, lead = owned
    answer = await reveal(api, lead, field, role="sales")
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"field": field, "value": CUSTOMER[field], "purpose": PURPOSE}
    assert answer.headers["cache-control"] == "no-store"
    (seen,) = await accesses(api)
    assert seen["position"] == int(answer.headers["leadlog-position"])
    assert (seen["lead"], seen["person"], seen["kind"]) == (lead, "sales-person", "reveal")
    assert (seen["what"], seen["purpose"]) == (field, PURPOSE)
    shown = await api.get(f"/v1/leads/{lead}", role="sales")
    assert PHONE not in shown.text and EMAIL not in shown.text, "all else stays masked"
    assert answer.headers["etag"] == shown.headers["etag"]


async def test_every_time_counts(owned: tuple[Api, str]) -> None:
    api, lead = owned
    for _ in range(3):
        assert (await reveal(api, lead, role="sales")).status_code == 200
    assert len(await accesses(api)) == 3


@pytest.mark.parametrize("role", VISIBLE)
async def test_a_value_is_shown_to_those_in_charge(world: World, role: str) -> None:  # noqa: F811
    """A4, A27, A32: not for what is shared to read, not in a pool, not of another team."""
    for name, lead in world.leads.items():
        answer = await reveal(world.api, lead["id"], role=role)
        if role not in REVEALERS:
            problem(answer, 403, "forbidden")
        elif name in WORKED_ON[role]:
            assert answer.json()["value"] == f"1391234567{sorted(VISIBLE['admin']).index(name)}"
        elif name in VISIBLE[role]:
            problem(answer, 403, "shared-for-reading")
        else:
            problem(answer, 404, "not-found")


async def test_a_pool_shows_no_value_until_the_lead_is_claimed(world: World) -> None:  # noqa: F811
    """A32."""
    api, lead = world.api, world.leads["pooled"]["id"]
    problem(await reveal(api, lead, role="sales"), 404, "not-found")
    claimed = await api.post(f"/v1/leads/{lead}:claim", {}, role="sales")
    assert claimed.status_code == 200, claimed.text
    assert (await reveal(api, lead, role="sales")).status_code == 200


@pytest.mark.parametrize(
    ("body", "code", "place"),
    [
        ({"field": "customer", "purpose": PURPOSE}, "invalid-request", "#/field"),
        ({"field": "phone"}, "invalid-request", "#/purpose"),
        ({"field": "phone", "purpose": ""}, "invalid-request", "#/purpose"),
        ({"field": "phone", "purpose": "  "}, "invalid-request", "#/purpose"),
        ({"field": "phone", "purpose": "x" * 101}, "invalid-request", "#/purpose"),
        ({"field": "phone", "purpose": f"打 {PHONE}"}, "contact-in-purpose", "#/purpose"),
        ({"field": "phone", "purpose": f"写给 {EMAIL}"}, "contact-in-purpose", "#/purpose"),
    ],
)
async def test_what_is_asked_for_is_checked(
    owned: tuple[Api, str], body: dict[str, str], code: str, place: str
) -> None:
    api, lead = owned
    answer = await api.post(f"/v1/leads/{lead}/contact:reveal", body, role="sales")
    assert problem(answer, 422, code)["errors"][0]["pointer"] == place
    assert await accesses(api) == []


async def test_a_lead_without_the_value_has_nothing_to_reveal(api: Api) -> None:
    lead = await api.lead(email=None, attributes={"备用": "x"})
    problem(await reveal(api, lead["id"], "email"), 422, "nothing-to-reveal")
    assert await accesses(api) == []


async def test_the_same_key_is_one_access_and_another_version_none(
    owned: tuple[Api, str],
) -> None:
    api, lead = owned
    key = {"Idempotency-Key": "one"}
    first = await reveal(api, lead, role="sales", headers=key)
    again = await reveal(api, lead, role="sales", headers=key)
    assert (again.status_code, again.json()) == (200, first.json())
    other = await reveal(api, lead, "email", role="sales", headers=key)
    problem(other, 422, "idempotency-key-reused")
    stale = await reveal(api, lead, role="sales", headers={"If-Match": '"1"'})
    problem(stale, 412, "version-mismatch")
    fresh = await reveal(api, lead, role="sales", headers={"If-Match": first.headers["etag"]})
    assert fresh.status_code == 200
    assert len(await accesses(api)) == 2


async def test_sixty_an_hour_over_all_processes(dsn: str) -> None:
    """R113: whoever copies the list is stopped, also by asking two processes at once."""
    async with running(dsn) as one, running(dsn) as two:
        leads = [(await one.lead(owner="sales-person"))["id"] for _ in range(4)]
        token = {"Authorization": f"Bearer {one.token('sales')}"}
        answers = [
            answer
            for _ in range(MOST_REVEALS // 4 + 1)
            for answer in await asyncio.gather(
                *(
                    reveal(api, lead, role="sales", headers=token)
                    for api, lead in zip((one, two, one, two), leads, strict=True)
                )
            )
        ]
        shown = [answer for answer in answers if answer.status_code == 200]
        assert len(shown) == MOST_REVEALS
        for refused in answers[MOST_REVEALS:]:
            problem(refused, 429, "too-many-reveals")
            assert 0 < int(refused.headers["retry-after"]) <= 3600
        problem(await reveal(two, leads[0], role="sales", headers=token), 429, "too-many-reveals")
        assert (await reveal(two, leads[0])).status_code == 200, "each person has their own"
        assert len(await accesses(one, person="sales-person", limit=200)) == MOST_REVEALS


async def test_who_has_seen_this_number(world: World) -> None:  # noqa: F811
    """R117: the list by lead, person, kind and what; page by page; of a supervisor's team only."""
    api, leads = world.api, world.leads
    own, other = leads["own"], leads["other"]
    for lead, field, role in (
        (own, "phone", "sales"),
        (own, "need", "supervisor"),
        (other, "phone", "admin"),
    ):
        assert (await reveal(api, lead["id"], field, role=role)).status_code == 200
    for what in HISTORY_READS[:2]:
        read = await api.get(f"/v1/leads/{own['id']}/{what}", role="auditor")
        assert read.status_code == 200, read.text

    async def found(**options: Any) -> list[tuple[str, str]]:
        return [(item["person"], item["what"]) for item in await accesses(api, **options)]

    everything = [
        ("auditor-person", "replay"),
        ("auditor-person", "events"),
        ("admin-person", "phone"),
        ("supervisor-person", "need"),
        ("sales-person", "phone"),
    ]
    assert await found() == everything
    assert await found(lead=own["code"], what="phone") == [("sales-person", "phone")]
    assert await found(lead=own["id"], kind="reveal") == everything[3:]
    assert await found(kind="history") == everything[:2]
    assert await found(person="supervisor-person") == [("supervisor-person", "need")]
    assert await found(role="auditor") == everything
    assert await found(role="supervisor") == [*everything[:2], *everything[3:]]
    problem(await api.get("/v1/privacy/accesses", params={"kind": "x"}), 422, "invalid-request")
    assert await found(lead="XLSH20000101001") == []

    pages, query = [], {"limit": 2}
    while True:
        page = (await api.get("/v1/privacy/accesses", params=query)).json()
        pages.append([(item["person"], item["what"]) for item in page["items"]])
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert pages == [everything[:2], everything[2:4], everything[4:]]


@pytest.mark.parametrize("what", HISTORY_READS)
@pytest.mark.parametrize("role", ROLES)
async def test_who_reads_a_history_without_being_in_charge_is_on_record(
    owned: tuple[Api, str], role: str, what: str
) -> None:
    """R117: auditors and administrators; whoever works on a lead reads it every day."""
    api, lead = owned
    await api.project()
    answer = await api.get(f"/v1/leads/{lead}/{what}", role=role)
    recorded = await accesses(api)
    if role in ("auditor", "admin") and answer.status_code not in (403, 404):
        (access,) = recorded
        assert (access["person"], access["kind"]) == (f"{role}-person", "history")
        assert (access["lead"], access["what"]) == (lead, what)
    else:
        assert recorded == []


@pytest.mark.parametrize("what", HISTORY_READS)
async def test_a_history_that_was_not_shown_is_not_on_record(
    owned: tuple[Api, str], what: str
) -> None:
    """The reader asks for a position that the log has not reached."""
    api, lead = owned
    path = f"/v1/leads/{lead}/{what}"
    late = await api.get(path, params={"min_position": 1_000_000}, role="auditor")
    problem(late, 503, "unavailable")
    assert await accesses(api) == []
    assert (await api.get(path, params={"min_position": 1}, role="auditor")).status_code == 200
    assert len(await accesses(api)) == 1


UNAVAILABLE = """
CREATE FUNCTION log.away() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'terminating connection' USING ERRCODE = '57P01'; END $$;
GRANT EXECUTE ON FUNCTION log.away TO PUBLIC;
CREATE TRIGGER away BEFORE INSERT ON log.leadlog_events
  FOR EACH STATEMENT EXECUTE FUNCTION log.away();
"""


async def test_nothing_is_shown_that_cannot_be_recorded(owned: tuple[Api, str]) -> None:
    """R117: where the log takes nothing, nobody reads a history or a value in clear."""
    api, lead = owned
    api.token("auditor")
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute(UNAVAILABLE)
    answers = await asyncio.gather(
        api.get(f"/v1/leads/{lead}/events", role="auditor"), reveal(api, lead)
    )
    for answer in answers:
        problem(answer, 503, "unavailable")
        assert CUSTOMER["customer"] not in answer.text and PHONE not in answer.text
