"""An OpenID Connect issuer as a process of its own, that behaves as it is told.

`python -m tests.integration.oidc_issuer PORT`. Beside its discovery document and its keys it takes
orders: `POST /behave` {"how": ok · slow · broken · moved · huge · other · unsafe · nonsense · odd ·
deep},
`POST /rotate` {"kind": RS256 …, "drop": true}, `POST /sign` {"header", "claims", "kid"}, and
`GET /asked`, how often its keys were asked for.
"""

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import httpx
from joserfc import jwt
from joserfc.jwk import JWKRegistry, Key

from adapters.oidc import SIGNATURES
from bench.services import free_port

LONG = 30.0
KINDS: Mapping[str, tuple[str, Any]] = {
    "RS256": ("RSA", 2048),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}

ODD: list[Any] = [
    None, 7, [], {}, {"kty": []}, {"kty": "RSA", "alg": []}, {"kty": {}, "crv": {}},
    {"kty": "EC", "crv": []}, {"kty": "RSA", "n": 7, "e": "AQAB"}, {"kty": "RSA", "n": "é"},
    {"kty": "OKP", "crv": "Ed25519", "x": []}, {"kty": "RSA", "kid": [], "n": "AQAB", "e": "AQAB"},
    {"kty": "RSA", "use": [], "n": "AQAB", "e": "AQAB"},
]  # fmt: skip


class Issuer(BaseHTTPRequestHandler):
    """What one request gets."""

    url: ClassVar[str]
    how: ClassVar[str] = "ok"
    asked: ClassVar[int] = 0
    keys: ClassVar[dict[str, Key]] = {}

    @classmethod
    def rotate(cls, kind: str, *, drop: bool) -> str:
        """A new key, in place of the others or beside them; its name."""
        kid = f"key-{time.monotonic_ns()}"
        key_type, size = KINDS[kind]
        new = {kid: JWKRegistry.generate_key(key_type, size, {"kid": kid, "use": "sig"})}
        cls.keys = new if drop else cls.keys | new
        return kid

    def do_GET(self) -> None:
        """The two documents, and how often they were wanted."""
        if self.path == "/asked":
            self._say({"asked": Issuer.asked})
            return
        if self.path == "/keys":
            Issuer.asked += 1
        if self.how == "slow":
            time.sleep(LONG)
        if self.how in ("broken", "moved"):
            self.send_response(500 if self.how == "broken" else 302)
            self.send_header("Location", f"{self.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif self.path == "/.well-known/openid-configuration":
            keys = f"{self.url}/keys"
            if self.how == "unsafe":  # it would answer there
                keys = keys.replace("//", "//somebody@")
            other = "https://evil.example" if self.how == "other" else self.url
            self._say([] if self.how == "nonsense" else {"issuer": other, "jwks_uri": keys})
        elif self.how == "deep":
            self._send(b'{"keys": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
        elif self.how == "odd":
            self._say({"keys": ODD})
        else:
            keys = [key.as_dict(private=False) for key in self.keys.values()]
            self._say({"keys": keys, "padding": "x" * (10**6 if self.how == "huge" else 0)})

    def do_POST(self) -> None:
        """An order."""
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        match self.path:
            case "/behave":
                Issuer.how = told["how"]
                self._say({})
            case "/rotate":
                self._say({"kid": self.rotate(**told)})
            case "/sign":
                key = self.keys[told["kid"]]
                token = jwt.encode(told["header"], told["claims"], key, registry=SIGNATURES)
                self._say({"token": token})

    def _say(self, body: Any) -> None:
        self._send(json.dumps(body).encode())

    def _send(self, content: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


class Login:
    """The issuer as a test sees it."""

    def __init__(self, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.url = url
        self._process = process
        self._client = httpx.Client(base_url=url, timeout=60)
        self.kid = self.rotate("RS256")

    def order(self, path: str, **told: Any) -> dict[str, Any]:
        """Have it do something."""
        answer: dict[str, Any] = self._client.post(path, json=told).json()
        return answer

    def rotate(self, kind: str, *, drop: bool = True) -> str:
        """A new key; what `token` signs with from now on."""
        self.kid = str(self.order("/rotate", kind=kind, drop=drop)["kid"])
        return self.kid

    def behave(self, how: str) -> None:
        """Be like this from now on."""
        self.order("/behave", how=how)

    def keys(self) -> list[dict[str, Any]]:
        """What it publishes."""
        published: list[dict[str, Any]] = self._client.get("/keys").json()["keys"]
        return published

    def asked(self) -> int:
        """How often its keys were asked for."""
        return int(self._client.get("/asked").json()["asked"])

    def token(self, *, alg: str = "RS256", header: Mapping[str, Any] = {}, **claims: Any) -> str:
        """A token of 王芳 for five minutes, but for what is given; None leaves a claim out."""
        now = int(time.time())
        said = {
            "iss": self.url, "aud": "leadlog", "sub": "248289761001", "iat": now, "exp": now + 300,
            "email": "wang.fang@example.cn", "email_verified": True, "preferred_username": "王芳",
        }  # fmt: skip
        kept = {name: value for name, value in (said | claims).items() if value is not None}
        head = {"alg": alg, "kid": self.kid, **header}
        return str(self.order("/sign", header=head, claims=kept, kid=self.kid)["token"])

    def kill(self) -> None:
        """It is gone."""
        self._client.close()
        self._process.kill()
        self._process.wait()


@contextmanager
def issuer() -> Iterator[Login]:
    """A running one."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.integration.oidc_issuer", str(port)], stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline(), "it says that it listens"
    login = Login(f"http://127.0.0.1:{port}", process)
    try:
        yield login
    finally:
        login.kill()
        process.stdout.close()


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Issuer)
    server.daemon_threads = True
    Issuer.url = f"http://127.0.0.1:{sys.argv[1]}"
    print("listening", flush=True)
    server.serve_forever()
