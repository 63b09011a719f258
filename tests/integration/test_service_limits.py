"""What a served program does with clients that send too much, too slowly, or from elsewhere, and
that no secret reaches its log.
"""

import json
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
import pytest

from adapters.settings import Settings
from tests.integration.oidc_issuer import issuer
from tests.integration.test_serve import Serving, serving

LIMITS = {
    "LEADLOG_HEAD_SECONDS": "1", "LEADLOG_BODY_SECONDS": "1", "LEADLOG_KEEP_ALIVE_SECONDS": "1",
    "LEADLOG_MAX_URL_BYTES": "1000", "LEADLOG_MAX_HEADERS": "20",
    "LEADLOG_MAX_HEADER_BYTES": "4000", "LEADLOG_MAX_CONNECTIONS": "20",
    "LEADLOG_TRUSTED_PROXIES": "127.0.0.1", "LEADLOG_LOGIN_FAILURES": "2",
    "LEADLOG_CORS_ORIGINS": "https://crm.example.com",
}  # fmt: skip


@pytest.fixture(scope="module")
def service(module_dsn: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    data = tmp_path_factory.mktemp("data")
    with serving(module_dsn, data, "--no-worker", **LIMITS) as service:
        yield service


class Wire:
    """A connection on which a test says what it likes."""

    def __init__(self, service: Serving) -> None:
        where = urlsplit(service.url)
        assert where.hostname
        assert where.port
        self._socket = socket.create_connection((where.hostname, where.port), timeout=15)

    def say(self, text: bytes) -> None:
        self._socket.sendall(text)

    def heard(self) -> bytes:
        """Everything until the other side closes."""
        found = b""
        while piece := self._piece():
            found += piece
        self.close()
        return found

    def _piece(self) -> bytes:
        try:
            return self._socket.recv(65536)
        except ConnectionResetError:
            return b""

    def close(self) -> None:
        self._socket.close()


def status(heard: bytes) -> int:
    assert heard, "it was answered"
    return int(heard.split(b" ", 2)[1])


HOST = b"Host: x\r\n"
TOO_MUCH = [
    (b"GET /health/live?" + b"x" * 1000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    (b"GET /health/live HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 20 + b"\r\n", 431),
    (b"GET /health/live HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 4000 + b"\r\n\r\n", 431),
    (b"GET /health/live HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 300_000, 431),
    (b"nonsense\r\n\r\n", 400),
]


@pytest.mark.parametrize(("said", "expected"), TOO_MUCH, ids=str)
def test_what_is_too_much_is_refused(service: Serving, said: bytes, expected: int) -> None:
    wire = Wire(service)
    wire.say(said)
    heard = wire.heard()
    assert status(heard) == expected
    head, _, body = heard.partition(b"\r\n\r\n")
    assert json.loads(body)["status"] == expected
    for needed in (b"application/problem+json", b"nosniff", b"no-store", b"default-src 'none'"):
        assert needed in head


SLOW = [
    (b"", 0),
    (b"\r\n", 408),
    (b"GET /health/live HT", 408),
    (b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: ", 408),
    (b"POST /v1/leads HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{", 408),
]


@pytest.mark.parametrize(("said", "expected"), SLOW, ids=str)
def test_a_client_that_falls_silent_is_let_go(service: Serving, said: bytes, expected: int) -> None:
    token = f"Authorization: Bearer {service.token}\r\nHost: x".encode()
    wire, begun = Wire(service), time.monotonic()
    wire.say(said.replace(b"Host: x", token))
    heard = wire.heard()
    assert 0.8 < time.monotonic() - begun < 8
    assert (status(heard) if expected else heard) == (expected or b"")


def test_an_empty_line_does_not_hold_a_connection(service: Serving) -> None:
    wire, begun = Wire(service), time.monotonic()
    wire.say(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
    time.sleep(0.3)
    wire.say(b"\r\n")
    assert status(wire.heard()) == 200
    assert time.monotonic() - begun < 8


def test_a_trickle_of_headers_does_not_hold_a_connection(service: Serving) -> None:
    wire, begun = Wire(service), time.monotonic()
    wire.say(b"GET /health/live HTTP/1.1\r\nX: ")
    with suppress(OSError):  # the other side has gone
        while time.monotonic() < begun + 10:
            wire.say(b"y")
            time.sleep(0.1)
    wire.close()
    assert time.monotonic() - begun < 8


def test_a_request_in_pieces_and_several_in_one_are_answered(service: Serving) -> None:
    wire = Wire(service)
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n"
    for piece in (request[:9], request[9:30], request[30:] + b"\r\n"):
        wire.say(piece)
        time.sleep(0.05)
    wire.say((request + b"\r\n") * 3 + request + b"Connection: close\r\n\r\n")
    assert wire.heard().count(b"HTTP/1.1 200 OK") == 5


def test_too_many_connections_are_turned_away_and_then_there_is_room(service: Serving) -> None:
    wires = [Wire(service) for _ in range(21)]
    turned_away = wires[-1].heard()
    assert status(turned_away) == 503
    assert b"\r\nretry-after: 1\r\n" in turned_away
    for wire in wires:
        wire.close()
    time.sleep(0.3)
    assert httpx.get(f"{service.url}/health/live").status_code == 200


def test_only_a_listed_proxy_says_where_a_request_comes_from(service: Serving) -> None:
    """The service hears from 127.0.0.1, which is listed: each client behind it counts alone."""

    def tried(address: str) -> int:
        headers = {"Authorization": "Bearer leadlog_x", "X-Forwarded-For": address}
        return httpx.get(f"{service.url}/v1/session", headers=headers).status_code

    assert [tried("192.0.2.7") for _ in range(3)] == [401, 401, 429]
    assert tried("192.0.2.8") == 401
    assert tried("192.0.2.9, 192.0.2.7") == 429, "the nearest one that is not listed"
    https = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.5"}
    plain = httpx.get(f"{service.url}/health/live")
    assert "strict-transport-security" not in plain.headers
    secure = httpx.get(f"{service.url}/health/live", headers=https)
    assert "max-age" in secure.headers["strict-transport-security"]


def test_pages_of_listed_origins_may_call_with_a_token(service: Serving) -> None:
    def asked(origin: str) -> httpx.Response:
        headers = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type",
        }
        return httpx.options(f"{service.url}/v1/leads", headers=headers)

    listed = asked("https://crm.example.com")
    assert listed.status_code == 200
    assert listed.headers["access-control-allow-origin"] == "https://crm.example.com"
    assert "access-control-allow-credentials" not in listed.headers
    for origin in ("https://evil.example", "null", "https://crm.example.com.evil.example"):
        assert "access-control-allow-origin" not in asked(origin).headers


SECRETS = {
    "dsn password": "canary-dsn-7f1c", "smtp password": "canary-smtp-91aa",
    "guessed token": "leadlog_canary-guess-5d2e", "cookie": "canary-cookie-0b3f",
    "channel key": "leadlog_in_canary-key-66c0",
}  # fmt: skip


def test_no_secret_is_logged_or_answered(dsn: str, tmp_path: Path) -> None:
    """Right ones and wrong ones, on ways that succeed, are refused and fail with a defect."""
    secrets = dict(SECRETS)
    with issuer() as login:
        environment = {
            "LEADLOG_OIDC_ISSUER": login.url, "LEADLOG_OIDC_AUDIENCE": "leadlog",
            "LEADLOG_SMTP": f"smtp://leads:{SECRETS['smtp password']}@127.0.0.1:1?starttls=never",
            "LEADLOG_SMTP_SENDER": "leads@example.cn", "LEADLOG_COOKIE_SECURE": "false",
        }  # fmt: skip
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("CREATE ROLE canary SUPERUSER LOGIN PASSWORD 'canary-dsn-7f1c'")
            told = psycopg.conninfo.conninfo_to_dict(dsn) | {
                "user": "canary", "password": SECRETS["dsn password"],
            }  # fmt: skip
        own = psycopg.conninfo.make_conninfo(**told)
        with serving(own, tmp_path / "data", **environment) as service, logged(service) as lines:
            secrets |= {"token": service.token, "jwt": login.token()}
            answers = list(_visited(service, secrets))
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("ALTER TABLE access.tokens RENAME TO gone")  # a defect from now on
                conn.execute("ALTER TABLE access.sessions RENAME TO gone_too")
                conn.execute("ALTER TABLE access.channels RENAME TO gone_three")
                time.sleep(3.2)
                answers += list(_visited(service, secrets))
            assert {200, 401, 404, 500} <= {answer.status_code for answer in answers}
            assert service.stop() == 0
        log, out = "".join(lines), "".join(service.printed[1:])  # the first line tells the token
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute("DROP ROLE canary")
    keys = [p.read_text().strip() for p in (tmp_path / "data").glob("*.key")]
    words = [word for key in keys for word in key.split() if len(word) > 20]
    secrets |= {f"key {n}": word for n, word in enumerate(words)}
    assert "Traceback" in log, "it has failed, and said so"
    everything = log + out + "".join(answer.text for answer in answers)
    leaked = [name for name, secret in secrets.items() if secret in everything]
    assert not leaked, re.findall(".*(?:canary|leadlog_|eyJ).*", everything)[:5]


@contextmanager
def logged(service: Serving) -> Iterator[list[str]]:
    """What a service logs, read along, or it would wait for a reader."""
    lines: list[str] = []
    assert service.process.stderr
    reader = Thread(target=lines.extend, args=(service.process.stderr,))
    reader.start()
    yield lines
    service.process.wait(60)
    reader.join(60)


def _visited(service: Serving, secrets: dict[str, str]) -> Iterator[httpx.Response]:
    for name in ("token", "guessed token", "jwt"):
        headers = {"Authorization": f"Bearer {secrets[name]}"}
        for method in ("GET", "POST", "DELETE"):
            yield httpx.request(method, f"{service.url}/v1/session", headers=headers)
        yield httpx.get(f"{service.url}/v1/leads?q={secrets[name]}", headers=headers)
    cookie = {"Cookie": f"leadlog={secrets['cookie']}"}
    yield httpx.get(f"{service.url}/v1/leads", headers=cookie)
    channel = f"{service.url}/v1/intake/{secrets['channel key']}"
    yield httpx.post(channel, json={"customer": "A"})
    yield httpx.get(f"{service.url}/v1/{secrets['token']}")


def test_settings_do_not_show_their_secrets() -> None:
    settings = Settings(
        database=f"postgresql://leads:{SECRETS['dsn password']}@127.0.0.1/leads",
        smtp=f"smtp://leads:{SECRETS['smtp password']}@127.0.0.1:25",  # type: ignore[arg-type]
        smtp_sender="leads@example.cn",
    )
    assert not [secret for secret in SECRETS.values() if secret in f"{settings!r}{settings}"]


WRONG: list[tuple[str, Any]] = [
    ("trusted_proxies", "*"), ("trusted_proxies", "proxy.example.com"), ("cors_origins", "*"),
    ("cors_origins", "https://crm.example.com/"), ("oidc_issuer", "http://login.example.com"),
    ("oidc_issuer", "https://a:b@login.example.com"), ("oidc_claim", "sub"),
    ("oidc_leeway_seconds", 301), ("session_idle_minutes", 1), ("token_days", 0),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_an_unsafe_setting_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        Settings(**{"oidc_audience": "leadlog", name: value})


def test_a_cookie_goes_without_encryption_on_this_machine_alone() -> None:
    assert not Settings(cookie_secure=False).cookie_secure
    with pytest.raises(ValueError, match="https"):
        Settings(cookie_secure=False, host="0.0.0.0")
    with pytest.raises(ValueError, match="LEADLOG_OIDC_ISSUER"):
        Settings(oidc_issuer="https://login.example.com")
