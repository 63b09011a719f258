"""kill -9 of the worker while it sends messages: none is lost, none is said to be sent twice
(T6, decision 20).
"""

import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from random import Random

import anyio
import psycopg
import pytest

from adapters.postgres.runner import catch_up
from tests.forked import Forked, leadlog
from tests.integration.messaging import SENDER, Messaging, Post
from tests.seed import SEED
from tests.size import size

pytestmark = pytest.mark.anyio

LEADS, KILLS, WORKERS = size(30, 1000), size(5, 100), 2
PATIENCE = 120.0
MESSAGES = (
    "SELECT count(*), count(DISTINCT id) FROM p_notifications_1.notifications WHERE kind ="
    " 'first-follow-up'"
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


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


def _worker(company: Messaging, post: Post) -> Forked:
    environment = os.environ | {
        "LEADLOG_ALLOW_UNSAFE_POSTGRES": "1",
        "LEADLOG_SMTP": f"smtp://127.0.0.1:{post.port}?starttls=never",
        "LEADLOG_SMTP_SENDER": SENDER,
        "LEADLOG_MESSAGE_PAUSE_SECONDS": "0.2",
        "LEADLOG_MESSAGE_ATTEMPTS": "100",
    }
    return leadlog("worker", "--database", company.dsn, environment=environment)


async def test_every_message_is_sent_and_recorded_once(company: Messaging, post: Post) -> None:
    """Two workers, either killed at random; the server behaves differently each time, too."""
    print(f"SEED={SEED}")
    rng = Random(SEED)
    people = [f"p{n}" for n in range(5)]
    for name in people:
        await company.person(name)
    owners = [rng.choice(people) for _ in range(LEADS)]
    post.start()
    for kill in range(KILLS):
        for owner in owners[kill * LEADS // KILLS : (kill + 1) * LEADS // KILLS]:
            await company.lead_of(owner)
        with _worker(company, post) as one, _worker(company, post) as other:
            await anyio.sleep(rng.uniform(0.2, 1.5))
            rng.choice((one, other)).kill()
            if rng.random() < 0.5:
                post.again(rng.choice(("ok", "later", "drops-first")))
            await anyio.sleep(rng.uniform(0.0, 1.0))
    post.again("ok")
    with _worker(company, post), _worker(company, post):
        end = time.monotonic() + PATIENCE
        while company.sent() < LEADS:
            assert time.monotonic() < end, (company.sent(), company.became())
            await anyio.sleep(0.1)
    catch_up(company.dsn)
    with psycopg.connect(company.dsn) as conn:
        assert conn.execute(MESSAGES).fetchone() == (LEADS, LEADS)
    assert {topic for topic, _ in company.became()} == {"sent"}
    assert company.sent() == LEADS
    assert post.by_recipient() == Counter(f"{owner}@example.com" for owner in owners)
    print(f"{len(post.taken())} mails of {LEADS} messages")
