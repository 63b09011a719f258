"""Follow-ups, stages over time and shares over HTTP: R46-R58, R82-R90, A17, A18, A30."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.integration.api_client import CONTACT, Api, problem

pytestmark = pytest.mark.anyio


def ago(**past: float) -> str:
    """An instant so long before now."""
    return (datetime.now().astimezone() - timedelta(**past)).isoformat()


async def recorded(api: Api, ref: str, **said: Any) -> dict[str, Any]:
    """The row of a contact just recorded."""
    path = f"/v1/leads/{ref}/follow-ups"
    answer = await api.post(path, CONTACT | said)
    assert answer.status_code == 201, answer.text
    await api.project()
    row: dict[str, Any] = (await api.get(path)).json()["items"][-1]
    return row


async def test_a_row_has_everything_of_table_2(api: Api) -> None:
    """R82-R90, A14: the stage that it set, the next step's local date, when and by whom."""
    lead = await api.lead()
    at = ago(minutes=5)
    row = await recorded(api, lead["id"], occurred_at=at)
    assert row["code"].startswith("GJ")
    assert datetime.fromisoformat(row["at"]) == datetime.fromisoformat(at)
    assert row["at"] < row["recorded_at"]
    shown = {k: row[k] for k in ("lead", "by", "method", "content", "next_step", "stage")}
    assert shown == {
        "lead": lead["id"],
        "by": "admin-person",
        "method": CONTACT["method"],
        "content": CONTACT["content"],
        "next_step": "发送方案",
        "stage": "已联系",
    }
    assert row["next_step_due"] == "2024-05-10"
    assert (row["outcome"], row["connected"], row["late"]) == ("connected", True, False)
    assert (row["vague"], row["attachments"]) == (False, [])
    assert (await api.get(f"/v1/leads/{lead['id']}")).json()["stage"] == "已联系"


async def test_a_contact_recorded_late_is_flagged_not_refused(api: Api) -> None:
    """A30, A29."""
    lead = await api.lead()
    assert (await recorded(api, lead["id"], occurred_at=ago(hours=25)))["late"] is True


async def test_a_vague_record_is_refused_with_what_is_missing(api: Api) -> None:
    """R57, golden case 8."""
    lead = await api.lead()
    vague = {"method": "电话沟通", "content": "已沟通"}
    answer = await api.post(f"/v1/leads/{lead['id']}/follow-ups", vague)
    body = problem(answer, 422, "vague-follow-up")
    assert "what was discussed" in body["detail"]
    assert "feedback or the next step" in body["detail"]
    assert body["errors"][0]["pointer"] == "#/content"


async def test_stages_and_owners_sum_to_the_age(api: Api) -> None:
    """R52, R102: from capture to now, without a gap."""
    lead = await api.lead()
    path = f"/v1/leads/{lead['id']}"
    await api.post(f"{path}:assign", {"owner": "王芳"})
    await recorded(api, lead["id"])
    await api.post(f"{path}:advance", {"stage": "方案提交"})
    stages = (await api.get(f"{path}/stages")).json()
    owners = (await api.get(f"{path}/owners")).json()
    assert [item["stage"] for item in stages["items"]][-2:] == ["已联系", "方案提交"]
    assert owners["items"][-1]["owner"] == "王芳"
    for found in (stages, owners):
        assert sum(i["seconds"] for i in found["items"]) == pytest.approx(found["age_seconds"])
        assert [i["until"] for i in found["items"]][-1] is None
        assert found["items"][0]["since"] == lead["captured_at"]
        assert found["pauses"] == []
    problem(
        await api.get("/v1/leads/5b0c9b52-6a52-4d4c-9c3e-2f0f6f7a1d99/stages"), 404, "not-found"
    )


async def test_a_lead_is_shared_once(api: Api) -> None:
    """R56, A17: an explicit grant that the history keeps."""
    lead = await api.lead()
    path = f"/v1/leads/{lead['id']}/shares"
    first = await api.post(path, {"person": "李娜", "reason": "技术问题"})
    assert first.status_code == 201, first.text
    again = await api.post(path, {"person": "李娜"})
    assert first.json()["version"] == again.json()["version"] == lead["version"] + 1
