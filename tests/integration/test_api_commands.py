"""Commands over HTTP: what each does, when it is refused, and that it happens once (P2)."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import anyio
import psycopg
import pytest

from commands.leads import WIRING
from tests.integration.api_client import (
    CONTACT,
    CUSTOMER,
    EMAIL,
    PHONE,
    Api,
    begin_simulation,
    problem,
    running,
)

pytestmark = pytest.mark.anyio

MORNING = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)  # 09:15 in Shanghai


async def test_a_captured_lead_has_an_address_a_version_and_a_position(api: Api) -> None:
    answer = await api.post("/v1/leads", CUSTOMER)
    lead = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/leads/{lead['id']}"
    assert answer.headers["etag"] == f'"{lead["version"]}"' == '"5"'
    assert answer.headers["leadlog-position"] == "5"
    assert lead["code"].startswith("XLSH") and lead["code"].endswith("001")
    assert lead["stage"] == "待分配" and lead["disposition"] == "open"
    assert lead["captured_at"].endswith("+08:00")
    assert (await api.get(answer.headers["location"])).json() == lead


async def test_a_lead_lives_through_every_command(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}"

    async def after(verb: str, body: dict[str, Any], status: int = 200) -> dict[str, Any]:
        answer = await api.post(path + verb, body)
        assert answer.status_code == status, answer.text
        assert answer.headers["etag"] == f'"{answer.json()["version"]}"'
        return answer.json()

    lead = await after(":assign", {"owner": "王芳", "team": "华东一组"})
    assert (lead["owner"], lead["team"], lead["stage"]) == ("王芳", "华东一组", "待跟进")
    lead = await after("/follow-ups", CONTACT, 201)
    assert lead["stage"] == "已联系" and lead["follow_ups"] == 1 and lead["first_response_at"]
    lead = await after(":advance", {"stage": "方案提交"})
    assert lead["stage"] == "方案提交"
    lead = await after(":convert", {"amount": "85000"})
    assert lead["disposition"] == "converted" and lead["stage"] == "成交"
    assert lead["amount"] == "85000.00" and lead["conversion"]["owner"] == "王芳"
    lead = await after(":reverse-conversion", {"reason": "合同撤销"})
    assert lead["disposition"] == "open" and lead["amount"] is None
    lead = await after(":invalidate", {"reason": "客户明确拒绝", "note": "不再联系"})
    assert lead["disposition"] == "invalid" and lead["invalid_reason"] == "客户明确拒绝"
    lead = await after(":reopen", {})
    assert lead["disposition"] == "open"


async def test_the_examples_of_the_documentation_are_accepted(api: Api) -> None:
    examples = {model.__name__: model.model_json_schema()["examples"][0] for model in WIRING}
    answer = await api.post("/v1/leads", examples["CaptureLead"])
    assert answer.status_code == 201
    path = f"/v1/leads/{answer.json()['id']}"
    for verb, name, status in (
        (":complete-info", "CompleteInfo", 200),
        (":label", "SetLabel", 200),
        (":clear-label", "ClearLabel", 200),
        (":assign", "AssignLead", 200),
        ("/follow-ups", "RecordFollowUp", 201),
        (":advance", "AdvanceLead", 200),
        (":convert", "ConvertLead", 200),
        (":reverse-conversion", "ReverseConversion", 200),
        (":invalidate", "InvalidateLead", 200),
        (":reopen", "ReopenLead", 200),
    ):
        answer = await api.post(path + verb, examples[name])
        assert answer.status_code == status, answer.text


REFUSED = [
    (":assign", {"owner": "王芳"}, ":invalidate", "lead-invalid"),
    (":advance", {"stage": "成交"}, None, "use-convert"),
    (":advance", {"stage": "跑单"}, None, "unknown-stage"),
    ("/follow-ups", CONTACT | {"occurred_at": "2099-01-01T00:00:00Z"}, None, "in-the-future"),
    ("/follow-ups", CONTACT, ":invalidate", "lead-invalid"),
    (":invalidate", {"reason": "r"}, ":convert", "lead-converted"),
    (":convert", {"basis": "first_order"}, None, "basis-not-accepted"),
    (":convert", {"amount": "1.00"}, ":convert", "already-converted"),
    (":convert", {}, ":invalidate", "lead-invalid"),
]


@pytest.mark.parametrize(("verb", "body", "before", "code"), REFUSED)
async def test_what_the_rules_forbid_is_refused_and_changes_nothing(
    api: Api, verb: str, body: dict[str, Any], before: str | None, code: str
) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}"
    if before:
        await api.post(path + before, {"reason": "其他"} if before == ":invalidate" else {})
    lead = (await api.get(path)).json()
    problem(await api.post(path + verb, body), 422, code)
    assert (await api.get(path)).json() == lead


async def test_a_vague_follow_up_is_refused_with_what_is_missing(api: Api) -> None:
    """Golden case 8: 已沟通 alone says nothing."""
    path = f"/v1/leads/{(await api.lead())['id']}/follow-ups"
    found = problem(await api.post(path, {"content": "已沟通"}), 422, "vague-follow-up")
    assert found["errors"][0]["pointer"] == "#/content"
    found = problem(await api.post(path, {"content": CONTACT["content"]}), 422, "vague-follow-up")
    assert found["errors"][0]["pointer"] == "#/feedback"
    answer = await api.post(path, {"content": CONTACT["content"], "next_step": "发送方案"})
    assert answer.status_code == 201


async def test_codes_count_per_day_and_widen_after_999(dsn: str) -> None:
    """G6, R72, A23."""
    first = await begin_simulation(dsn, MORNING)
    with psycopg.connect(dsn) as conn:
        conn.execute("SELECT log.take_codes('XLSH', '2024-05-01', 997)")
    async with running(dsn) as api:
        codes = [first, *[(await api.lead())["code"] for _ in range(2)]]
    assert codes == ["XLSH20240501001", "XLSH20240501999", "XLSH202405011000"]


async def test_a_code_carries_the_date_in_the_companys_zone(dsn: str) -> None:
    after_midnight = datetime(2024, 5, 1, 16, 5, tzinfo=UTC)  # 00:05 in Shanghai
    assert await begin_simulation(dsn, after_midnight) == "XLSH20240502001"


async def test_a_follow_up_says_who_made_it_and_when(dsn: str) -> None:
    await begin_simulation(dsn, MORNING)
    async with running(dsn) as api:
        lead = await api.lead(owner="sales-person")
        path = f"/v1/leads/{lead['id']}/follow-ups"
        await api.post(path, CONTACT | {"occurred_at": "2024-05-01T08:30:00+08:00"}, role="sales")
        await api.post(path, CONTACT | {"by": "赵敏", "outcome": "no_answer"}, role="sales")
        await api.project()
        first, second = (await api.get(path)).json()["items"]
    assert first["code"] == "GJ20240501001" and first["by"] == "sales-person"
    assert first["at"] == "2024-05-01T08:30:00+08:00" and first["connected"] is True
    assert second["code"] == "GJ20240501002" and second["by"] == "赵敏"
    assert second["connected"] is False and second["outcome"] == "no_answer"


async def test_a_command_that_changes_nothing_is_answered_all_the_same(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead(owner='王芳'))['id']}"
    answer = await api.post(path + ":assign", {"owner": "王芳"})
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"8"' and answer.headers["leadlog-position"] == "8"


async def test_any_script_and_long_text_survive_the_way_through(api: Api) -> None:
    said = "Ωmega 🙂 \u202e العربية 𠮷野家\n" + "长" * 3000
    lead = await api.lead(customer="𠮷野家 🙂", need=said, attributes={"颜色 🎨": "Ω", "n": 1.5})
    assert lead["customer"] == "𠮷野家 🙂" and lead["need"] == said.strip()
    assert lead["attributes"] == {"颜色 🎨": "Ω", "n": 1.5}


async def test_contact_details_are_masked_in_every_answer(api: Api) -> None:
    """Golden case 5, R75, R111, R112."""
    lead = await api.lead(attributes={"微信": PHONE})
    path = f"/v1/leads/{lead['id']}"
    assert lead["phone"] == "139****5678" and lead["email"] == "z***@example.cn"
    answers = [
        await api.post(path + ":assign", {"owner": "王芳", "reason": PHONE}),
        await api.post(
            path + "/follow-ups", CONTACT | {"content": f"已与 {EMAIL} 和 {PHONE} 联系"}
        ),
        await api.post(path + ":advance", {"stage": "方案提交", "reason": PHONE}),
        await api.post(path + ":convert", {}),
        await api.post(path + ":reverse-conversion", {"reason": PHONE}),
        await api.post(path + ":invalidate", {"reason": "其他", "note": f"{EMAIL} 空号 {PHONE}"}),
    ]
    await api.project()
    answers += [
        await api.get(path + end) for end in ("", "/follow-ups", "?as_known=2199-01-01T00:00:00Z")
    ]
    answers += [await api.get("/v1/leads"), await api.post(path + ":reopen", {})]
    for report in ("conversion", "conversions", "activity"):
        answers.append(await api.get(f"/v1/reports/{report}"))
    for answer in answers:
        assert answer.status_code in (200, 201), answer.text
        assert not any(secret in answer.text for secret in (PHONE, EMAIL)), answer.url


async def test_the_same_key_gives_the_same_answer_once_things_have_moved_on(api: Api) -> None:
    once = {"Idempotency-Key": "form-1"}
    first = await api.post("/v1/leads", CUSTOMER, headers=once)
    path = first.headers["location"]
    moved = await api.post(path + ":assign", {"owner": "王芳"}, headers={"Idempotency-Key": "a"})
    await api.post(path + ":assign", {"owner": "李雷"})
    again = await api.post("/v1/leads", CUSTOMER, headers=once)
    moved_again = await api.post(
        path + ":assign", {"owner": "王芳"}, headers={"Idempotency-Key": "a"}
    )
    for one, other in ((first, again), (moved, moved_again)):
        assert (one.status_code, one.content) == (other.status_code, other.content)
        for name in ("etag", "leadlog-position", "location"):
            assert one.headers.get(name) == other.headers.get(name)
    assert (await api.get(path)).json()["owner"] == "李雷"


async def test_a_key_used_for_something_else_is_refused(api: Api) -> None:
    once = {"Idempotency-Key": "form-1"}
    path = (await api.post("/v1/leads", CUSTOMER, headers=once)).headers["location"]
    for url, body in (
        ("/v1/leads", CUSTOMER | {"need": "别的"}),
        (path + ":assign", {"owner": "王芳"}),
    ):
        problem(await api.post(url, body, headers=once), 422, "idempotency-key-reused")


async def test_keys_of_two_callers_do_not_meet(api: Api) -> None:
    once = {"Idempotency-Key": "form-1"}
    mine = await api.post("/v1/leads", CUSTOMER, headers=once)
    yours = await api.post("/v1/leads", CUSTOMER, headers=once, role="sales")
    assert mine.json()["id"] != yours.json()["id"]


async def test_a_double_click_makes_one_lead(api: Api) -> None:
    found = set()

    async def click() -> None:
        answer = await api.post("/v1/leads", CUSTOMER, headers={"Idempotency-Key": "click"})
        found.add((answer.status_code, answer.content))

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(click)
    assert len(found) == 1
    await api.project()
    assert len((await api.get("/v1/leads")).json()["items"]) == 1


async def test_if_match_lets_only_the_version_pass_that_was_seen(api: Api) -> None:
    path = f"/v1/leads/{(await api.lead())['id']}:assign"
    answer = await api.post(path, {"owner": "王芳"}, headers={"If-Match": '"5"'})
    assert answer.status_code == 200 and answer.headers["etag"] == '"8"'
    stale = await api.post(path, {"owner": "李雷"}, headers={"If-Match": '"5"'})
    assert "expected version 5, found 8" in problem(stale, 412, "version-mismatch")["detail"]
    for nonsense in ("2", 'W/"2"', '"x"', "*", '"1", "2"'):
        answer = await api.post(path, {"owner": "李雷"}, headers={"If-Match": nonsense})
        problem(answer, 400, "invalid-parameter")


async def test_a_lead_can_be_called_by_its_code(api: Api) -> None:
    lead = await api.lead()
    await api.project()
    answer = await api.post(f"/v1/leads/{lead['code']}:assign", {"owner": "王芳"})
    assert answer.status_code == 200 and answer.json()["id"] == lead["id"]


@pytest.mark.parametrize("ref", [str(UUID(int=1)), "XLSH19990101001", "没有", "%00", "..%2f"])
@pytest.mark.parametrize("verb", [":assign", ":convert", "/follow-ups"])
async def test_a_command_on_no_lead_finds_nothing(api: Api, ref: str, verb: str) -> None:
    body = {":assign": {"owner": "王芳"}, ":convert": {}, "/follow-ups": CONTACT}[verb]
    answer = await api.post(f"/v1/leads/{ref}{verb}", body)
    assert answer.status_code in (404, 422) if ref == "%00" else answer.status_code == 404
