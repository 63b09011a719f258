"""P2: a request sent again is answered again, whatever the facts have become since it was done.

Each case: a command under a key, then facts by which it would be refused, then the same request:
the same answer. Under another key it is the refusal, which shows that the facts did change.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import anyio
import pytest
from httpx import Response

from tests.integration.api_client import CONTACT, Api, problem

pytestmark = pytest.mark.anyio

Step = tuple[str, Mapping[str, Any]]
LEAD = {"customer": "B制造有限公司"}

FILE = {"name": "A科技公司-报价单-20240502.pdf"}
PDF = b"%PDF-1.7\n" + bytes(99)
PEOPLE = {
    "sales-person": ("sales", "east"),
    "supervisor-person": ("supervisor", "east"),
    "marketing-person": ("marketing", None),
    "li": ("sales", "east"),
    "yang": ("sales", "east"),
    "boss": ("supervisor", None),
}
A = "/v1/leads/{a}"
TO_LI: Step = (f"{A}:assign", {"owner": "li"})
TO_ME: Step = (f"{A}:assign", {"owner": "sales-person"})
YANG_LEAVES: Step = ("/v1/users/yang:deactivate", {})
OTHER_POOL: Step = ("/v1/policies/pool/versions", {"document": {"pools": [{"name": "other"}]}})
SEGMENT: Step = ("/v1/segments", {"name": "大客户"})
RETIRED: Step = ("/v1/segments/大客户:retire", {})


class Case(NamedTuple):
    """`{a}` and `{b}` are leads, `{new}` is what the command made."""

    command: Step
    changes: tuple[Step, ...]
    refused: tuple[int, str]
    role: str = "admin"
    before: tuple[Step, ...] = ()


CASES = {
    "capture for who left": Case(
        ("/v1/leads", LEAD | {"owner": "yang"}),
        (("/v1/leads/{new}:assign", {"owner": "li"}), YANG_LEAVES),
        (422, "not-active"),
    ),
    "capture in a retired segment": Case(
        ("/v1/leads", LEAD | {"level": "high", "segment": "大客户"}),
        (RETIRED,),
        (422, "unknown-segment"),
        before=(SEGMENT,),
    ),
    "label with a retired segment": Case(
        (f"{A}:label", {"level": "high", "segment": "大客户"}),
        (RETIRED,),
        (422, "unknown-segment"),
        before=(SEGMENT,),
    ),
    "assign to who left": Case(
        (f"{A}:assign", {"owner": "yang"}), (TO_LI, YANG_LEAVES), (422, "not-active")
    ),
    "hand over to who left": Case(
        (f"{A}:hand-over", {"to": "yang"}),
        (TO_LI, YANG_LEAVES),
        (422, "not-active"),
        before=(TO_LI,),
    ),
    "release to a pool that is gone": Case(
        (f"{A}:release", {"pool": "公海"}), (TO_LI, OTHER_POOL), (422, "unknown-pool")
    ),
    "claim from a pool that is gone": Case(
        (f"{A}:claim", {"pool": "公海"}),
        (OTHER_POOL,),
        (422, "unknown-pool"),
        role="sales",
        before=((f"{A}:release", {}),),
    ),
    "merge into a lead out of sight": Case(
        (f"{A}:merge", {"into": "{b}"}),
        (("/v1/leads/{b}:assign", {"owner": "li"}),),
        (404, "not-found"),
        role="marketing",
    ),
    "dismiss a lead out of sight": Case(
        (f"{A}:dismiss-duplicate", {"other": "{b}"}),
        (("/v1/leads/{b}:assign", {"owner": "li"}),),
        (404, "not-found"),
        role="marketing",
    ),
    "follow up and hand over": Case(
        (f"{A}/follow-ups", CONTACT), (TO_LI,), (404, "not-found"), role="sales", before=(TO_ME,)
    ),
    "attach and hand over": Case(
        (f"{A}/attachments", FILE), (TO_LI,), (404, "not-found"), role="sales", before=(TO_ME,)
    ),
    "attach what is too large by now": Case(
        (f"{A}/attachments", FILE),
        (("/v1/policies/attachments/versions", {"document": {"max_bytes": 10}}),),
        (413, "attachment-too-large"),
    ),
    "supervisor who left": Case(
        ("/v1/teams/east:set-supervisor", {"supervisor": "boss"}),
        (
            ("/v1/teams/east:set-supervisor", {"supervisor": None}),
            ("/v1/users/boss:deactivate", {}),
        ),
        (422, "not-active"),
    ),
    "absence of who changed teams": Case(
        ("/v1/users/li:note-absence", {"since": "2024-05-01", "until": "2024-05-03"}),
        (("/v1/users/li:change", {"team": "west"}),),
        (403, "forbidden"),
        role="supervisor",
    ),
    "leave to a colleague who left, too": Case(
        ("/v1/users/yang:deactivate", {"hand_over": "li"}),
        (
            ("/v1/users/yang:reactivate", {}),
            (f"{A}:assign", {"owner": "yang"}),
            ("/v1/users/li:deactivate", {}),
        ),
        (422, "not-active"),
        before=((f"{A}:assign", {"owner": "yang"}),),
    ),
}


@asynccontextmanager
async def followed(api: Api) -> AsyncIterator[None]:
    """The read models follow, as a worker does it."""

    async def follow() -> None:
        while True:
            await api.project()
            await anyio.sleep(0.05)

    async with anyio.create_task_group() as worker:
        worker.start_soon(follow)
        yield
        worker.cancel_scope.cancel()


async def sent(api: Api, step: Step, leads: Mapping[str, str], **options: Any) -> Response:
    """The answer to a step; an attachment is the file itself."""
    path, body = step
    path = path.format(**leads)
    if path.endswith("/attachments"):
        return await api.call("POST", path, params=body, content=PDF, **options)
    named = {k: v.format(**leads) if isinstance(v, str) else v for k, v in body.items()}
    return await api.post(path, named, **options)


async def carried_out(api: Api, step: Step, leads: Mapping[str, str], **options: Any) -> Response:
    answer = await sent(api, step, leads, **options)
    assert answer.is_success, (step, answer.text)
    return answer


def said(answer: Response) -> tuple[object, ...]:
    """An answer without the other leads that it names: those show to whoever may see them now."""
    kept = {k: v for k, v in answer.json().items() if k not in ("merged_into", "duplicates")}
    return answer.status_code, answer.headers["etag"], kept


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_a_repetition_gets_its_answer_under_other_facts(api: Api, case: Case) -> None:
    """P2."""
    for name, (role, team) in PEOPLE.items():
        await carried_out(api, ("/v1/users", {"name": name, "role": role, "team": team}), {})
    leads = {name: (await api.lead())["id"] for name in "ab"}
    async with followed(api):
        for step in case.before:
            await carried_out(api, step, leads)
        keyed = {"role": case.role, "headers": {"Idempotency-Key": "1"}}
        first = await carried_out(api, case.command, leads, **keyed)
        leads["new"] = first.json().get("id", "")
        for step in case.changes:
            await carried_out(api, step, leads)
        again = await sent(api, case.command, leads, **keyed)
        assert said(again) == said(first)
        other = await sent(
            api, case.command, leads, role=case.role, headers={"Idempotency-Key": "2"}
        )
        problem(other, *case.refused)
