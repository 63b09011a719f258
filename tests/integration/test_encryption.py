"""What is personal is sealed in the log, with a key per lead (architecture section 7, R113)."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from adapters.keyring import LostKeyError, UnreadableError
from adapters.postgres.attachments import AttachmentStore
from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Event, Meta
from aggregates.lead import events as e
from commands.ports import Appended, NewEvents, Outcome
from tests.integration.api_client import Api
from tests.integration.history_files import AT, imported, text, write
from tests.integration.program import Program
from tests.integration.searching import Needles, dumped, places, rows
from tests.integration.test_attachments import PDF, upload

pytestmark = pytest.mark.anyio

TYPED = {
    "customer": "甲方秘密有限公司",
    "contact": "隐名经理",
    "contact_title": "隐职主管",
    "phone": "13912340001",
    "email": "secret.person@example.cn",
    "need": "机密需求两百台电脑",
}
ATTRIBUTES = {"备注": "不许外传的备注", "规模": 120}
TALK = {"content": "机密谈话内容很长", "feedback": "机密反馈需要报价", "next_step": "机密下一步"}
LEAD, OTHER = UUID(int=1), UUID(int=2)
KEYS = "SELECT stream FROM privacy.keys ORDER BY stream"
STATE = "SELECT state FROM log.leadlog_events WHERE originator_id = %s AND originator_version = %s"


async def append(log: PostgresEventLog, lead: UUID, after: int, *events: Event) -> Appended:
    meta = Meta("user:test", uuid4())
    return await log.append(NewEvents(lead, after, events, meta, b"f", {}))


def captured(phone: str = "13912340001") -> Event:
    return e.LeadCaptured(code="XLSH20240501001", details={"phone": phone})


def tamper(dsn: str, statement: str, *params: Any) -> None:
    """Change the log as nobody may: past its triggers."""
    with psycopg.connect(dsn) as conn:
        conn.execute("SET session_replication_role = replica")
        assert conn.execute(statement, params).rowcount == 1


def keys(dsn: str) -> list[UUID]:
    with psycopg.connect(dsn) as conn:
        return [stream for (stream,) in conn.execute(KEYS)]


async def test_nothing_personal_stands_in_clear_in_the_log(api: Api) -> None:
    """R113: log, files, and a dump of them: what is to be read is what reports group by."""
    lead = await api.lead(**TYPED, attributes=ATTRIBUTES)
    url = f"/v1/leads/{lead['id']}"
    for path, body in (
        ("/follow-ups", TALK | {"method": "电话沟通"}),
        (":pause", {"reason": "机密暂缓原因"}),
        (":resume", {"reason": "机密恢复原因"}),
        (":label", {"level": "high", "reason": "机密标签原因"}),
        (":convert", {}),
        (":reverse-conversion", {"reason": "机密撤销原因"}),
    ):
        answer = await api.post(url + path, body)
        assert answer.is_success, answer.text
    name = "甲方秘密有限公司-机密报价-20240502.pdf"
    file = await upload(api, lead["id"], PDF + "文件里的机密".encode(), name)
    assert file.status_code == 201, file.text
    typed = [
        *TYPED.values(), "不许外传的备注", *TALK.values(), "机密暂缓原因", "机密恢复原因",
        "机密标签原因", "机密撤销原因", "机密报价", "文件里的机密",
    ]  # fmt: skip
    needles = Needles(typed)
    assert not [(t, needles.found(row)) for t, row in rows(api.dsn) if needles.found(row)]
    assert not needles.found(dumped(api.dsn))
    assert "log.leadlog_events" in places(api.dsn, ["官网注册"]), "the search finds what is there"
    assert (await api.get(url)).json()["contact"] == TYPED["contact"]
    assert (await api.get(file.headers["location"])).content.endswith("文件里的机密".encode())


async def test_a_key_is_made_with_the_first_personal_event(dsn: str) -> None:
    """In its commit, and none before: 48 bytes of ciphertext, under the id of the master key."""
    log = PostgresEventLog(dsn)
    await append(log, LEAD, 0, e.LeadCaptured(code="A", details={"source": "展会"}))
    assert keys(dsn) == []
    await append(log, LEAD, 1, e.InfoChanged(details={"phone": "13912340001"}))
    await append(log, LEAD, 2, e.InfoChanged(details={"phone": "13912340002"}))
    assert keys(dsn) == [LEAD]
    assert [event.details for event in await log.load(LEAD)][1:] == [  # type: ignore[attr-defined]
        {"phone": "13912340001"},
        {"phone": "13912340002"},
    ]
    await log.close()


async def test_two_processes_that_capture_one_lead_leave_one_key(dsn: str) -> None:
    """Who is slower made a key in vain: nothing is sealed with it, now or later."""
    first, second = PostgresEventLog(dsn), PostgresEventLog(dsn)
    done = await asyncio.gather(
        append(first, LEAD, 0, captured()), append(second, LEAD, 0, captured())
    )
    assert sorted(d.outcome.value for d in done) == ["appended", "conflict"]
    assert keys(dsn) == [LEAD]
    for log in (second, first):
        found = await log.load(LEAD)
        await append(log, LEAD, len(found), e.InfoChanged(details={"need": "x"}))
    assert len(await first.load(LEAD)) == len(await second.load(LEAD)) == 3
    await first.close()
    await second.close()


async def test_a_conflict_leaves_no_key(dsn: str) -> None:
    log = PostgresEventLog(dsn)
    await append(log, LEAD, 0, e.LeadCaptured(code="A"))
    done = await append(log, LEAD, 0, captured())
    assert done.outcome is Outcome.CONFLICT
    assert keys(dsn) == []
    await log.close()


async def test_a_key_that_an_upload_made_meanwhile_is_a_conflict(dsn: str) -> None:
    """Or what others append in the same commit would fail with it, or lose its key."""
    log, files = PostgresEventLog(dsn), AttachmentStore(dsn)
    await append(log, LEAD, 0, e.LeadCaptured(code="A"))

    async def content() -> Any:
        yield b"x"

    found = log._find_key

    async def too_early(lead: UUID) -> None:
        """What was true when it was asked."""
        await files.keep(lead, uuid4(), content())

    log._find_key = too_early  # type: ignore[assignment]
    innocent = append(log, OTHER, 0, captured())
    lost, kept = await asyncio.gather(append(log, LEAD, 1, e.LeadPaused(reason="x")), innocent)
    assert (lost.outcome, kept.outcome) == (Outcome.CONFLICT, Outcome.APPENDED)
    log._find_key = found
    again = await append(log, LEAD, 1, e.LeadPaused(reason="x"))
    assert again.outcome is Outcome.APPENDED
    assert (await log.load(LEAD))[1] == e.LeadPaused(reason="x")
    await log.close()
    await files.close()


def lose_key(dsn: str, lead: UUID) -> None:
    tamper(dsn, "DELETE FROM privacy.keys WHERE stream = %s", lead)


async def test_a_lost_key_is_an_error_that_says_so(dsn: str) -> None:
    """It read as "nothing was ever given", and the next command made a second key."""
    log = PostgresEventLog(dsn)
    await append(log, LEAD, 0, captured())
    await append(log, OTHER, 0, captured("13912340002"))
    await log.close()
    with psycopg.connect(dsn) as conn:
        keep = "SELECT wrapped FROM privacy.keys WHERE stream = %s"
        (wrapped,) = conn.execute(keep, (LEAD,)).fetchone() or ()
    lose_key(dsn, LEAD)
    fresh, files = PostgresEventLog(dsn), AttachmentStore(dsn)
    lost, other = await asyncio.gather(fresh.load(LEAD), fresh.load(OTHER), return_exceptions=True)
    assert isinstance(lost, LostKeyError), lost
    assert str(LEAD) in str(lost) and "privacy.keys back from a backup" in str(lost)
    assert isinstance(other, list) and len(other) == 1
    again = await append(fresh, LEAD, 1, e.InfoChanged(details={"phone": "13912340003"}))
    assert again.outcome is Outcome.CONFLICT, "no second key"
    with pytest.raises(LostKeyError):
        await files.keep(LEAD, uuid4(), chunks_of(b"x"))
    with pytest.raises(LostKeyError):
        [piece async for piece in files.chunks(LEAD, uuid4())]
    assert keys(dsn) == [OTHER]
    verdict = Program(dsn)
    verdict("audit", "verify", refused=f"the keys of 1 leads are lost, of {LEAD} first")
    with psycopg.connect(dsn) as conn:
        conn.execute("INSERT INTO privacy.keys VALUES (%s, %s)", (LEAD, wrapped))
    assert len(await fresh.load(LEAD)) == 1
    assert "every event readable" in verdict("audit", "verify")
    await fresh.close()
    await files.close()


async def chunks_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_a_lost_key_parks_its_lead_alone(api: Api) -> None:
    """In the read models that need it; the others go on."""
    lead, other = (await api.lead())["id"], (await api.lead())["id"]
    lose_key(api.dsn, UUID(lead))
    await api.project()
    with psycopg.connect(api.dsn) as conn:
        parked = conn.execute("SELECT stream, error FROM projection.parked").fetchall()
    assert {str(stream) for stream, _ in parked} == {lead}
    assert any(error.startswith("LostKeyError: the key of lead") for _, error in parked)
    assert (await api.get(f"/v1/leads/{other}")).json()["contact"]
    assert (await api.get(f"/v1/leads/{lead}")).status_code in (404, 500)


def test_an_import_makes_no_second_key(dsn: str, tmp_path: Path) -> None:
    about = '{"customer": "甲方秘密有限公司", "phone": "13912340001", "channel": "website"}'
    first = (1, AT, "12", "LeadCreated", about)
    assert imported(dsn, write(tmp_path, text([first]))).returncode == 0
    (lead,) = keys(dsn)
    lose_key(dsn, lead)
    again = imported(dsn, write(tmp_path, text([first, (2, AT, "12", "LeadCreated", about)])))
    assert again.returncode == 1
    assert f"the key of lead {lead} is lost" in again.stderr
    assert keys(dsn) == []


async def test_a_key_that_cannot_be_opened_fails_its_lead_alone(dsn: str) -> None:
    """Of all who ask for keys in one round trip."""
    log = PostgresEventLog(dsn)
    for lead in (LEAD, OTHER):
        await append(log, lead, 0, captured())
    await log.close()
    swap = "UPDATE privacy.keys SET wrapped = set_byte(wrapped, 30, 255 - get_byte(wrapped, 30))"
    tamper(dsn, f"{swap} WHERE stream = %s", LEAD)
    fresh = PostgresEventLog(dsn)
    more = e.InfoChanged(details={"need": "x"})
    lost, kept = await asyncio.gather(
        append(fresh, LEAD, 1, more), append(fresh, OTHER, 1, more), return_exceptions=True
    )
    assert isinstance(lost, UnreadableError), lost
    assert isinstance(kept, Appended) and kept.outcome is Outcome.APPENDED
    await fresh.close()


MOVES = {
    "another lead": ("UPDATE log.leadlog_events SET state = %s WHERE originator_id = %s", OTHER),
    "another version": (
        "UPDATE log.leadlog_events SET originator_version = 7 WHERE state = %s"
        " AND originator_id = %s",
        LEAD,
    ),
    "another topic": (
        "UPDATE log.leadlog_events SET topic = 'lead.info-changed' WHERE state = %s"
        " AND originator_id = %s",
        LEAD,
    ),
}


@pytest.mark.parametrize("move", ["another lead", "another version", "another topic"])
async def test_a_sealed_event_cannot_be_moved(dsn: str, move: str) -> None:
    log = PostgresEventLog(dsn)
    await append(log, LEAD, 0, captured())
    await append(log, OTHER, 0, captured("13912340002"))
    with psycopg.connect(dsn) as conn:
        (state,) = conn.execute(STATE, (LEAD, 1)).fetchone() or ()
    statement, lead = MOVES[move]
    tamper(dsn, statement, state, lead)
    fresh = PostgresEventLog(dsn)
    with pytest.raises(UnreadableError, match=f"sealed at {lead}/"):
        await fresh.load(lead)
    await fresh.load(OTHER if lead == LEAD else LEAD)  # no other lead is drawn into it
    await fresh.close()
    await log.close()


async def test_an_altered_byte_is_seen(dsn: str) -> None:
    log = PostgresEventLog(dsn)
    await append(log, LEAD, 0, captured())
    flip = (
        "UPDATE log.leadlog_events SET state = set_byte(state, at, CASE get_byte(state, at)"
        " WHEN 65 THEN 66 ELSE 65 END)"
        " FROM (SELECT position('sealed'::bytea IN state) + 40 AS at FROM log.leadlog_events) p"
    )
    tamper(dsn, flip)
    with pytest.raises(UnreadableError):
        await log.load(LEAD)
    await log.close()


@pytest.mark.parametrize("other", ["another file", "another chunk"])
async def test_a_piece_of_a_file_cannot_be_moved(dsn: str, other: str) -> None:
    files, one, two = AttachmentStore(dsn), uuid4(), uuid4()

    async def content() -> Any:
        yield b"first"
        yield b"second"

    for attachment in (one, two):
        await files.keep(LEAD, attachment, content())
    source, chunk = (two, 0) if other == "another file" else (one, 1)
    tamper(
        dsn,
        "UPDATE log.attachments SET data = (SELECT data FROM log.attachments WHERE attachment = %s"
        " AND chunk = %s) WHERE attachment = %s AND chunk = 0",
        source,
        chunk,
        one,
    )
    with pytest.raises(UnreadableError, match=f"attachment {one}/0"):
        [piece async for piece in files.chunks(LEAD, one)]
    assert [piece async for piece in files.chunks(LEAD, two)] == [b"first", b"second"]
    assert [piece async for piece in files.chunks(OTHER, two)] == []
    await files.close()


def test_an_import_seals_too(dsn: str, tmp_path: Path) -> None:
    """The customer of a history; what reports group by stays to be read (decision 8)."""
    about = '{"customer": "甲方秘密有限公司", "phone": "13912340001", "channel": "website"}'
    file = write(
        tmp_path,
        text(
            [
                (1, AT, "12", "LeadCreated", about),
                (2, AT, "12", "ActivityLogged", '{"kind": "call", "content": "机密谈话"}'),
                (3, AT, "13", "LeadCreated", '{"channel": "website"}'),
            ]
        ),
    )
    done = imported(dsn, file)
    assert done.returncode == 0, done.stderr
    hidden = Needles(["甲方秘密有限公司", "13912340001"])
    assert not any(hidden.found(row) for table, row in rows(dsn) if table.startswith("log."))
    assert len(keys(dsn)) == 1
    again = imported(dsn, file)
    assert again.returncode == 0, again.stderr
    assert len(keys(dsn)) == 1
