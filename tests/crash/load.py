"""Clients of the HTTP service that never give up: the same key until there is an answer."""

import asyncio
import string
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any
from uuid import UUID

import httpx

from tests.checker import Acknowledged

CLIENTS = 16
PATIENCE = 60.0
PAUSE = 0.03
REFUSED = (409, 412, 422)


@dataclass
class Load:
    """What the clients do and what they are told. Leads are shared, so commands meet."""

    url: str
    token: str
    rng: Random
    answers: list[Acknowledged] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    stopping: bool = False
    _leads: list[UUID] = field(default_factory=list)
    _sent: int = 0

    def run(self) -> None:
        """Until `stopping`; every command under way gets its answer first."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx.AsyncClient(base_url=self.url, headers=headers, timeout=15) as http:
            await asyncio.gather(*(self._client(http) for _ in range(CLIENTS)))

    async def _client(self, http: httpx.AsyncClient) -> None:
        while not self.stopping:
            self._sent += 1
            key, (path, body, says) = f"command-{self._sent}", self._command()
            answer = await self._insist(http, key, path, body)
            self._note(key, says, answer)
            if answer.is_success and self.rng.random() < 0.1:  # as if it had not been heard
                self._note(key, says, await self._insist(http, key, path, body))
            if self.answers and self.rng.random() < 0.1:
                await self._read_own_write(http, self.rng.choice(self.answers))
            await asyncio.sleep(self.rng.random() * PAUSE)

    def _command(self) -> tuple[str, Mapping[str, Any], str]:
        """A path, a body, and what its event says and no other."""
        mark = "key-" + "".join(self.rng.choices(string.ascii_lowercase, k=16))
        if len(self._leads) < CLIENTS or (luck := self.rng.random()) < 0.3:
            return "", {"customer": mark, "source": self.rng.choice(("展会", "官网注册"))}, mark
        lead = f"/{self.rng.choice(self._leads[-100:])}"
        if luck < 0.5:
            return f"{lead}:assign", {"owner": mark, "team": "华东"}, mark
        if luck < 0.75:
            return f"{lead}/follow-ups", {"content": mark, "feedback": "需要报价"}, mark
        if luck < 0.8:
            return f"{lead}:reverse-conversion", {"reason": mark}, mark
        amount = f"{self.rng.randrange(10**11, 10**12)}.{self.rng.randrange(10, 100)}"
        return f"{lead}:convert", {"amount": amount}, amount

    async def _insist(
        self, http: httpx.AsyncClient, key: str, path: str, body: Mapping[str, Any]
    ) -> httpx.Response:
        """The service's last word: done or refused."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                answer = await http.post(
                    f"/v1/leads{path}", json=body, headers={"Idempotency-Key": key}
                )
                if answer.is_success or answer.status_code in REFUSED:
                    return answer
                assert answer.status_code == 503, answer.text
            except httpx.TransportError:
                pass
            assert time.monotonic() < end, f"{key} got no answer"
            await asyncio.sleep(0.05)

    def _note(self, key: str, says: str, answer: httpx.Response) -> None:
        if not answer.is_success:
            self.refused.append(says)
            return
        if answer.url.path.endswith(":reverse-conversion"):
            return  # with nothing to reverse, the answer names the log's end: nobody's event
        lead = UUID(answer.json()["id"])
        version, position = answer.headers["etag"].strip('"'), answer.headers["leadlog-position"]
        self.answers.append(Acknowledged(key, says, lead, int(version), int(position)))
        if "location" in answer.headers:
            self._leads.append(lead)

    async def _read_own_write(self, http: httpx.AsyncClient, answer: Acknowledged) -> None:
        """Whoever asks for what they were told gets it, or is told to come back."""
        try:
            found = await http.get(
                f"/v1/leads/{answer.stream}", params={"min_position": answer.position}
            )
        except httpx.TransportError:
            return
        assert found.status_code in (200, 503), found.text
        if found.status_code == 200:
            assert int(found.headers["etag"].strip('"')) >= answer.version
