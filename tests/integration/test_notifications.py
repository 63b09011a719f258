"""Messages by a real mail server, also while it is down, slow, refuses or loses its answers
(R36, R40; decision 20).
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from adapters.company import open_company
from adapters.notifying import channels, duty
from adapters.postgres.rebuild import rebuild
from adapters.postgres.runner import catch_up
from adapters.postgres.tables import connect
from adapters.postgres.verify import verify
from adapters.write_side import open_write_side
from aggregates.directory import events as d
from aggregates.notification import events as n
from commands.caller import Caller
from commands.directory import Request
from commands.notifications import NotificationCommands
from projections.catalogue import PROJECTIONS
from tests.integration.history_files import imported, text, write
from tests.integration.messaging import Messaging, Post, eventually, settings, telling

pytestmark = pytest.mark.anyio

FROM_MESSAGES = "FROM p_notifications_1.notifications"
ATTEMPTS = "SELECT max(attempts) FROM outbox.attempts"


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Messaging]:
    company = Messaging(dsn)
    yield company
    await company.close()


@pytest.fixture
def post(free_port: int, open_tmp: Path) -> Iterator[Post]:
    post = Post(free_port, open_tmp / "taken.jsonl")
    yield post
    post.stop()


async def test_the_owner_is_told_in_their_language_once(company: Messaging, post: Post) -> None:
    """R36, R37: who, what, until when; nothing of how to reach the customer (A4)."""
    await company.person("chen")
    await company.person("ana")
    speaks = d.NotificationPreferencesSet(name="ana", channels=("in-app", "email"), language="en")
    await company.about(speaks)
    await company.lead_of("chen", "A科技\r\nBcc: all@example.cn")
    await company.lead_of("ana")
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 2)
    taken = {message["to"]: message for message in post.taken()}
    assert taken["chen@example.com"]["subject"].startswith(
        "新线索待跟进:A科技 Bcc: a***@example.cn XLSH"
    )
    assert taken["ana@example.com"]["subject"].startswith("New lead to follow up: A科技 XLSH")
    assert "Bcc" not in taken["chen@example.com"]["headers"]
    for message in post.taken():
        told = str(message)
        assert not [one for one in ("13912345678", "canary10000001", "1391234") if one in told]
    said = dict(company.became("chen"))
    assert said["sent"]["message_id"] == taken["chen@example.com"]["id"]


async def test_a_server_that_is_down_is_waited_for(company: Messaging, post: Post) -> None:
    """Attempts are counted and outlive the worker; nothing is lost, nothing doubled."""
    for name in ("chen", "li"):
        await company.person(name)
        await company.lead_of(name)
    for _ in range(2):
        with telling(company.dsn, settings(post.port)):
            await eventually(lambda: _attempts(company.dsn), lambda tried: tried >= 1)
    assert company.became() == []
    with telling(company.dsn, settings(post.port)):
        await eventually(lambda: _attempts(company.dsn), lambda tried: tried >= 2)
        post.start()
        await eventually(company.sent, lambda sent: sent == 2)
        await eventually(lambda: _attempts(company.dsn), lambda sent: sent == 0)
    assert sorted(m["to"] for m in post.taken()) == ["chen@example.com", "li@example.com"]


async def test_what_is_refused_for_good_holds_up_nobody(company: Messaging, post: Post) -> None:
    """5xx = dead at once, with the code and nothing of the server's words; others get theirs."""
    for name in ("gone", "chen"):
        await company.person(name)
        await company.lead_of(name)
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.became, lambda all_: len(all_) == 2)
    [(topic, event)] = company.became("gone")
    assert (topic, event["error"], event["attempts"]) == ("dead", "refused 550", 1)
    assert post.by_recipient() == {"chen@example.com": 1}


async def test_what_was_given_up_is_sent_once_somebody_asks_for_it(
    company: Messaging, post: Post
) -> None:
    """To the address of then; who has none by then, the log says so."""
    for name in ("gone", "gone2"):
        await company.person(name)
        await company.lead_of(name)
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.became, lambda became: len(became) == 2)
        await company.about(d.EmailChanged(name="gone", email="back@example.com"))
        await company.about(d.EmailChanged(name="gone2", email=None))
        with psycopg.connect(company.dsn) as conn:
            messages = conn.execute(f"SELECT id, recipient {FROM_MESSAGES}").fetchall()
        commands = NotificationCommands(company.log, company.clock)
        for message, recipient in messages:
            await commands.retry(message, recipient, "email", Request(Caller("user:boss")))
        await eventually(company.became, lambda became: len(became) == 6)
    assert [topic for topic, _ in company.became("gone")] == ["dead", "retried", "sent"]
    assert [topic for topic, _ in company.became("gone2")] == ["dead", "retried", "dead"]
    assert company.became("gone2")[-1][1]["error"] == "not-wanted"
    assert post.by_recipient() == {"back@example.com": 1}


async def test_one_who_is_never_answered_holds_up_nobody(company: Messaging, post: Post) -> None:
    """Others, before and after, have theirs within seconds."""
    for name in ("tarpit", "chen"):
        await company.person(name)
        await company.lead_of(name)
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 1)
        await company.lead_of("chen")
        await eventually(company.sent, lambda sent: sent == 2)
    assert post.by_recipient() == {"chen@example.com": 2}
    assert company.became("tarpit") == []


async def test_later_is_later(company: Messaging, post: Post) -> None:
    """4xx: tried again with pauses; after so many attempts it is dead."""
    await company.person("chen")
    await company.lead_of("chen")
    post.start("later")
    with telling(company.dsn, settings(post.port, message_attempts=3)):
        [(topic, event)] = await eventually(company.became, bool)
        assert (topic, event["error"], event["attempts"]) == ("dead", "refused 451", 3)
        post.again("ok")
        await company.lead_of("chen")
        await eventually(company.sent, lambda sent: sent == 1)


async def test_a_lost_answer_doubles_the_mail_under_one_id(company: Messaging, post: Post) -> None:
    """Decision 20: at least once, with one Message-ID; the log says once."""
    await company.person("chen")
    await company.lead_of("chen")
    post.start("drops-first")
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 1)
    assert len(post.taken()) == 2
    assert len({message["id"] for message in post.taken()}) == 1


async def test_a_rebuild_sends_nothing(company: Messaging, post: Post) -> None:
    """Nor does a worker that begins again."""
    await company.person("chen")
    await company.lead_of("chen")
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 1)
    with connect(company.dsn) as conn:
        rebuild(conn, PROJECTIONS["notifications"])
        assert all(table.equal for table in verify(conn, PROJECTIONS["notifications"]))
    with telling(company.dsn, settings(post.port)):
        await company.person("li")
        await company.lead_of("li")
        await eventually(company.sent, lambda sent: sent == 2)
    assert sorted(m["to"] for m in post.taken()) == ["chen@example.com", "li@example.com"]


async def test_a_new_holder_waits_until_it_knows_what_the_one_before_sent(
    company: Messaging, post: Post
) -> None:
    """The read model may be behind the log by what was sent last."""
    await company.person("chen")
    await company.lead_of("chen")
    catch_up(company.dsn)
    with psycopg.connect(company.dsn) as conn:
        [(message,)] = conn.execute(f"SELECT id {FROM_MESSAGES}").fetchall()
        [(head,)] = conn.execute("SELECT max(notification_id) + 1 FROM log.leadlog_events")
    sent = n.NotificationSent(occurred_at=datetime.now(UTC), recipient="chen", channel="email")
    await company.say(message, sent)
    post.start()
    own = settings(post.port)
    async with AsyncExitStack() as stack:
        side = open_write_side(company.dsn, open_company(company.dsn, own), stack)
        process = duty(own, channels(own)).make(side, head)
        assert not await process.step()
        catch_up(company.dsn)
        while await process.step():
            pass
    assert post.taken() == []


async def test_a_process_that_does_not_wait_would_send_it_again(
    company: Messaging, post: Post
) -> None:
    """What the test above shows is the waiting: without it the message is mailed."""
    await company.person("chen")
    await company.lead_of("chen")
    catch_up(company.dsn)
    post.start()
    own = settings(post.port)
    async with AsyncExitStack() as stack:
        side = open_write_side(company.dsn, open_company(company.dsn, own), stack)
        process = duty(own, channels(own)).make(side, 0)
        while await process.step():
            pass
    assert post.by_recipient() == {"chen@example.com": 1}
    assert company.sent() == 1


async def test_who_wants_none_or_has_no_address_gets_none(company: Messaging, post: Post) -> None:
    """Their list in the product has it all the same; nothing is given up for it."""
    await company.person("chen")
    await company.person("mei", email=None)
    await company.person("li")
    await company.about(
        d.NotificationPreferencesSet(name="li", channels=("in-app",), language="zh")
    )
    for name in ("mei", "li", "chen"):
        await company.lead_of(name)
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 1)
    assert [topic for topic, _ in company.became()] == ["sent"]
    assert post.by_recipient() == {"chen@example.com": 1}


async def test_quiet_hours_put_it_off(company: Messaging, post: Post) -> None:
    """To their end; for others it is no reason to wait."""
    local = datetime.now(UTC).astimezone(company.zone)
    begin, end = local - timedelta(hours=1), local + timedelta(hours=1)
    for name in ("chen", "li"):
        await company.person(name)
    await company.about(
        d.NotificationPreferencesSet(
            name="chen",
            channels=("in-app", "email"),
            language="zh",
            quiet_from=begin.time().replace(microsecond=0),
            quiet_to=end.time().replace(microsecond=0),
        )
    )
    for name in ("chen", "li"):
        await company.lead_of(name)
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(company.sent, lambda sent: sent == 1)
    assert post.by_recipient() == {"li@example.com": 1}
    assert company.became("chen") == []


async def test_what_is_no_news_any_more_is_given_up(company: Messaging, post: Post) -> None:
    """It says so, and nothing is mailed."""
    await company.person("chen")
    await company.lead_of("chen")
    post.start()
    with telling(company.dsn, settings(post.port, message_hours=0.00001)):
        [(topic, event)] = await eventually(company.became, bool)
    assert (topic, event["error"], event["attempts"]) == ("dead", "too-old", 0)
    assert post.taken() == []


def _attempts(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(ATTEMPTS).fetchone()
    return int(row[0] or 0) if row else 0


async def test_an_imported_history_sends_nothing(
    company: Messaging, post: Post, tmp_path: Path
) -> None:
    """Nor do the clocks that it starts; what happens to the lead from then on does."""
    await company.person("Li")
    ago = datetime.now(UTC).astimezone(company.zone) - timedelta(hours=2)
    at = ago.isoformat(timespec="seconds")[:19]
    rows = [(1, at, "12", "LeadCreated", '{"channel": "website"}'),
            (2, at, "12", "OwnerAssigned", '{"owner": "Li"}')]  # fmt: skip
    done = imported(company.dsn, write(tmp_path, text(rows)))
    assert done.returncode == 0, done.stderr
    post.start()
    with telling(company.dsn, settings(post.port)):
        await eventually(lambda: _has(company.dsn, "lead.first-follow-up-task-issued"), bool)
        await company.person("chen")
        await company.lead_of("chen")
        await eventually(company.sent, lambda sent: sent == 1)
    assert post.by_recipient() == {"chen@example.com": 1}
    assert company.became("Li") == []


def _has(dsn: str, topic: str) -> bool:
    with psycopg.connect(dsn) as conn:
        asked = "SELECT FROM log.leadlog_events WHERE topic = %s"
        return conn.execute(asked, (topic,)).fetchone() is not None
