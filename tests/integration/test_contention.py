"""Others are faster, again and again: a command is tried for a while (decision 10)."""

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest

from adapters.postgres.event_log import PostgresEventLog
from aggregates.event import Meta
from aggregates.lead.events import LeadReopened, StageChanged
from aggregates.lead.evolve import evolve
from aggregates.lead.state import Lead
from commands import loop
from commands.loop import CommandLoop, Contended, Intent
from commands.ports import Appended, NewEvents

pytestmark = pytest.mark.anyio
MARK = b"m" * 16


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


class Overtaken(PostgresEventLog):
    """A log whose appends come second to one from elsewhere, so many times."""

    rivals = 0

    async def append(self, new: NewEvents) -> Appended:
        if self.rivals:
            self.rivals -= 1
            known = (await self.holders([MARK]))[MARK].position
            meta = Meta("user:rival", uuid4())
            rival = NewEvents(uuid4(), 0, [LeadReopened()], meta, b"", {MARK: known})
            await super().append(rival)
        return await super().append(new)


@pytest.fixture
async def log(dsn: str) -> AsyncIterator[Overtaken]:
    log = Overtaken(dsn)
    yield log
    await log.close()


def claim(stream: UUID) -> Intent[Lead]:
    return Intent[Lead](
        stream,
        lambda *_: [StageChanged(stage="A")],
        Meta("user:chen", uuid4()),
        b"",
        marks=(MARK,),
    )


async def test_thirty_times_overtaken_it_is_carried_out(log: Overtaken) -> None:
    log.rivals = 30
    reply = await CommandLoop(log, Lead, evolve).run(claim(uuid4()))
    assert (reply.state.version, log.rivals) == (1, 0)


async def test_it_ends_after_a_while(log: Overtaken, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told in the end, and nothing is recorded."""
    monkeypatch.setattr(loop, "TRY_SECONDS", 0.5)
    log.rivals, lead = 10_000, uuid4()
    began = asyncio.get_running_loop().time()
    with pytest.raises(Contended):
        await CommandLoop(log, Lead, evolve).run(claim(lead))
    assert 0.5 <= asyncio.get_running_loop().time() - began < 5
    assert not await log.load(lead)
