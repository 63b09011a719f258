"""A browser sends a cookie along whoever had the idea: commands by cookie prove that the page had.

The proof is a header that the page alone can know, since it is derived from the cookie's secret
and told only in answers of our own origin; and the Origin that browsers add must be ours.
"""

import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from urllib.parse import urlsplit

from api.problems import Problem

SAFE = ("GET", "HEAD", "OPTIONS")


def csrf_token(cookie: str) -> str:
    """What X-CSRF-Token has to be for a session; it tells nothing of the cookie."""
    said = hmac.digest(cookie.encode(), b"leadlog csrf token", "sha256")
    return urlsafe_b64encode(said).decode().rstrip("=")


def require_own_page(headers: Mapping[bytes, bytes], cookie: str) -> None:
    """The problem 403 unless a request by cookie comes from our own page."""
    origin = headers.get(b"origin")
    if origin is not None and not _is_ours(origin, headers.get(b"host", b"")):
        raise Problem(403, "foreign-origin", "this page is not the service's own: send a token")
    given = headers.get(b"x-csrf-token", b"")
    if not hmac.compare_digest(given, csrf_token(cookie).encode()):
        raise Problem(
            403, "csrf-token", "send X-CSRF-Token with the value that GET /v1/session answers"
        )


def _is_ours(origin: bytes, host: bytes) -> bool:
    """Whether the page was loaded from the host that the request goes to.

    The scheme does not count: a proxy may have taken the encryption off.
    """
    try:
        return bool(host) and urlsplit(origin).netloc.lower() == host.lower()
    except ValueError:
        return False
