"""Messages that are sent long after their cause, and channels that keep others waiting (R36)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import psycopg
import pytest

from adapters.company import open_company
from adapters.message_texts import MessageTexts
from adapters.notifying import channels
from adapters.postgres.runner import catch_up
from adapters.settings import Settings
from adapters.write_side import open_write_side
from aggregates.directory import events as d
from commands.caller import Caller
from commands.directory import Request
from commands.fields import Command
from commands.lead.outcome import InvalidateLead, PauseLead
from commands.lead.ownership import HandOverLead
from commands.lead.work import RecordFollowUp
from commands.notifications import NotificationCommands
from processes.notify import Notify, Patience
from tests.integration.messaging import Messaging, Post, eventually, settings, telling

pytestmark = pytest.mark.anyio


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Messaging]:
    company = Messaging(dsn)
    await company.person("chen")
    yield company
    await company.close()


@pytest.fixture
def post(free_port: int, open_tmp: Path) -> Iterator[Post]:
    post = Post(free_port, open_tmp / "taken.jsonl")
    yield post
    post.stop()


@pytest.mark.parametrize(
    "meanwhile",
    [
        HandOverLead(to="li"),
        PauseLead(reason="客户预算"),
        InvalidateLead(reason="无需求"),
        RecordFollowUp(
            method="电话沟通", content="客户对产品A感兴趣", feedback="需要报价", by="chen"
        ),
    ],
    ids=["passed on", "paused", "invalid", "answered"],
)
async def test_what_does_not_hold_any_more_is_not_sent(
    company: Messaging, post: Post, meanwhile: Command
) -> None:
    """R102, R107: whoever has the lead no more is not told that it is theirs; others are told."""
    await company.person("li")
    lead = await company.lead_of("chen")
    catch_up(company.dsn)
    await company.do(meanwhile, lead)
    await company.lead_of("li", "B科技")
    expected = 2 if isinstance(meanwhile, HandOverLead) else 1
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == expected)
        await eventually(lambda: company.became("chen"), bool)
    assert post.by_recipient() == {"li@example.com": expected}
    [(topic, event)] = company.became("chen")
    assert (topic, event["error"], event["attempts"]) == ("dead", "moot", 0)


async def test_a_channel_that_is_full_keeps_nothing_from_another(
    company: Messaging, post: Post
) -> None:
    """Chat that is down has more waiting than it may: mail goes on."""
    both = d.NotificationPreferencesSet(
        name="chen", channels=("in-app", "email", "chat"), language="en"
    )
    await company.about(both)
    post.start()
    own = settings(post.port, chat="json://127.0.0.1:9/all")
    patience = Patience(first_pause=3600.0, most_waiting=1)
    async with AsyncExitStack() as stack:
        process = _process(company, own, patience, stack)
        for number in (2, 4):
            for _ in range(2):
                await company.lead_of("chen")
            await _run(company, process)
            assert post.by_recipient() == {"chen@example.com": number}


async def test_what_somebody_wants_tried_again_is_taken_up_by_a_channel_that_is_full(
    company: Messaging, post: Post
) -> None:
    """No more than it has is news that waits in the read model."""
    await company.person("gone")
    await company.lead_of("gone")
    post.start()
    own = settings(post.port)
    async with AsyncExitStack() as stack:
        await _run(company, _process(company, own, Patience(), stack))
        await company.about(d.EmailChanged(name="gone", email="back@example.com"))
        with psycopg.connect(company.dsn) as conn:
            [(message,)] = conn.execute("SELECT id FROM p_notifications_1.notifications").fetchall()
        commands = NotificationCommands(company.log, company.clock)
        await commands.retry(message, "gone", "email", Request(Caller("user:boss")))
        await company.lead_of("chen")
        await _run(company, _process(company, own, Patience(most_waiting=0), stack))
    assert post.by_recipient() == {"back@example.com": 1}


def _process(
    company: Messaging, own: Settings, patience: Patience, stack: AsyncExitStack
) -> Notify:
    side = open_write_side(company.dsn, open_company(company.dsn, own), stack)
    return Notify(
        side.log,
        side.outbox,
        side.registry,
        side.clock,
        side.zone,
        channels(own),
        MessageTexts(side.zone),
        patience,
    )


async def _run(company: Messaging, process: Notify) -> None:
    """Until there is nothing to do for now."""
    catch_up(company.dsn)
    while await process.step():
        pass
