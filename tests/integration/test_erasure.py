"""An erased lead cannot be read anywhere, and everything else stays true (T13, R113, R117, P7)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from httpx import Response

from adapters.company import open_company
from adapters.settings import Settings
from adapters.write_side import WriteSide, open_write_side
from aggregates.directory.register import ROLES
from aggregates.refusal import Refusal
from commands.caller import Caller
from commands.lead.entry import CaptureLead
from commands.lead.privacy import EraseLead
from commands.leads import WIRING
from projections.reports.catalogue import REPORTS
from tests.checker import check
from tests.integration.api_client import Api, problem, running
from tests.integration.erasing import (
    CONTROL,
    company,
    customer,
    lead,
    mark,
    numbers,
    phone,
    said,
)
from tests.integration.program import Program
from tests.integration.searching import Needles, dumped, rows
from tests.size import size

pytestmark = pytest.mark.anyio

LEADS = size(5, 500)
REASON = "客户要求删除个人信息"
CLIENT = ("httpx", "httpcore")
"""The test's own client, which logs addresses; the service does not."""
CLERK = Caller("user:admin-person")


@pytest.fixture
async def staffed(dsn: str) -> AsyncIterator[Api]:
    async with running(dsn) as api:
        await company(api)
        yield api


async def erase(api: Api, lead: str, **options: Any) -> Response:
    return await api.post(f"/v1/leads/{lead}:erase", {"reason": REASON}, **options)


async def reports(api: Api) -> dict[str, Any]:
    """Every report, whole."""
    found = {}
    for name in REPORTS:
        answer = await api.get(f"/v1/reports/{name}")
        assert answer.status_code == 200, answer.text
        found[name] = {k: v for k, v in answer.json().items() if k in ("rows", "total")}
    return found


def everywhere(dsn: str) -> dict[str, set[int]]:
    """Which leads can be read in which table, or in a backup."""
    found: dict[str, set[int]] = {}
    for table, row in (*rows(dsn), ("pg_dump", dumped(dsn))):
        if hits := numbers(row):
            found.setdefault(table, set()).update(hits)
    return found


async def answers(api: Api, lead: str, attachment: str) -> AsyncIterator[tuple[str, Response]]:
    """Whatever can be read, by every role."""
    places = {
        "ref": lead,
        "attachment": attachment,
        "name": "conversion",
        "bucket": "all",
        "review": str(UUID(int=0)),
        "kind": "pause",
    }
    for path, item in api.app.openapi()["paths"].items():
        if "get" in item:
            own = places | ({"name": "sales-person"} if path.startswith("/v1/users") else {})
            for role in ROLES:
                yield f"{role} {path}", await api.get(path.format_map(own), role=role)


@pytest.mark.parametrize("way", ["http", "cli"])
async def test_nothing_of_an_erased_lead_is_left(
    staffed: Api, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """T13, R113: tables, a dump, the log output, the list of erasures, every read by every role;
    the reports say what they said.
    """
    caplog.set_level(logging.DEBUG)
    api, control = staffed, await lead(staffed, CONTROL)
    erased = [await lead(api, number) for number in range(LEADS)]
    await api.project()
    before = await reports(api)
    (file, *_) = (await api.get(f"/v1/leads/{erased[0]}/attachments")).json()["items"]
    assert everywhere(api.dsn), "the search finds what is there"

    for one in erased:
        if way == "http":
            answer = await erase(api, one)
            assert answer.status_code == 200, answer.text
            assert numbers(answer.text) == set()
        else:
            run = await asyncio.to_thread(Program(api.dsn).run, "erase", one, "--reason", REASON)
            assert "all have dropped it" in run.stdout and "+08:00 " in run.stdout
            assert numbers(run.stdout + run.stderr) == set()
    await api.project()

    left = {place: hits - {CONTROL} for place, hits in everywhere(api.dsn).items()}
    assert {place: hits for place, hits in left.items() if hits} == {}
    coded = Needles([mark(0), phone(0)])
    assert not [table for table, row in rows(api.dsn) if coded.found(row)]
    assert await reports(api) == before
    async for place, answer in answers(api, erased[0], file["id"]):
        assert answer.status_code < 500, (place, answer.text)
        assert numbers(answer.text) <= {CONTROL}, place
    logged = [r for r in caplog.records if not r.name.startswith(CLIENT)]
    assert {r.name for r in logged if numbers(r.getMessage() + str(r.exc_info))} == set()
    assert numbers(Settings().erasure_list_path.read_text()) == set()
    assert (await api.get(f"/v1/leads/{control}")).json()["contact"] == f"经理{mark(CONTROL)}"
    gone = await api.get(f"/v1/leads/{erased[0]}/attachments/{file['id']}")
    problem(gone, 404, "not-found")
    assert check(api.dsn) == []
    assert "every event readable" in Program(api.dsn)("audit", "verify")


async def test_the_certificate_says_what_was_destroyed(staffed: Api) -> None:
    api, one = staffed, await lead(staffed, 1)
    with psycopg.connect(api.dsn) as conn:
        count = "SELECT count(*) FROM log.leadlog_events WHERE originator_id = %s"
        (events,) = conn.execute(count, (one,)).fetchone() or ()
    done = await erase(api, one)
    assert done.status_code == 200, done.text
    answer = await api.get("/v1/privacy/erasures", role="auditor")
    (early,) = answer.json()["items"]
    assert not all(early["reflected"].values()), "the worker has not been by"
    await api.project()
    (said,) = (await api.get("/v1/privacy/erasures", params={"lead": one})).json()["items"]
    assert all(said["reflected"].values())
    assert (said["lead"], said["by"], said["reason"]) == (one, "admin-person", REASON)
    assert (said["keys"], said["attachments"]) == (1, 1)
    assert said["marks"] >= 3, "phone, e-mail and customer"
    assert 0 < said["sealed_events"] < events
    assert said["position"] == int(done.headers["leadlog-position"])
    other = await api.lead()
    none = await api.get("/v1/privacy/erasures", params={"lead": other["id"]})
    assert none.json()["items"] == []


async def test_an_erasure_is_asked_for_with_a_reason_by_an_administrator(staffed: Api) -> None:
    """A27: nobody else, also of their own leads; the reason outlives the customer."""
    api, one = staffed, await lead(staffed, 1)
    for role in ROLES:
        if role != "admin":
            problem(await erase(api, one, role=role), 403, "forbidden")
    for reason in (f"请删除 {phone(1)}", f"写信到 {mark(1)}@example.cn"):
        refused = await api.post(f"/v1/leads/{one}:erase", {"reason": reason})
        problem(refused, 422, "contact-in-reason")
    problem(await api.post(f"/v1/leads/{one}:erase", {}), 422, "invalid-request")
    nobody = UUID(int=5)
    problem(await erase(api, str(nobody)), 404, "not-found")
    program = Program(api.dsn)
    program("erase", str(nobody), "--reason", REASON, refused="there is no such lead")
    program("erase", "crm/1", "--reason", REASON, refused="there is no lead crm/1: name it by")
    program("erase", one, "--reason", f"打 {phone(1)}", refused="without a phone number")
    program("erase", one, "--reason", "", refused="--reason: ")
    assert (await api.get(f"/v1/leads/{one}")).json()["contact"] == f"经理{mark(1)}"


async def test_no_command_is_recorded_on_an_erased_lead(staffed: Api) -> None:
    """But one that was carried out before is answered again, without what is gone."""
    api, one = staffed, await lead(staffed, 1)
    other = await api.lead()
    captured, paused, seen = ({"Idempotency-Key": name} for name in ("capture", "pause", "seen"))
    again = await api.post("/v1/leads", customer(2), headers=captured)
    assert (
        await api.post(f"/v1/leads/{one}:pause", {"reason": mark(1)}, headers=paused)
    ).is_success
    shown = f"/v1/leads/{one}/contact:reveal"
    phoned = {"field": "phone", "purpose": "首次联系"}
    assert (await api.post(shown, phoned, headers=seen)).json()["value"] == phone(1)
    for lead_id in (one, again.json()["id"]):
        assert (await erase(api, lead_id, headers={"Idempotency-Key": lead_id})).is_success
    events = (await api.get(f"/v1/leads/{one}/events")).json()["items"]

    async with AsyncExitStack() as stack:
        own = open_write_side(api.dsn, open_company(api.dsn, Settings()), stack)
        for model in WIRING:
            if model is CaptureLead:
                continue
            names = {"into": other["id"], "other": other["id"]}
            body = {
                **_example(model),
                **{n: v for n, v in names.items() if n in model.model_fields},
            }
            command = model.model_validate_json(msgspec.json.encode(body))
            with pytest.raises(Refusal) as refused:
                await own.commands.execute(command, lead=UUID(one), caller=CLERK)
            assert refused.value.code == "erased", model
    problem(await erase(api, one), 422, "erased")
    upload = await api.call(
        "POST",
        f"/v1/leads/{one}/attachments",
        params={"name": "公司-报价-20240502.pdf"},
        content=b"%PDF-1.7",
    )
    problem(upload, 422, "erased")

    repeated = {
        "/v1/leads": (customer(2), captured, 201),
        f"/v1/leads/{one}:pause": ({"reason": mark(1)}, paused, 200),
        shown: (phoned, seen, 200),
        f"/v1/leads/{one}:erase": ({"reason": REASON}, {"Idempotency-Key": one}, 200),
    }
    for path, (body, with_key, status) in repeated.items():
        answer = await api.post(path, body, headers=with_key)
        assert answer.status_code == status, answer.text
        assert numbers(answer.text) == set()
    assert (await api.post(shown, phoned, headers=seen)).json()["value"] is None
    assert (await api.get(f"/v1/leads/{one}/events")).json()["items"] == events


def _example(model: Any) -> dict[str, Any]:
    examples = model.model_json_schema().get("examples")
    return dict(examples[0]) if examples else {}


async def test_a_customer_who_comes_back_is_a_new_one(staffed: Api) -> None:
    """R2: nothing says that this phone number was known."""
    api, one = staffed, await lead(staffed, 1)
    twin = await api.post("/v1/leads", customer(1))
    assert [found["id"] for found in twin.json()["duplicates"]] == [one]
    assert (await erase(api, one)).is_success
    assert (await erase(api, twin.json()["id"])).is_success
    back = await api.post("/v1/leads", customer(1))
    assert back.json()["duplicates"] == []
    assert (await api.get(f"/v1/leads/{back.json()['id']}")).json()["contact"] == f"经理{mark(1)}"


async def test_a_duplicate_that_is_erased_leaves_the_other_whole(staffed: Api) -> None:
    """A1: of a merged pair either may be erased; nothing is merged into one that was."""
    api = staffed
    into, gone = await lead(api, 1), await lead(api, 2)
    assert (await api.post(f"/v1/leads/{gone}:merge", {"into": into})).is_success
    await api.project()
    before = await reports(api)
    assert (await erase(api, gone)).is_success
    await api.project()
    assert await reports(api) == before
    assert {hit for hits in everywhere(api.dsn).values() for hit in hits} == {1}
    assert (await api.post(f"/v1/leads/{into}:pause", {"reason": "预算未批"})).is_success
    assert (await erase(api, into)).is_success
    third = await lead(api, 3)
    refused = await api.post(f"/v1/leads/{third}:merge", {"into": into})
    assert problem(refused, 422, "erased")["errors"][0]["pointer"] == "#/into"
    await api.project()
    assert {hit for hits in everywhere(api.dsn).values() for hit in hits} == {3}
    assert check(api.dsn) == []


async def test_an_erasure_among_commands_happens_once(dsn: str) -> None:
    """Two service processes, two erasures, many commands and a worker at the same time."""
    async with running(dsn) as one, running(dsn) as two:
        await company(one)
        lead_id = await lead(one, 1)
        token = {"Authorization": f"Bearer {one.token('admin')}"}
        bodies = [(path, body) for path, body in said(1) if path in ("/follow-ups", ":label")]
        work = [
            api.post(f"/v1/leads/{lead_id}{path}", body, headers=token)
            for api in (one, two)
            for path, body in bodies * 8
        ]
        erasures = [erase(api, lead_id, headers=token) for api in (one, two)]
        both, *rest = await asyncio.gather(
            asyncio.gather(*work[:8], *erasures, *work[8:]), one.project(), two.project()
        )
        assert rest == [None, None]
        assert sorted(both[n].status_code for n in (8, 9)) == [200, 422]
        for answer in (*both[:8], *both[10:]):
            assert answer.is_success or answer.json()["type"] == "/problems/erased", answer.text
        await one.project()
    assert everywhere(dsn) == {}
    with psycopg.connect(dsn) as conn:
        topics = [t for (t,) in conn.execute(
            "SELECT topic FROM log.leadlog_events WHERE originator_id = %s"
            " ORDER BY originator_version", (lead_id,))]  # fmt: skip
        assert conn.execute("SELECT count(*) FROM privacy.keys").fetchone() == (0,)
    assert topics.index("lead.personal-data-erased") == len(topics) - 1
    assert check(dsn) == []


async def test_what_is_no_lead_cannot_be_erased(staffed: Api) -> None:
    """A person of the company has a stream of their own, too."""
    with psycopg.connect(staffed.dsn) as conn:
        row = conn.execute(
            "SELECT originator_id FROM log.leadlog_events WHERE topic = 'directory.person-added'"
        ).fetchone()
    assert row
    answer = await erase(staffed, str(row[0]))
    assert answer.status_code in (404, 422), answer.text
    assert answer.status_code == 404 or answer.json()["type"] == "/problems/not-a-lead"


async def test_only_an_erasure_on_record_destroys_a_key(staffed: Api) -> None:
    """The function that does it is called by the log alone: by hand it refuses."""
    one = await lead(staffed, 1)
    with psycopg.connect(staffed.dsn) as conn:
        conn.execute("SET ROLE leadlog_writer")
        with pytest.raises(psycopg.errors.RaiseException, match="no erasure of"):
            conn.execute("SELECT privacy.forget(%s, 3)", (one,))
    for statement in ("DELETE FROM privacy.keys", "UPDATE privacy.erasures SET keys = 0"):
        with psycopg.connect(staffed.dsn) as conn:
            conn.execute("SET ROLE leadlog_writer")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


def write_side(dsn: str, stack: AsyncExitStack) -> WriteSide:
    return open_write_side(dsn, open_company(dsn, Settings()), stack)


async def test_one_whose_service_was_killed_is_noted_at_the_next_start(dsn: str) -> None:
    """Between the commit and the list: the next start of any process reads the database."""
    async with AsyncExitStack() as stack:
        own = write_side(dsn, stack)
        capture = CaptureLead(customer="甲公司", phone=phone(1))
        reply = await own.commands.execute(capture, lead=None, caller=CLERK)
        erasing = EraseLead(reason=REASON)
        await own.commands.execute(erasing, lead=reply.state.id, caller=CLERK)
    listed = Settings().erasure_list_path
    assert not listed.exists()
    Program(dsn)("migrate")
    noted = listed.read_text()
    assert str(reply.state.id) in noted and len(noted.splitlines()) == 1
    assert listed.stat().st_mode & 0o777 == 0o600
    Program(dsn)("migrate")
    assert listed.read_text() == noted
