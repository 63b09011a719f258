"""Files of leads over HTTP: R54-R56, A16, A17, golden case 7, decisions 7."""

import asyncio
import tracemalloc
from collections.abc import AsyncIterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest
from httpx import Response
from psutil import Process

from tests.integration.api_client import CONTACT, Api, problem, running

pytestmark = pytest.mark.anyio

NAME = "A科技公司-办公设备报价单-20240502.pdf"
PDF = b"%PDF-1.7\n" + bytes(range(256)) * 40
MEGABYTE = 1_000_000
SEAL = 12 + 16  # nonce and tag of every chunk


async def upload(
    api: Api, lead: str, content: Any = PDF, name: str = NAME, **options: Any
) -> Response:
    """Put a file on a lead."""
    follow_up = options.pop("follow_up", None)
    query = {"name": name} | ({"follow_up": follow_up} if follow_up else {})
    path = f"/v1/leads/{lead}/attachments"
    return await api.call("POST", path, params=query, content=content, **options)


def stored(dsn: str) -> dict[str, int]:
    """How many bytes of each attachment are kept."""
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(
            "SELECT attachment, sum(length(data) - %s) FROM log.attachments GROUP BY attachment",
            (SEAL,),
        )
        return {str(attachment): int(size) for attachment, size in rows}


async def test_a_file_goes_in_and_comes_out_as_it_was(api: Api) -> None:
    """R54, golden case 7: metadata, checksum, name and type; a browser must not open it."""
    lead = await api.lead()
    answer = await upload(api, lead["id"], headers={"If-Match": f'"{lead["version"]}"'})
    assert answer.status_code == 201, answer.text
    body = answer.json()
    assert body | {"id": "", "added_at": ""} == {
        "id": "",
        "name": NAME,
        "content_type": "application/pdf",
        "size": len(PDF),
        "sha256": sha256(PDF).hexdigest(),
        "follow_up": None,
        "warning": None,
        "added_at": "",
    }
    assert answer.headers["etag"] == f'"{lead["version"] + 1}"'
    assert int(answer.headers["leadlog-position"]) > 0

    file = await api.get(answer.headers["location"])
    assert (file.status_code, file.content) == (200, PDF)
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["content-length"] == str(len(PDF))
    assert file.headers["x-content-type-options"] == "nosniff"
    assert file.headers["etag"] == f'"{body["sha256"]}"'
    assert file.headers["content-disposition"] == (
        f"attachment; filename=\"A____-_______-20240502.pdf\"; filename*=UTF-8''{quote(NAME)}"
    )
    known = await api.get(
        answer.headers["location"], headers={"If-None-Match": file.headers["etag"]}
    )
    assert (known.status_code, known.content) == (304, b"")

    listed = await api.get(f"/v1/leads/{lead['id']}/attachments")
    assert listed.json()["items"] == [body]


async def test_names_are_judged_and_a_refusal_suggests_one(api: Api) -> None:
    """R55, A16, golden case 7: nothing of a refused file is kept."""
    lead = await api.lead()
    answer = await upload(api, lead["id"], name="报价单final.pdf")
    error = problem(answer, 422, "attachment-name")["errors"][0]
    assert error["parameter"] == "name"
    assert error["suggestion"].startswith("A科技有限公司-报价单-20")
    assert error["suggestion"].endswith(".pdf")
    problem(
        await upload(api, lead["id"], name=NAME.replace("0502", "0231")), 422, "attachment-name"
    )
    assert stored(api.dsn) == {}
    taken = await upload(api, lead["id"], name=error["suggestion"])
    assert taken.status_code == 201, taken.text


@pytest.mark.parametrize(
    "content",
    [b"MZ\x90\0" + bytes(99), b"\x7fELF" + bytes(99), bytes(50)],
    ids=("windows", "linux", "nothing"),
)
async def test_the_content_says_what_it_is_not_the_name(api: Api, content: bytes) -> None:
    """Decisions 7, requirements section 5: the type is found by sniffing."""
    lead = await api.lead()
    problem(await upload(api, lead["id"], content), 415, "attachment-type")
    problem(await upload(api, lead["id"], b""), 422, "attachment-empty")
    assert stored(api.dsn) == {}


@pytest.mark.parametrize(
    "query", [{}, {"name": ""}, {"name": "a/b-c-20240502"}, {"name": NAME, "more": "x"}]
)
async def test_what_is_said_of_a_file_is_checked(api: Api, query: dict[str, str]) -> None:
    lead = await api.lead()
    path = f"/v1/leads/{lead['id']}/attachments"
    answer = await api.call("POST", path, params=query, content=PDF)
    problem(answer, 422, "invalid-request")


async def test_unknown_leads_and_files_are_not_found(api: Api) -> None:
    lead = await api.lead()
    problem(await upload(api, str(uuid4())), 404, "not-found")
    problem(await api.get(f"/v1/leads/{lead['id']}/attachments/{uuid4()}"), 404, "not-found")
    problem(await api.get(f"/v1/leads/{lead['id']}/attachments/1"), 404, "not-found")
    other = await api.lead()
    there = (await upload(api, lead["id"])).headers["location"].replace(lead["id"], other["id"])
    problem(await api.get(there), 404, "not-found")


async def test_the_same_file_again_is_no_second_one(api: Api) -> None:
    """R54: by content and name, and by Idempotency-Key; a key for another file is refused."""
    lead = await api.lead()
    first, same = await upload(api, lead["id"]), await upload(api, lead["id"])
    assert first.json() == same.json()
    assert first.headers["etag"] == same.headers["etag"]
    key = {"Idempotency-Key": "k1"}
    other = NAME.replace("报价单", "手册")
    second = await upload(api, lead["id"], name=other, headers=key)
    again = await upload(api, lead["id"], name=other, headers=key)
    assert second.json() == again.json() != first.json()
    reused = await upload(api, lead["id"], PDF + b"x", name=other, headers=key)
    problem(reused, 422, "idempotency-key-reused")
    items = (await api.get(f"/v1/leads/{lead['id']}/attachments")).json()["items"]
    assert [item["name"] for item in items] == [NAME, other]


async def test_the_same_file_at_the_same_time_is_one(api: Api) -> None:
    """R54: two clicks, two processes' worth of concurrency, one attachment."""
    lead = await api.lead()
    content = PDF * 100
    answers = await asyncio.gather(*(upload(api, lead["id"], content) for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    items = (await api.get(f"/v1/leads/{lead['id']}/attachments")).json()["items"]
    assert len(items) == 1
    assert stored(api.dsn) == {items[0]["id"]: len(content)}
    assert (await api.get(answers[0].headers["location"])).content == content


async def test_an_upload_that_broke_off_shows_nowhere_and_can_be_finished(api: Api) -> None:
    """Decisions 7: chunks without an event are nobody's; the same upload takes them up."""
    lead = await api.lead()
    whole = PDF * 100
    done = (await upload(api, lead["id"], whole)).json()
    other = await api.lead()
    with psycopg.connect(api.dsn) as conn:  # what a process that died had stored of it
        conn.execute(
            "INSERT INTO log.attachments SELECT %s, chunk, data FROM log.attachments"
            " WHERE attachment = %s AND chunk < 2",
            (uuid4(), done["id"]),
        )
    assert (await api.get(f"/v1/leads/{other['id']}/attachments")).json()["items"] == []
    assert len(stored(api.dsn)) == 2


async def test_twenty_megabytes_pass_through_little_memory(dsn: str) -> None:
    """R54: as long as the policy allows goes in and out, a byte more is 413."""
    size = 20 * MEGABYTE
    block = bytes(range(250)) * 400

    async def content(length: int) -> AsyncIterator[bytes]:
        yield b"%PDF-1.7\n".ljust(MEGABYTE // 10)
        for _ in range(length // len(block) - 1):
            yield block

    async with running(dsn) as api:
        lead = await api.lead()
        await upload(api, lead["id"])
        before = Process().memory_info().rss
        tracemalloc.start()
        answer = await upload(api, lead["id"], content(size), NAME.replace("0502", "0503"))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        grown = Process().memory_info().rss - before
        assert answer.status_code == 201, answer.text
        assert answer.json()["size"] == size
        assert grown < 10 * MEGABYTE, grown
        assert peak < 5 * MEGABYTE, peak
        file = await api.get(answer.headers["location"])
        assert sha256(file.content).hexdigest() == answer.json()["sha256"]
        too_long = await upload(api, lead["id"], content(size + len(block)), NAME)
        problem(too_long, 413, "attachment-too-large")


async def test_a_file_that_is_too_long_is_not_read_to_its_end(api: Api) -> None:
    """R54: 413 as soon as the policy's limit is passed."""
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 60 * MEGABYTE:
            sent += MEGABYTE
            yield bytes(MEGABYTE)

    lead = await api.lead()
    problem(await upload(api, lead["id"], endless()), 413, "attachment-too-large")
    assert sent == 21 * MEGABYTE


async def test_only_the_route_of_attachments_takes_long_bodies(dsn: str) -> None:
    """R54: its own limit; every other route keeps the common one."""
    async with running(dsn, max_body_bytes=2000, max_attachment_bytes=50_000) as api:
        lead = await api.lead()
        assert (await upload(api, lead["id"])).status_code == 201
        problem(await upload(api, lead["id"], PDF * 5), 413, "body-too-large")
        long = {"content": "x" * 3000}
        problem(await api.post(f"/v1/leads/{lead['id']}/follow-ups", long), 413, "body-too-large")


async def test_a_follow_ups_files_stand_beside_it(api: Api) -> None:
    """R54, table 2: by its code, which has to be one of this lead's."""
    lead = await api.lead()
    await api.post(f"/v1/leads/{lead['id']}/follow-ups", CONTACT)
    await api.project()
    path = f"/v1/leads/{lead['id']}/follow-ups"
    code = (await api.get(path)).json()["items"][0]["code"]
    assert (await upload(api, lead["id"], follow_up=code)).json()["follow_up"] == code
    other = await api.lead()
    answer = await upload(api, other["id"], follow_up=code)
    assert problem(answer, 422, "unknown-follow-up")["errors"][0]["parameter"] == "follow_up"
    await api.project()
    assert (await api.get(path)).json()["items"][0]["attachments"] == [NAME]


async def test_a_contact_detail_in_a_name_is_masked_wherever_it_is_shown(api: Api) -> None:
    """R75, golden case 5."""
    lead = await api.lead()
    name = "A科技公司-张13912345678-20240502.pdf"
    added = await upload(api, lead["id"], name=name)
    await api.project()
    found = await api.get("/v1/attachments", params={"q": "A科技"})
    file = await api.get(added.headers["location"])
    shown = added.text + found.text + str(file.headers)
    assert "13912345678" not in shown
    assert "139****5678" in added.json()["name"] == found.json()["items"][0]["name"]


async def test_found_by_a_part_of_the_name_newest_first(api: Api) -> None:
    """R56: over all leads that one may see, in pages."""
    leads = [await api.lead() for _ in range(3)]
    for lead in leads:
        await upload(api, lead["id"])
        await upload(api, lead["id"], name=NAME.replace("报价单", "手册").replace("pdf", "PDF"))
    await api.project()
    seen: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    for _ in range(2):
        answer = await api.get(
            "/v1/attachments", params={"q": "手册-20240502.pdf", "limit": 2} | cursor
        )
        assert answer.status_code == 200, answer.text
        seen += answer.json()["items"]
        cursor = {"cursor": answer.json()["next"]}
    assert cursor == {"cursor": None}
    assert [item["lead"] for item in seen] == [lead["id"] for lead in reversed(leads)]
    assert {item["code"] for item in seen} == {lead["code"] for lead in leads}
    nothing = await api.get("/v1/attachments", params={"q": "%"})
    assert nothing.json()["items"] == []


async def test_one_finds_and_takes_out_what_one_may_see_and_nothing_else(api: Api) -> None:
    """R56, R114, R115, A17: own leads, those shared by name, and for the administrator all."""
    mine, theirs = await api.lead(owner="sales-person"), await api.lead(owner="王芳")
    files = {lead["id"]: await upload(api, lead["id"]) for lead in (mine, theirs)}

    async def found(role: str) -> set[str]:
        await api.project()
        answer = await api.get("/v1/attachments", params={"q": "报价单"}, role=role)
        assert answer.status_code == 200, answer.text
        return {item["lead"] for item in answer.json()["items"]}

    place = files[theirs["id"]].headers["location"]
    assert await found("sales") == {mine["id"]}
    assert await found("marketing") == set()
    assert await found("admin") == await found("auditor") == {mine["id"], theirs["id"]}
    problem(await api.get(place, role="sales"), 404, "not-found")
    problem(await api.get(f"/v1/leads/{theirs['id']}/attachments", role="sales"), 404, "not-found")
    problem(await upload(api, theirs["id"], role="sales"), 404, "not-found")
    assert (await upload(api, mine["id"], role="sales")).status_code == 201

    await api.post(f"/v1/leads/{theirs['id']}/shares", {"person": "sales-person"})
    assert await found("sales") == {mine["id"], theirs["id"]}
    assert (await api.get(place, role="sales")).content == PDF
