"""Our log under the eventsourcing library: its own test cases, and applications written with it."""

from collections.abc import Iterator, Mapping
from time import sleep
from typing import Any
from uuid import UUID, uuid4

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    ApplicationRecorder,
    IntegrityError,
    ProgrammingError,
    StoredEvent,
    Subscription,
)
from eventsourcing.postgres import PostgresDatastore
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)
from psycopg.conninfo import conninfo_to_dict

from adapters.postgres.codec import decode
from adapters.postgres.library import LogRecorder
from aggregates.personal import without_personal
from tests.conformance.examples import EXAMPLES
from tests.conformance.histories import Entry, append


def connection(dsn: str) -> dict[str, Any]:
    """The parts of a DSN under the library's names."""
    parts = conninfo_to_dict(dsn)
    return {name: parts.get(name) or "" for name in ("dbname", "host", "port", "user", "password")}


LISTENING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND starts_with(query, 'LISTEN') AND state = 'idle'
  AND query_start > %s
"""


class Listening(LogRecorder):
    """A recorder whose subscriptions listen before they are handed out.

    The library's own miss the wake-up of a commit that comes before their LISTEN.
    """

    def subscribe(self, *args: Any, **kwargs: Any) -> Subscription[ApplicationRecorder]:
        """A subscription that will hear of the next commit."""
        with self.datastore.cursor() as cursor:
            asked = cursor.execute("SELECT clock_timestamp() AS at").fetchall()[0]["at"]
            subscription = super().subscribe(*args, **kwargs)
            while not cursor.execute(LISTENING, [asked]).fetchall()[0]["count"]:
                sleep(0.005)
        return subscription


class OnAFreshLog:
    """Each of the library's test methods gets a log of its own: ours cannot be emptied."""

    datastore: PostgresDatastore

    @pytest.fixture(autouse=True)
    def _open(self, dsn: str) -> Iterator[None]:
        self.recorders: list[LogRecorder] = []
        with PostgresDatastore(
            **connection(dsn), schema="log", pool_size=4, max_overflow=16
        ) as self.datastore:
            yield
        for recorder in self.recorders:
            recorder.close()

    def create_recorder(self) -> LogRecorder:
        """What the library's test cases ask for."""
        self.recorders.append(Listening(self.datastore))
        return self.recorders[-1]


class TestRecorder(OnAFreshLog, ApplicationRecorderTestCase[LogRecorder]):
    """Inserts, selects, conflicts, limits, concurrent writers and readers, throughput."""

    def test_insert_subscribe(self) -> None:
        """The library's subscription follows our log: we notify on the channel it listens to."""
        self.optional_test_insert_subscribe()


class TestNonInterleaving(OnAFreshLog, NonInterleavingNotificationIDsBaseCase):
    """Positions of one commit stand together."""


class Leadlog(Application[UUID]):
    """A stock application; its name gives the library the table `leadlog_events`."""


class Basket(Aggregate):
    """An aggregate that knows nothing of leads."""

    @event("Created")
    def __init__(self) -> None:
        self.items: list[str] = []

    @event("Filled")
    def fill(self, item: str) -> None:
        """Put something in."""
        self.items.append(item)


class Otherwise(Application[UUID]):
    """An application whose events would go to another table."""


def opened(
    dsn: str,
    module: str = "eventsourcing.postgres",
    application: type[Application[UUID]] = Leadlog,
    env: Mapping[str, str] | None = None,
) -> Application[UUID]:
    """An application on our database, configured by environment variables alone."""
    parts = {f"POSTGRES_{name.upper()}": value for name, value in connection(dsn).items()}
    settings = {"PERSISTENCE_MODULE": module, "POSTGRES_SCHEMA": "log", "CREATE_TABLE": "no"}
    return application(env={**parts, **settings, **(env or {})})


TYPED = {"MAPPER_TOPIC": "adapters.postgres.codec:LeadlogMapper"}
OURS = "adapters.postgres.library"
ENTRIES = [
    Entry(stream, version, event)
    for stream, event in zip(iter(uuid4, None), EXAMPLES, strict=False)
    for version in (1, 2, 3)
]


def test_a_stock_application_reads_every_event(dsn: str) -> None:
    """Architecture section 3: the library opens our database as it is."""
    append(dsn, ENTRIES)
    with opened(dsn) as application:
        read = list(application.recorder.select_notifications(start=1, limit=len(ENTRIES) + 1))
        assert [notification.id for notification in read] == list(range(1, len(ENTRIES) + 1))
        for entry, stored in zip(ENTRIES, read, strict=True):
            assert decode(stored.topic, stored.state)[0] == without_personal(entry.event)
            theirs = application.mapper.to_domain_event(stored)
            assert type(theirs) is type(entry.event)
            assert theirs.originator_id == entry.stream
            assert theirs.originator_version == entry.version
        section = application.notification_log.select(start=1, limit=10)
        assert [notification.id for notification in section] == list(range(1, 11))


def test_a_stock_application_with_our_mapper_reads_typed_values(dsn: str) -> None:
    """MAPPER_TOPIC is the library's own setting."""
    append(dsn, ENTRIES)
    with opened(dsn, env=TYPED) as application:
        for entry in ENTRIES:
            events = list(application.events.get(entry.stream))
            clear = vars(without_personal(entry.event))
            assert [{n: getattr(event, n) for n in clear} for event in events] == [clear] * 3


def test_an_application_saves_through_our_recorder_and_reads_back(dsn: str) -> None:
    """The library's synchronous save() goes through the group commit."""
    append(dsn, ENTRIES)
    basket = Basket()
    basket.fill("catalogue")
    with opened(dsn, OURS) as application:
        recordings = application.save(basket)
        head = len(ENTRIES)
        assert [recording.notification.id for recording in recordings] == [head + 1, head + 2]
        stale: Basket = application.repository.get(basket.id)
        basket.fill("quotation")
        application.save(basket)
        stale.fill("contract")
        with pytest.raises(IntegrityError):
            application.save(stale)
    with opened(dsn) as stock:
        assert stock.repository.get(basket.id).items == ["catalogue", "quotation"]


def test_one_save_with_a_version_twice_is_refused(dsn: str) -> None:
    """Before it joins a group commit, which it would take down."""
    twice = [StoredEvent(uuid4(), 1, "topic", b"{}")] * 2
    with opened(dsn, OURS) as application, pytest.raises(IntegrityError):
        application.recorder.insert_events(twice)


@pytest.mark.parametrize(
    ("setting", "reason"),
    [
        ({"POSTGRES_ENABLE_DB_FUNCTIONS": "y"}, "POSTGRES_ENABLE_DB_FUNCTIONS"),
        ({"POSTGRES_SCHEMA": "public"}, "the log is log.leadlog_events"),
    ],
)
def test_unsafe_settings_are_refused(dsn: str, setting: dict[str, str], reason: str) -> None:
    """Architecture section 3: db functions drop the lock that keeps readers from missing events."""
    with pytest.raises(ProgrammingError, match=reason):
        opened(dsn, OURS, env=setting)


def test_an_application_of_another_name_is_refused(dsn: str) -> None:
    """The library derives the table from the name."""
    with pytest.raises(ProgrammingError, match=r"the log is log\.leadlog_events"):
        opened(dsn, OURS, Otherwise)


def test_a_stock_writer_is_refused(dsn: str) -> None:
    """The library's own recorder would bypass the append lock: the log gives it no position."""
    with opened(dsn) as application:
        with pytest.raises(IntegrityError, match="notification_id"):
            application.save(Basket())
        assert application.recorder.max_notification_id() is None
