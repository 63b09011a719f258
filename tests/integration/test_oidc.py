"""Logins by an OpenID Connect issuer, which runs as a process of its own and lies on demand."""

import asyncio
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from hashlib import sha256
from typing import Any

import httpx
import pytest
from joserfc.jwk import RSAKey

from adapters import trust
from tests.integration.api_client import Api, problem, running
from tests.integration.oidc_issuer import Login, issuer

pytestmark = pytest.mark.anyio

QUICK: dict[str, Any] = {
    "oidc_audience": "leadlog", "oidc_refetch_seconds": 0.1, "oidc_timeout_seconds": 1.0,
    "oidc_refresh_seconds": 1.0, "oidc_leeway_seconds": 5, "login_failures": 10_000,
}  # fmt: skip
WANG = {"name": "王芳", "role": "sales", "email": "Wang.Fang@example.cn"}


@pytest.fixture
def login() -> Iterator[Login]:
    with issuer() as login:
        yield login


@asynccontextmanager
async def served(dsn: str, login: Login, **settings: Any) -> AsyncIterator[Api]:
    async with running(dsn, **QUICK | {"oidc_issuer": login.url} | settings) as api:
        assert (await api.post("/v1/users", WANG)).status_code == 201
        yield api


@pytest.fixture
async def api(dsn: str, login: Login) -> AsyncIterator[Api]:
    async with served(dsn, login) as api:
        yield api


async def me(api: Api, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return await api.get("/v1/session", role=None, headers=headers)


async def refused(api: Api, token: str, why: str) -> None:
    answer = await me(api, token)
    assert why in problem(answer, 401, "unauthorised")["detail"]
    assert token not in answer.text
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


@pytest.mark.parametrize("alg", ["RS256", "ES256", "EdDSA"])
async def test_the_issuer_says_who_and_the_directory_what(api: Api, login: Login, alg: str) -> None:
    login.rotate(alg)
    token = login.token(alg=alg, role="admin", roles=["admin"], scope="admin")
    answer = await me(api, token)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"person": "王芳", "role": "sales", "expires_at": None, "csrf": None}
    headers = {"Authorization": f"Bearer {token}"}
    made = await api.post("/v1/users", {"name": "甲", "role": "admin"}, role=None, headers=headers)
    problem(made, 403, "forbidden")


async def test_who_left_is_not_let_in(api: Api, login: Login) -> None:
    token = login.token()
    assert (await me(api, token)).status_code == 200
    await api.project()  # a leaver's leads are counted
    assert (await api.post("/v1/users/王芳:deactivate", {})).status_code == 200
    await refused(api, token, "nobody active in the directory has the email")


async def test_an_address_that_two_people_have_is_nobodys(api: Api, login: Login) -> None:
    await api.post("/v1/users", WANG | {"name": "李雷"})
    await refused(api, login.token(), "several people")


async def test_a_person_can_be_known_by_name(dsn: str, login: Login) -> None:
    async with served(dsn, login, oidc_claim="preferred_username") as api:
        assert (await me(api, login.token(email=None))).json()["person"] == "王芳"
        await refused(api, login.token(preferred_username="韩梅"), "nobody active")


async def test_an_issuer_can_be_trusted_to_verify_addresses(dsn: str, login: Login) -> None:
    async with served(dsn, login, oidc_email_trusted=True) as api:
        assert (await me(api, login.token(email_verified=None))).status_code == 200
        await refused(api, login.token(email_verified=False), "not verified")


@pytest.mark.parametrize("address", ["\u017fmith@example.cn", "smith@example.\u212an", "smiß@x.cn"])
async def test_an_address_that_only_looks_alike_is_another(
    api: Api, login: Login, address: str
) -> None:
    """Long s, the Kelvin sign and sharp s become s, k and ss where Unicode folds cases."""
    for name, email in (("甲", "smith@example.cn"), ("乙", "Smith@example.kn")):
        await api.post("/v1/users", {"name": name, "role": "sales", "email": email})
    assert (await me(api, login.token(email="SMITH@EXAMPLE.CN"))).json()["person"] == "甲"
    await refused(api, login.token(email=address), "ASCII")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"aud": "another"}, "for another service"),
    ({"aud": ["another", "third"]}, "for another service"),
    ({"aud": None}, "aud"),
    ({"iss": "https://evil.example"}, "of another issuer"),
    ({"iss": None}, "iss"),
    ({"exp": 1}, "has expired"),
    ({"exp": None}, "exp"),
    ({"exp": "tomorrow"}, "exp"),
    ({"nbf": 4_000_000_000}, "not valid yet"),
    ({"iat": 4_000_000_000}, "issued in the future"),
    ({"email": None}, "says no email"),
    ({"email": ["wang.fang@example.cn"]}, "says no email"),
    ({"email": "somebody@example.cn"}, "nobody active"),
    ({"email_verified": False}, "not verified"),
    ({"email_verified": None}, "not verified"),
    ({"email_verified": "false"}, "not verified"),
    ({"email_verified": 1}, "not verified"),
    ({"header": {"typ": "logout+jwt"}}, "not signed by the issuer"),
    ({"header": {"crit": ["typ"]}}, "not signed by the issuer"),
]


@pytest.mark.parametrize(("lie", "why"), WRONG, ids=lambda value: str(value)[:40])
async def test_a_signed_lie_is_named(api: Api, login: Login, lie: dict[str, Any], why: str) -> None:
    await refused(api, login.token(**lie), why)


async def test_a_list_of_audiences_may_hold_ours(api: Api, login: Login) -> None:
    assert (await me(api, login.token(aud=["another", "leadlog"]))).status_code == 200


async def test_clocks_may_be_off_by_the_leeway_and_no_more(api: Api, login: Login) -> None:
    now = int(time.time())
    for claims in ({"exp": now - 2}, {"nbf": now + 3, "iat": now + 3}):
        assert (await me(api, login.token(**claims))).status_code == 200
    await refused(api, login.token(exp=now - 7), "has expired")
    await refused(api, login.token(nbf=now + 60), "not valid yet")


def part(said: Mapping[str, Any]) -> str:
    return urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip("=")


async def test_what_the_issuer_has_not_signed_is_forged(api: Api, login: Login) -> None:
    right = login.token()
    _, claims, signature = right.split(".")
    public = RSAKey.import_key(login.keys()[0])
    forgeries = [f"{part({'alg': alg, 'kid': login.kid})}.{claims}." for alg in ("none", "None")]
    for secret in (public.as_pem(private=False), public.as_der(private=False)):
        unsigned = f"{part({'alg': 'HS256', 'kid': login.kid})}.{claims}"
        mac = hmac.digest(secret, unsigned.encode(), sha256)
        forgeries.append(f"{unsigned}.{urlsafe_b64encode(mac).decode().rstrip('=')}")
    other = RSAKey.generate_key(2048)
    embedded = {"alg": "RS256", "kid": login.kid, "jwk": other.as_dict(private=False)}
    forgeries += [
        f"{part(embedded)}.{claims}.{signature}",
        f"{part({'alg': 'ES256', 'kid': login.kid})}.{claims}.{signature}",
        f"{right[:-8]}AAAAAAAA",
        right.replace(claims, part({"iss": login.url, "aud": "leadlog", "exp": 4e9})),
        "..",
        "a.b.c",
        f"{'[' * 700}.x.y",
        f"{part({'kid': 'x' * 5000})}.{claims}.{signature}",
    ]
    for forged in forgeries:
        await refused(api, forged, "not signed by the issuer")
    assert (await me(api, right)).status_code == 200


async def test_a_new_key_is_found_and_an_old_one_dies(
    api: Api, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    old = login.token()
    assert (await me(api, old)).status_code == 200
    login.rotate("ES256", drop=False)
    await asyncio.sleep(0.15)
    assert (await me(api, login.token(alg="ES256"))).status_code == 200
    assert (await me(api, old)).status_code == 200, "both are published"
    login.rotate("ES256")
    await asyncio.sleep(1.1)  # known keys are renewed beside a request
    await me(api, old)
    await asyncio.sleep(0.5)
    await refused(api, old, "a key that the issuer does not have")


async def test_a_flood_of_unknown_keys_is_not_passed_on(dsn: str, login: Login) -> None:
    async with served(dsn, login, oidc_refetch_seconds=60, oidc_refresh_seconds=60) as api:
        assert (await me(api, login.token())).status_code == 200
        before = login.asked()
        head, claims, signature = login.token().split(".")
        heads = [part({"alg": "RS256", "kid": str(n)}) for n in range(200)]
        flood = [f"{other}.{claims}.{signature}" for other in heads]
        for answer in await asyncio.gather(*(me(api, token) for token in flood)):
            problem(answer, 401, "unauthorised")
        assert login.asked() == before, "asked a moment ago"
        assert (await me(api, f"{head}.{claims}.{signature}")).status_code == 200


async def test_many_at_once_ask_once(dsn: str, login: Login) -> None:
    async with served(dsn, login) as api:
        tokens = [login.token(jti=str(n)) for n in range(20)]
        answers = await asyncio.gather(*(me(api, token) for token in tokens))
        assert {answer.status_code for answer in answers} == {200}
        assert login.asked() == 1


@pytest.mark.parametrize(
    "how", ["broken", "moved", "huge", "other", "unsafe", "nonsense", "slow", "odd", "deep"]
)
async def test_an_issuer_that_cannot_be_believed_is_no_issuer(
    api: Api, login: Login, how: str
) -> None:
    token = login.token()
    login.behave(how)
    answer = await me(api, token)
    problem(answer, 503, "unavailable")
    assert answer.headers["retry-after"]
    login.behave("ok")
    await asyncio.sleep(0.15)
    assert (await me(api, token)).status_code == 200


async def test_known_keys_go_on_while_the_issuer_is_away(
    dsn: str, login: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trust, "TRUSTED_SECONDS", 0.0)
    async with served(dsn, login, oidc_stale_seconds=2.5) as api:
        token, unknown = login.token(), login.token(header={"kid": "unknown"})
        assert (await me(api, token)).status_code == 200
        login.kill()
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            begun = time.monotonic()
            assert (await me(api, token)).status_code == 200
            assert time.monotonic() - begun < 0.5, "nobody waits for the issuer"
            await asyncio.sleep(0.1)
        problem(await me(api, unknown), 503, "unavailable")
        await asyncio.sleep(1.2)
        problem(await me(api, token), 503, "unavailable")
        assert (await api.get("/v1/leads")).status_code == 200, "tokens of ours need no issuer"


async def test_without_an_issuer_its_tokens_are_like_any_wrong_one(dsn: str, login: Login) -> None:
    async with running(dsn) as api:
        await refused(api, login.token(), "unknown, expired or revoked")
