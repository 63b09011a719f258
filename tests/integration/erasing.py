"""Leads with a canary in every personal place, and a search for what is left of them (T13)."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.integration.api_client import Api

CONTROL = 999_999
"""The number of the lead that is not erased: the search has to find it."""
MOST = 10_000
"""Leads have smaller numbers: in hex, ciphertext has eleven digits in a row every now and then."""
_CLEAR = r"zq(\d{6})zq|13977(\d{6})|139\*{4}(\d{4})(?!\d)"
_HEX = r"7a71((?:3\d){6})7a71|313339((?:3\d){8})"
_CANARY = re.compile(f"{_CLEAR}|{_HEX}")
PDF = b"%PDF-1.7\n"


def mark(number: int) -> str:
    """What stands in every text of a lead."""
    assert _may_be_planted(number)
    return f"zq{number:06d}zq"


def phone(number: int) -> str:
    """A lead's mobile number."""
    assert _may_be_planted(number)
    return f"13977{number:06d}"


def numbers(text: str) -> set[int]:
    """The leads of which something can be read in a text, in clear, masked, or as bytes in hex."""
    found = {_number(match) for match in _CANARY.finditer(text)}
    return set(filter(_may_be_planted, found))


def _may_be_planted(number: int) -> bool:
    return number < MOST or number == CONTROL


def _number(match: re.Match[str]) -> int:
    *clear, marked, phoned = match.groups()
    if plain := next(filter(None, clear), None):
        return CONTROL if plain == "9999" else int(plain)
    return int(bytes.fromhex(marked or phoned[4:]).decode())


def customer(number: int) -> dict[str, Any]:
    """A lead as it is captured."""
    secret = mark(number)
    return {
        "customer": f"公司{secret}",
        "contact": f"经理{secret}",
        "contact_title": f"职务{secret}",
        "phone": phone(number),
        "email": f"{secret}@example.cn",
        "need": f"需要{secret}，请打{phone(number)}",
        "source": "官网注册",
        "region": "华东",
        "attributes": {"备注": f"备注{secret}", "备用": int(phone(number)), "规模": 120},
        "owner": "sales-person",
    }


def said(number: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Commands in an order in which all are taken, a canary in each of their texts."""
    secret = mark(number)
    talk = dict.fromkeys(("content", "feedback", "next_step"), f"谈到了{secret}的很多事情")
    reason = {"reason": f"因为{secret}"}
    yield ":complete-info", {"need": f"改为{secret}", "attributes": {"补充": f"补充{secret}"}}
    yield ":label", {"level": "high", **reason}
    yield ":clear-label", reason
    yield "/follow-ups", talk | {"method": "电话沟通", "next_step_due": "2024-05-10"}
    yield "/shares", {"person": "li", **reason}
    yield ":hand-over", {"to": "li", **reason}
    yield ":assign", {"owner": "sales-person", **reason}
    yield ":pause", reason
    yield ":resume", reason
    yield ":advance", {"stage": "需求确认", **reason}
    yield ":convert", {"amount": "85000.00"}
    yield ":reverse-conversion", reason
    yield ":invalidate", {"reason": "联系方式错误", "note": f"备注{secret}"}
    yield ":reopen", reason
    yield ":release", reason
    yield ":assign", {"owner": "sales-person", **reason}


async def company(api: Api) -> None:
    """Two people who sell, their supervisor, and somebody who is told by mail."""
    for name, role in (
        ("sales-person", "sales"),
        ("li", "sales"),
        ("supervisor-person", "supervisor"),
    ):
        given = {"name": name, "role": role, "team": "east", "email": f"{role}@company.example"}
        answer = await api.post("/v1/users", given)
        assert answer.status_code == 201, answer.text


async def lead(api: Api, number: int) -> str:
    """A lead with canaries in every place; its id."""
    answer = await api.post("/v1/leads", customer(number))
    assert answer.status_code == 201, answer.text
    url = f"/v1/leads/{answer.json()['id']}"
    for path, body in said(number):
        done = await api.post(url + path, body)
        assert done.is_success, (path, done.text)
    name = f"公司{mark(number)}-报价-20240502.pdf"
    content = PDF + f"{mark(number)} {phone(number)}".encode() * 100
    file = await api.call("POST", f"{url}/attachments", params={"name": name}, content=content)
    assert file.status_code == 201, file.text
    shown = await api.post(f"{url}/contact:reveal", {"field": "phone", "purpose": "首次联系"})
    assert shown.json()["value"] == phone(number)
    lead: str = answer.json()["id"]
    return lead
