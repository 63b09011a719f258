"""Messages by a chat bot: a real receiver of JSON on this machine, also while it is down (R36)."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.settings import Settings
from aggregates.directory import events as d
from tests.integration.messaging import Messaging, Post, eventually, telling

pytestmark = pytest.mark.anyio


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Messaging]:
    company = Messaging(dsn)
    for name, team in {"chen": "east", "li": "west", "mei": None}.items():
        await company.person(name, team=team)
        if name != "mei":
            chats = d.NotificationPreferencesSet(
                name=name, channels=("in-app", "chat"), language="en"
            )
            await company.about(chats)
    yield company
    await company.close()


@pytest.fixture
def receiver(free_port: int, open_tmp: Path) -> Iterator[Post]:
    receiver = Post(free_port, open_tmp / "taken.jsonl", "chat_receiver")
    yield receiver
    receiver.stop()


def bots(receiver: Post) -> Settings:
    """A bot for the team east, none for anybody else."""
    url = f"json://127.0.0.1:{receiver.port}/east"
    return Settings(
        allow_unsafe_postgres=True, chat=f'{{"east": "{url}"}}', message_pause_seconds=0.3
    )


async def test_the_team_s_bot_says_it(company: Messaging, receiver: Post) -> None:
    """To those who want it and have a bot; it names whom it is for, and the lead by its code: a
    group may hold people who may not see it (decision 8).
    """
    for name in ("chen", "li", "mei"):
        await company.lead_of(name)
    receiver.start("200")
    with telling(company.dsn, bots(receiver)):
        await eventually(company.sent, lambda n: n == 1)
    [said] = receiver.taken()
    assert said["title"].startswith("New lead to follow up: XLSH")
    assert said["message"].startswith("chen,")
    assert "A科技" not in str(said)
    assert "1391234" not in said["message"]
    [(topic, event)] = company.became()
    assert (topic, event["recipient"], event["channel"]) == ("sent", "chen", "chat")


async def test_a_bot_that_is_down_or_refuses_is_waited_for(
    company: Messaging, receiver: Post
) -> None:
    await company.lead_of("chen")
    receiver.start("500")
    with telling(company.dsn, bots(receiver)):
        await eventually(receiver.taken, lambda taken: len(taken) >= 1)
        receiver.stop()
        assert company.became() == []
        receiver.start("200")
        await eventually(company.sent, lambda n: n == 1)
