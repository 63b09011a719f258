"""Chat by the bots of WeCom, DingTalk and Feishu: messages go to the group that a bot speaks to.

These take no name for a message: one whose answer was lost may appear twice (decision 20).
"""

import asyncio
from collections.abc import Mapping

import apprise

from adapters.settings import PREFIX, StartupError
from aggregates.directory.state import Person
from commands.notifications import Message, NotTaken, Text

CONNECTIONS = 4
ANSWER_SECONDS = 5
"""For connecting, and for each answer."""


class Chat:
    """The chat `Channel`. `bots`: the URL of each team's bot; that of "" serves everybody else.

    A group may hold people who may not see the lead.
    """

    private = False

    def __init__(self, bots: Mapping[str, str]) -> None:
        asset = apprise.AppriseAsset(app_id="leadlog", secure_logging=True)
        self._bots = {team: _bot(url, asset) for team, url in bots.items()}
        self._connections = asyncio.Semaphore(CONNECTIONS)

    def reaches(self, person: Person) -> bool:
        """Whether there is a bot for their team, or for everybody."""
        return self._bot(person) is not None

    async def send(self, message: Message, person: Person, text: Text) -> str | None:  # noqa: ARG002
        """Have the bot say it; the message names whom it is for."""
        bot = self._bot(person)
        assert bot is not None
        async with self._connections:
            taken = await bot.async_notify(
                title=text.subject, body=text.body, body_format=apprise.NotifyFormat.TEXT
            )
        if not taken:
            raise NotTaken("not taken")
        return None

    def _bot(self, person: Person) -> "apprise.Apprise | None":
        return self._bots.get(person.team or "", self._bots.get(""))


def _bot(url: str, asset: "apprise.AppriseAsset") -> "apprise.Apprise":
    bot = apprise.Apprise(asset=asset)
    end = "&" if "?" in url else "?"
    if not bot.add(f"{url}{end}cto={ANSWER_SECONDS}&rto={ANSWER_SECONDS}"):
        raise StartupError(f"{PREFIX}CHAT: a bot's URL lacks something")
    return bot
