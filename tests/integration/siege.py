"""Leads of others full of things that must not come out, and every request that asks for them.

The requests come from OpenAPI: a route or a parameter that nothing is known to be sent to fails.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from fastapi import FastAPI
from httpx import Response

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Meta
from aggregates.lead import time_events as t
from aggregates.review import events as r
from api.command_route import CommandRoute
from api.reading import encode_cursor
from commands.ports import NewEvents
from projections.reports.catalogue import REPORTS
from tests.canaries import canaries
from tests.integration.api_client import CONTACT, Api
from tests.integration.test_api_access import BODIES
from tests.integration.test_row_access import FIELDS, NOBODY, VISIBLE, World

SEES_ALL = {"admin", "auditor"}
ATTACKERS = sorted(VISIBLE.keys() - SEES_ALL)
COUNTED = re.compile(r"/v1/(reports|reviews/[^/]+/report)")
"""Figures count every lead, but for supervisors: ids and codes are there to see (R115)."""
BODY_OF: Mapping[str, Any] = {
    **BODIES,
    **FIELDS,
    "lead.dismiss-duplicate": {"other": NOBODY},
    "lead.merge": {"into": NOBODY},
    "review.close": {"conclusions": "本月无异常"},
}
OF_A_LEAD = re.compile(r"/v1/(leads|cleanup-proposals)/\{ref\}")
PDF = b"%PDF-1.7 "
VERSIONS = "SELECT originator_id::text, max(originator_version) FROM log.leadlog_events GROUP BY 1"


class Target:
    """A lead that is somebody else's, and what must not come out of it."""

    def __init__(self, name: str, lead: Mapping[str, Any], number: int) -> None:
        self.name, self.id, self.code = name, str(lead["id"]), str(lead["code"])
        self.word = f"秘密{name}"
        self.file = f"客户{name}-报价单-20240502.pdf"
        self.attachment = NOBODY
        self.names = {self.id, self.code}
        self.texts = {
            f"客户{name}", self.word, f"1391234567{number}", f"139****567{number}",
            f"canary{name}", f"c***@{name}.example.cn",
        }  # fmt: skip
        masked = f"139****567{number}"
        self.shown_in_a_pool = {self.id, self.code, f"客户{name}", self.word, masked}
        """Whose need is shown, masked, to those who may claim it (A32)."""


class Siege:
    """A company whose leads are full of things, and what is hidden from whom."""

    def __init__(self, world: World, targets: Mapping[str, Target], review: str) -> None:
        self.api, self.world = world.api, world
        self.targets = targets
        self.review = review

    def hidden(self, role: str) -> list[Target]:
        """The leads that are not there for a role."""
        return [one for name, one in self.targets.items() if name not in VISIBLE[role]]

    def leaked(self, role: str, answer: Response, sent: str) -> set[str]:
        """What an answer tells of hidden leads beyond what the question said."""
        headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.multi_items())
        told = headers + answer.content.decode("utf-8", "replace")
        told += json.dumps(_parsed(answer), ensure_ascii=False)  # escapes undone
        counts = COUNTED.match(answer.request.url.path) and role != "supervisor"
        found = set()
        for target in self.hidden(role):
            secrets = set(target.texts) if counts else target.texts | target.names
            if answer.request.url.path == "/v1/pools" and target.name == "pooled":
                secrets -= target.shown_in_a_pool
            found |= {one for one in secrets if one in told and one not in sent}
        return found

    def versions(self) -> dict[str, int]:
        """How many events each lead has."""
        with psycopg.connect(self.api.dsn) as conn:
            found = dict(conn.execute(VERSIONS).fetchall())
        return {lead: found[lead] for lead in self.world.names}


def _parsed(answer: Response) -> Any:
    kind = answer.headers.get("content-type", "")
    return answer.json() if "json" in kind and answer.content else None


@pytest.fixture
async def siege(world: World) -> Siege:
    """Every lead has follow-ups, a file, tasks, an escalation, a proposal, a review names it."""
    api = world.api
    numbers = {name: n for n, name in enumerate(sorted(VISIBLE["admin"]))}
    targets = {name: Target(name, world.leads[name], numbers[name]) for name in world.leads}
    made = canaries()
    log = PostgresEventLog(api.dsn)
    for name, target in targets.items():
        said = f"{target.word},请打 1391234567{numbers[name]}"
        about = {
            "need": said,
            "attributes": {"微信": target.word, "邮箱": f"canary{name}@{name}.example.cn"},
        }
        await done(api.post(f"/v1/leads/{target.id}:complete-info", about))
        if name not in ("unowned", "pooled"):
            await done(api.post(f"/v1/leads/{target.id}/follow-ups", CONTACT | {"content": said}))
        url, content = f"/v1/leads/{target.id}/attachments", PDF + target.word.encode()
        filed = await api.call("POST", url, params={"name": target.file}, content=content)
        assert filed.status_code == 201, filed.text
        target.attachment = filed.json()["id"]
        target.names |= {target.attachment, filed.json()["sha256"]}
        target.texts.add(target.file)
        version = int((await api.get(f"/v1/leads/{target.id}")).headers["etag"].strip('"'))
        proposed = made.event(
            t.LeadInvalidationProposed, reason=target.word, month="2024-05", supervisors=("wu",)
        )
        escalated = made.event(t.EscalatedToSupervisor, supervisors=("wu",))
        meta = Meta("process:test", uuid4())
        await log.append(NewEvents(UUID(target.id), version, [proposed, escalated], meta, b"f"))
    review = uuid4()
    late = {"finding": "late", "responsible": "wu", "since": "2024-05-01T00:00:00+00:00"}
    named = tuple({**late, "lead": one.id, "code": one.code} for one in targets.values())
    opened = made.event(r.ReviewOpened, team="west", supervisors=("wu",), items=named, position=9)
    await log.append(NewEvents(review, 0, [opened], Meta("process:test", uuid4()), b"f"))
    await log.close()
    for a, b in (("other", "shared"), ("pooled", "other"), ("team", "other")):
        for name in (a, b):
            same = {"phone": f"1380000{numbers[a]}{numbers[b]}11"}
            await done(api.post(f"/v1/leads/{targets[name].id}:complete-info", same))
    await done(api.post(f"/v1/leads/{targets['other'].id}/contact:reveal", BODY_OF["lead.reveal"]))
    await api.project()
    return Siege(world, targets, str(review))


async def done(asked: Any) -> Response:
    answer: Response = await asked
    assert answer.is_success, answer.text
    return answer


def _parameters(target: Target) -> Mapping[str, list[str]]:
    """What is tried as the value of each query parameter of the whole API, by its name."""
    far = "2199-01-01T00:00:00Z"
    forged = [
        encode_cursor(place)
        for place in (0, 10**6, [0, None, target.id], [0, 0, target.id], [0, 0, 10**6],
                      [0, None, target.id, "complete-info"])
    ]  # fmt: skip
    texts = [target.id, target.code, "wu", "west", "li"]
    return {
        "after": ["0", "7"],
        "as_of": [far, "2024-01-01T00:00:00Z"],
        "as_known": [far],
        "at_position": ["999999", "12"],
        "attribution": ["current", "first", "all"],
        "bucket": ["wu"],
        "certain": ["true", "false"],
        "channel": ["email"],
        "cohort": ["2024-05"],
        "cursor": forged,
        "denominator": ["valid"],
        "dimension": ["owner", "team", "attribute:微信", "source,owner"],
        "disposition": ["open", "converted"],
        "due_before": [far],
        "follow": ["false"],
        "follow_up": [target.code],
        "from": ["2024-01-01", "1"],
        "incomplete": ["true"],
        "industry": [target.word],
        "kind": ["escalated", "incomplete", "paused", "reveal", "history", "stage"],
        "lead": [target.id, target.code],
        "level": ["high", "unrated"],
        "limit": ["1", "200"],
        "min_position": ["0", "1"],
        "month": ["2024-05"],
        "name": ["conversion", target.file, "wu"],
        "open": ["true"],
        "overdue": ["true", "false"],
        "owner": texts,
        "active": ["true", "false"],
        "paused": ["true", "false"],
        "person": [*texts, "admin-person"],
        "pool": ["公海", "west"],
        "q": ["客户", target.word, target.code, target.file, target.id[:8], "%", "_", "1391234567"],
        "region": [target.word],
        "role": ["sales"],
        "since": ["capture", "assignment"],
        "sort": ["captured_at", "level-then-due"],
        "source": [target.word],
        "stage": ["初步接触", target.word],
        "state": ["open", "done"],
        "supervisor": texts,
        "team": texts,
        "to": ["2199-01-01", "9"],
        "topic": ["lead.*", "directory.person-added"],
        "unassigned": ["true", "false"],
        "unread": ["true", "false"],
        "until": ["2024-06-01"],
        "at": [far],
        "calendar": ["CN"],
        "what": ["phone", "events"],
    }  # fmt: skip


def _places(siege: Siege, target: Target) -> Mapping[str, list[str]]:
    """What is tried in the place of each part of a path that is no lead."""
    people = ["wu", "li", "admin-person", target.id]
    return {
        "name": people,
        "ref": [*people, target.code, siege.review],
        "review": [siege.review, target.id],
        "bucket": ["all", "wu", "west", target.word, target.id],
        "kind": ["pause", target.id],
        "attachment": [target.attachment, target.id],
        "key": [target.id, "x"],
    }


def reads_of(siege: Siege, target: Target, *, of_a_lead: bool) -> Iterator[tuple[str, str, str]]:
    """Method, address and pattern of every GET, each of its parameters with each of its values."""
    parameters, places = _parameters(target), _places(siege, target)
    for path, item in siege.api.app.openapi()["paths"].items():
        if bool(OF_A_LEAD.match(path)) is not of_a_lead or "get" not in item:
            continue
        names = [p["name"] for p in item["get"].get("parameters", []) if p["in"] == "query"]
        untried = {*names} - parameters.keys()
        assert not untried, f"{path} has parameters that no attack is known for: {untried}"
        urls = [path]
        for place in re.findall(r"\{(\w+)\}", path):
            if of_a_lead and place == "ref":
                continue
            values = [*REPORTS] if place == "name" and "reports" in path else places[place]
            urls = [url.replace(f"{{{place}}}", value) for url in urls for value in values]
        for number, url in enumerate(urls):
            yield "GET", url, path
            for name in names if number == 0 else ():
                for value in parameters[name]:
                    yield "GET", f"{url}?{name}={value.replace('%', '%25')}", path


def commands_of(app: FastAPI, *, of_a_lead: bool) -> Iterator[tuple[str, str, Any]]:
    """Method, path and body of every command; but for files, which are bodies of their own."""
    actions = {
        route.path_format: route.name for route in app.routes if isinstance(route, CommandRoute)
    }
    for path, item in app.openapi()["paths"].items():
        for method in item.keys() - {"get"}:
            if bool(OF_A_LEAD.match(path)) is of_a_lead:
                yield method.upper(), path, BODY_OF.get(actions.get(path, ""), {})


async def send(api: Api, method: str, url: str, body: Any, **options: Any) -> Response:
    if method == "GET":
        return await api.get(url, **options)
    if url.endswith("/attachments"):
        return await api.call(method, f"{url}?name=A-B-20240502.pdf", content=PDF, **options)
    return await api.call(method, url, json=body, **options)


def as_bytes(answer: Response) -> tuple[int, bytes, list[tuple[str, str]]]:
    """All that can be told of an answer."""
    return answer.status_code, answer.content, sorted(answer.headers.multi_items())
