"""A lead's life step by step, over HTTP and on the command line (M3)."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID, uuid4

import pytest
from rich.cells import cell_len

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Event, Meta, PolicyRef
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.lead.in_words import GONE
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.wording import ERASED
from api.replay_json import HistoryEvents, ReplaySteps
from commands.ports import NewEvents
from tests.conformance.histories import append, history, interleaved
from tests.conformance.test_replay_states import assert_replayed
from tests.integration.api_client import CONTACT, EMAIL, PHONE, Api, problem
from tests.integration.program import Program
from tests.seed import SEED
from tests.size import size

AT = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
POLICY = {"kind": "assignment", "version": 2, "hash": "9f86d081884c7d65"}
COMMAND = UUID(int=900)
LIFE: Sequence[Event] = (
    e.LeadCaptured(
        occurred_at=AT,
        code="XLSH20240501001",
        details={
            "customer": "A科技有限公司",
            "source": "官网",
            "phone": PHONE,
            "email": EMAIL,
            "need": f"采购50台办公电脑,请打 {PHONE}," + "需要下周前提供报价单和案例" * 20,
            "stage": PHONE,  # an attribute may be called like a field
        },
    ),
    e.LeadLabelled(
        occurred_at=AT, level="high", rule="高意向", policy=PolicyRef("labelling", 1, "ab" * 32)
    ),
    e.LeadAssigned(
        occurred_at=AT,
        owner="王强",
        team="华东一组",
        explanation={
            "policy": POLICY,
            "rule": "华东",
            "target": {"kind": "team", "name": "华东一组"},
            "candidates": [{"person": "王强", "load": 1}],
        },
    ),
    e.StageChanged(occurred_at=AT, stage="待跟进"),
    t.FirstFollowUpTaskIssued(
        occurred_at=AT,
        owner="王强",
        level="high",
        due_at=AT + timedelta(days=1),
        escalate_at=AT + timedelta(days=3),
        policy=PolicyRef("response", 4, "cd" * 32),
    ),
    t.FirstResponseBreached(occurred_at=AT + timedelta(days=1), owner="王强", level="high"),
    t.EscalatedToSupervisor(
        occurred_at=AT + timedelta(days=3), owner="王强", supervisors=("王芳",)
    ),
    e.FollowUpRecorded(
        occurred_at=AT + timedelta(days=4),
        code="GJ20240505001",
        connected=True,
        outcome="有意向",
        by="王强",
        method="电话沟通",
        content=f"客户回电 {PHONE}",
        stage="已联系",
        details={"线路": f"经 {PHONE}"},
    ),
    e.StageChanged(occurred_at=AT + timedelta(days=4), stage="已联系", previous="待跟进"),
    t.FirstResponseMade(occurred_at=AT + timedelta(days=4), by="王强", late=259_200.0),
    e.LeadShared(occurred_at=AT + timedelta(days=5), person="李雷", reason="熟悉客户"),
    e.LeadPaused(occurred_at=AT + timedelta(days=6), reason="预算未批", resume_at=AT),
)  # fmt: skip


@pytest.fixture
def lead(dsn: str) -> UUID:
    """A lead that was assigned by rule, followed up late, shared and paused."""

    stream = uuid4()
    store(dsn, stream, 0, LIFE, Meta("user:王强", COMMAND, UUID(int=901), UUID(int=902)))
    return stream


def store(dsn: str, lead: UUID, after: int, events: Sequence[Event], meta: Meta) -> None:
    """Record events on the lead."""

    async def append_all() -> None:
        log = PostgresEventLog(dsn)
        await log.append(NewEvents(lead, after, events, meta, b"f"))
        await log.close()

    asyncio.run(append_all())


def replayed(dsn: str, *arguments: str) -> list[dict[str, Any]]:
    """The steps as JSON."""
    shown = Program(dsn)("audit", "replay", *arguments, "--format", "json")
    assert PHONE not in shown
    assert EMAIL not in shown
    steps: list[dict[str, Any]] = json.loads(shown)
    return steps


def test_a_step_tells_what_happened_what_it_changed_by_which_rules_and_who(
    dsn: str, lead: UUID
) -> None:
    """M3, A4: masked, and in the company's time."""
    for reference in (str(lead), "XLSH20240501001"):
        steps = replayed(dsn, reference)
        assert [step["topic"] for step in steps] == [event.topic for event in LIFE]
    captured, labelled, assigned, *_ = steps
    assert captured["in_words"] == (
        "User 王强 entered the lead XLSH20240501001: A科技有限公司, from 官网"
    )
    assert captured["changes"]["phone"] == {"before": None, "after": "139****5678"}
    assert captured["changes"]["attribute:stage"] == {"before": None, "after": "139****5678"}
    assert captured["says"] == {}, "all of it is a change"
    assert (captured["actor"], captured["who"]) == ("user:王强", "User 王强")
    assert captured["command_id"] == str(COMMAND)
    assert captured["correlation_id"] == str(UUID(int=901))
    assert captured["causation_id"] == str(UUID(int=902))
    assert captured["occurred_at"] == "2024-05-01T09:15:00+08:00"
    assert captured["recorded_at"].endswith("+08:00")
    assert labelled["rules"] == [
        {"kind": "labelling", "version": 1, "hash": "ab" * 32, "rule": "高意向", "matched": None}
    ]
    assert assigned["rules"] == [{**POLICY, "rule": "华东", "matched": "asks team 华东一组"}]
    assert assigned["changes"]["owner"] == {"before": None, "after": "王强"}
    assert assigned["changes"]["assignment"]["after"]["rule"] == "华东"


def test_a_step_tells_what_became_of_the_clocks(dsn: str, lead: UUID) -> None:
    """M3, R38-R42: armed, rang, closed; what has no time is owed."""
    steps = replayed(dsn, str(lead))
    turns = [[(turn["name"], turn["change"]) for turn in step["timers"]] for step in steps]
    assert turns == [
        [], [], [], [],
        [("escalation", "armed"), ("first-follow-up", "armed")],
        [("first-follow-up", "rang")],
        [("escalation", "rang"), ("late-reason", "armed")],
        [], [],
        [("first-follow-up", "closed")],
        [], [],
    ]  # fmt: skip
    armed = steps[4]["timers"][1]
    assert armed["before"] is None
    assert armed["after"]["due_at"] == "2024-05-02T09:15:00+08:00"
    assert armed["after"]["owner"] == "王强"


def test_what_an_event_says_beside_what_it_changed_is_told_once(dsn: str, lead: UUID) -> None:
    """R46-R51, A4."""
    steps = replayed(dsn, str(lead))
    assert steps[7]["says"] == {
        "code": "GJ20240505001",
        "connected": True,
        "outcome": "有意向",
        "by": "王强",
        "method": "电话沟通",
        "content": "客户回电 139****5678",
        "stage": "已联系",
        "attribute:线路": "经 139****5678",
    }
    assert steps[10]["says"] == {"person": "李雷", "reason": "熟悉客户"}


def test_the_text_has_everything_on_a_hundred_columns(dsn: str, lead: UUID) -> None:
    told = Program(dsn)("audit", "replay", str(lead))
    assert max(map(cell_len, told.splitlines())) <= 100
    assert PHONE not in told
    flat = " ".join(told.split())
    for words in (
        "1 User 王强 entered the lead XLSH20240501001: A科技有限公司, from 官网",
        "when 2024-05-01T09:15:00+08:00, recorded 20",
        f"by user:王强, the command {COMMAND}, of the intent {UUID(int=901)}, caused by",
        "by user:王强, the command of step 1",
        "owner (none) -> 王强",
        "clock first-follow-up armed, due 2024-05-02T09:15:00+08:00",
        "clock first-follow-up rang, due 2024-05-02T09:15:00+08:00",
        "clock escalation rang, was due 2024-05-04T09:15:00+08:00",
        "clock late-reason armed, without a time",
        f"rules labelling version 1 ({'ab' * 6}), rule 高意向",
        "says content 客户回电 139****5678",
    ):
        assert words in flat, words
    assert "None" not in told


def test_the_past_is_replayed_by_either_axis(dsn: str, lead: UUID) -> None:
    """Decision 17: strictly before `as_of`; `as_known` includes its instant."""
    whole = replayed(dsn, str(lead))
    assert [s["version"] for s in replayed(dsn, str(lead), "--as-of", "2024-05-02 09:15")] == [
        1, 2, 3, 4, 5,
    ]  # fmt: skip
    recorded = whole[0]["recorded_at"]
    assert replayed(dsn, str(lead), "--as-known", recorded) == whole
    before = (datetime.fromisoformat(recorded) - timedelta(microseconds=1)).isoformat()
    Program(dsn)("audit", "replay", str(lead), "--as-known", before, refused="nothing of")


def test_a_step_says_that_what_it_held_is_erased(dsn: str, lead: UUID) -> None:
    """Of each event with personal values, and of no other; what it counts in is still there."""
    erased = PersonalDataErased(occurred_at=AT + timedelta(days=7), reason="客户要求", by="王芳")
    store(dsn, lead, len(LIFE), [erased], Meta("operator:root", uuid4()))
    steps = replayed(dsn, str(lead))
    gone = [step["topic"] for step in steps if step["erased"]]
    assert gone == [
        "lead.captured", "lead.follow-up-recorded", "lead.shared", "lead.paused",
    ]  # fmt: skip
    assert all(step["in_words"].endswith(GONE) is step["erased"] for step in steps)
    assert steps[0]["in_words"] == f"User 王强 entered the lead XLSH20240501001, from 官网{GONE}"
    assert "phone" not in steps[0]["changes"]
    assert steps[11]["in_words"].partition(": ")[2].startswith(ERASED)
    assert steps[12]["in_words"] == (
        "The operator root erased the personal data of the lead for 王芳: 客户要求"
    )
    assert steps[12]["changes"]["erased_at"]["after"] == "2024-05-08T09:15:00+08:00"
    told = Program(dsn)("audit", "replay", str(lead))
    for value in ("A科技", "z***@example.cn", "客户回电", "熟悉客户", "预算未批"):
        assert value not in told


def test_an_unknown_lead_is_one_line(dsn: str) -> None:
    refused = "leadlog: no lead is called XLSH19990101001\n"
    Program(dsn)("audit", "replay", "XLSH19990101001", refused=refused)


@pytest.mark.anyio
async def test_pages_of_steps_and_events_are_those_of_the_command_line(api: Api) -> None:
    """A page goes on where the one before ended; both have their documented shape."""
    lead = (await api.lead())["id"]
    assert (await api.post(f"/v1/leads/{lead}/follow-ups", CONTACT)).status_code == 201
    assert (await api.post(f"/v1/leads/{lead}:pause", {"reason": "预算未批"})).status_code == 200
    whole = await asyncio.to_thread(replayed, api.dsn, lead)
    for what, shape in (("replay", ReplaySteps), ("events", HistoryEvents)):
        found, cursor = [], ""
        while cursor is not None:
            page = await api.get(f"/v1/leads/{lead}/{what}?limit=2{cursor}", role="auditor")
            assert page.status_code == 200, page.text
            assert PHONE not in page.text
            shape.model_validate(page.json())
            found += page.json()["items"]
            following = page.json()["next"]
            cursor = f"&cursor={following}" if following else None
        assert [item["version"] for item in found] == [step["version"] for step in whole]
        if what == "replay":
            assert found == whole
    assert found[0]["data"]["details"]["phone"] == "139****5678"
    assert found[0]["data"]["code"].startswith("XLSH")
    assert (await api.get(f"/v1/leads/{lead}/replay?limit=201")).status_code == 400
    too_far = await api.get(f"/v1/leads/{lead}/replay?min_position=999999")
    problem(too_far, 503, "unavailable")


@pytest.mark.anyio
async def test_both_are_documented(api: Api) -> None:
    document = api.app.openapi()
    for what, shape in (("replay", "ReplaySteps"), ("events", "HistoryEvents")):
        operation = document["paths"][f"/v1/leads/{{ref}}/{what}"]["get"]
        content = operation["responses"]["200"]["content"]["application/json"]
        assert content["schema"] == {"$ref": f"#/components/schemas/{shape}"}
        assert shape in document["components"]["schemas"]
        names = {parameter["name"] for parameter in operation["parameters"]}
        assert names == {"ref", "limit", "cursor", "min_position", "as_of", "as_known"}


@pytest.mark.anyio
async def test_the_steps_come_to_the_lead_as_it_is_read(api: Api) -> None:
    """M3: for random histories, now and at any instant of both axes."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    leads = history(rng, leads=size(8, 200), longest=20, captured_first=True)[:-2]
    for part in range(2):  # recorded in two commits, so that there is a past to know
        halves = [own[len(own) // 2 :] if part else own[: len(own) // 2] for own in leads]
        await asyncio.to_thread(append, api.dsn, interleaved(rng, halves))
    await api.project()
    nothing = Event()
    for own in leads:
        lead = own[0].stream
        empty = EMPTY | {"id": str(lead)}
        events = (await api.get(f"/v1/leads/{lead}/events?limit=200")).json()["items"]
        assert len(events) == len(own)
        recorded = rng.choice(events)["recorded_at"].replace("+", "%2B")
        happened = rng.choice([x.event for x in own] + [nothing]).occurred_at
        as_of = f"&as_of={happened.isoformat().replace('+', '%2B')}" if happened else ""
        for cut in ("", f"&as_known={recorded}", as_of, f"&as_known={recorded}{as_of}"):
            read = await api.get(f"/v1/leads/{lead}?{cut.lstrip('&')}")
            steps = await api.get(f"/v1/leads/{lead}/replay?limit=200{cut}")
            assert steps.status_code == 200, steps.text
            if read.status_code == 200:
                assert_replayed(steps.json()["items"], read.json(), empty)


EMPTY: dict[str, Any] = {
    **dict.fromkeys(
        ("code", "external_id", "source_system", "captured_at", "stage", "screened", "pause",
         "owner", "team", "pool", "assigned_at", "assignment", "customer", "contact",
         "contact_title", "phone", "email", "source", "industry", "region", "customer_type",
         "campaign", "need", "level", "segment", "merged_into", "first_attempt_at",
         "first_response_at", "amount", "invalid_reason", "erased_at")
    ),
    "captured": False, "completeness": "complete", "activity": "active", "disposition": "open",
    "paused_seconds": 0.0, "missing": [], "duplicates": [], "follow_ups": 0,
    "label": {"rule": None, "policy_version": None, "by_hand": False},
}  # fmt: skip
"""What a lead has before anything has happened to it."""


@pytest.mark.anyio
async def test_a_history_is_there_for_those_who_may_see_the_lead(api: Api) -> None:
    """R114-R116, A32: an auditor and an administrator see every one."""
    await api.post("/v1/users", {"name": "sales-person", "role": "sales", "team": "east"})
    own, foreign = await api.lead(owner="sales-person"), await api.lead(phone="13912345679")
    await api.project()
    for what in ("events", "replay"):
        for lead in (own, foreign):
            for role in ("admin", "auditor"):
                answer = await api.get(f"/v1/leads/{lead['id']}/{what}", role=role)
                assert answer.json()["items"][0]["topic"] == "lead.captured"
        assert (await api.get(f"/v1/leads/{own['code']}/{what}", role="sales")).status_code == 200
        unseen = await api.get(f"/v1/leads/{foreign['id']}/{what}", role="sales")
        unknown = await api.get(f"/v1/leads/{uuid4()}/{what}", role="sales")
        problem(unseen, 404, "not-found")
        assert unseen.content == unknown.content
        problem(await api.get(f"/v1/leads/{own['id']}/{what}", role="analyst"), 403, "forbidden")


@pytest.mark.anyio
async def test_another_lead_is_named_to_those_alone_who_may_see_it(api: Api) -> None:
    """Whoever enters a customer twice learns that, and not whose lead it is (access.md)."""
    await api.post("/v1/users", {"name": "sales-person", "role": "sales", "team": "east"})
    other = await api.lead()
    own = await api.lead(owner="sales-person")
    await api.project()
    for what in ("events", "replay"):
        for role, shown in (("sales", False), ("auditor", True)):
            answer = await api.get(f"/v1/leads/{own['id']}/{what}", role=role)
            assert "lead.duplicate-suspected" in answer.text
            assert (other["id"] in answer.text) is shown
            assert (other["code"] in answer.text) is shown
