"""A made-up history in the log: the same events for the same seed and size."""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import psycopg

from adapters.postgres import log_reader
from adapters.postgres.bulk import COPY_KEYS, KEY_TYPES
from adapters.postgres.codec import encode_meta
from adapters.postgres.encryption import LeadKeys
from aggregates.event import Event, Meta
from aggregates.lead import events as e

COPY = (
    "COPY log.leadlog_events (originator_id, originator_version, topic, state,"
    " notification_id, recorded_at) FROM STDIN (FORMAT BINARY)"
)
EVENTS_PER_LEAD = 10
START = datetime(2024, 1, 1, tzinfo=UTC)
STAGES = ("已联系", "需求确认", "方案提交", "商务谈判")
CONTENT = "客户对产品A功能感兴趣,要求提供案例"


def fill(dsn: str, size: int, seed: int = 1) -> None:
    """Put `size` events of `size / 10` leads into an empty log."""
    put(dsn, made_up(size, seed))


def put(dsn: str, events: Iterable[tuple[UUID, int, Event]]) -> None:
    """Put (stream, version, event) behind the end of a log that nobody else writes to."""
    now = datetime.now(UTC)
    meta, keys = encode_meta(Meta("import:bench", UUID(int=1))), LeadKeys()
    with psycopg.connect(dsn) as conn, conn.cursor() as cursor:
        first = log_reader.head(conn) + 1
        with cursor.copy(COPY) as copy:
            copy.set_types(["uuid", "int8", "text", "bytea", "int8", "timestamptz"])
            for position, (stream, version, event) in enumerate(events, first):
                state = keys.encode(stream, version, event, meta)
                copy.write_row((stream, version, event.topic, state, position, now))
        with cursor.copy(COPY_KEYS) as copy:
            copy.set_types(KEY_TYPES)
            for key in keys.made:
                copy.write_row(key)
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("VACUUM ANALYZE log.leadlog_events, privacy.keys")


def made_up(size: int, seed: int) -> Iterator[tuple[UUID, int, Event]]:
    """(stream, version, event): leads live side by side, the younger ones more lively."""
    rng = random.Random(seed)
    streams: list[UUID] = []
    versions: dict[UUID, int] = {}
    for n in range(size):
        at = START + timedelta(seconds=n * 15)
        if n % EVENTS_PER_LEAD == 0:
            stream = UUID(int=rng.getrandbits(128), version=4)
            streams.append(stream)
            event: Event = _captured(rng, n, at)
        else:
            stream = streams[-1 - int(rng.random() ** 2 * min(len(streams), 20_000))]
            event = _next(rng, n, at)
        versions[stream] = versions.get(stream, 0) + 1
        yield stream, versions[stream], event


def _captured(rng: random.Random, n: int, at: datetime) -> Event:
    details = {
        "source": rng.choice(["官网", "展会", "转介绍", "合作伙伴"]),
        "industry": rng.choice(["信息技术", "制造业", "教育", "服务业"]),
        "region": rng.choice(["华东", "华南", "华北"]),
        "customer": f"某{n}科技有限公司",
        "need": "需采购办公自动化系统",
    }
    return e.LeadCaptured(
        occurred_at=at, code=f"XLSH{n}", external_id=str(n), source_system="bench", details=details
    )


def _next(rng: random.Random, n: int, at: datetime) -> Event:
    dice = rng.random()
    if dice < 0.15:
        return e.LeadAssigned(occurred_at=at, owner=rng.choice("ABCDEFGH"), team="T")
    if dice < 0.5:
        return e.StageChanged(occurred_at=at, stage=rng.choice(STAGES))
    if dice < 0.9:
        return e.FollowUpRecorded(
            occurred_at=at, code=f"GJ{n}", connected=rng.random() < 0.6, by="A", method="电话",
            outcome="connected", content=CONTENT,
        )  # fmt: skip
    if dice < 0.95:
        return e.LeadConverted(occurred_at=at, amount=Decimal(rng.randrange(1000, 99999)))
    return e.LeadInvalidated(occurred_at=at, reason="wrong contact details")
