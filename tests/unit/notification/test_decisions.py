"""What becomes of a message, once and no more; how people want to be told, and when."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from functools import reduce
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from aggregates.directory.events import NotificationPreferencesSet
from aggregates.directory.preferences import set_preferences
from aggregates.directory.state import Person, Preferences, evolve
from aggregates.event import Event
from aggregates.notification import events as n
from aggregates.notification import state
from aggregates.notification.quiet import quiet_until
from aggregates.notification.state import Notification
from aggregates.refusal import Refusal
from processes.notify import Patience

NOW = datetime(2024, 5, 1, 1, 15, tzinfo=UTC)
SHANGHAI, BERLIN = ZoneInfo("Asia/Shanghai"), ZoneInfo("Europe/Berlin")
OF = {"now": NOW, "recipient": "chen"}
ABOUT = {"occurred_at": NOW, "recipient": "chen", "channel": "email"}
SENT = n.NotificationSent(**ABOUT, message_id="<a@b>")
DEAD = n.NotificationDead(**ABOUT, error="refused 550", attempts=1)
AGAIN = n.NotificationRetried(**ABOUT)
READ = n.NotificationRead(occurred_at=NOW, recipient="chen")


@pytest.mark.parametrize(
    ("history", "sent", "dead", "again"),
    [
        ([], [SENT], [DEAD], []),
        ([SENT], [], [], []),
        ([DEAD], [SENT], [], [AGAIN]),
        ([DEAD, AGAIN], [SENT], [DEAD], []),
        ([DEAD, AGAIN, SENT], [], [], []),
        ([READ], [SENT], [DEAD], []),
    ],
    ids=["new", "sent", "dead", "retried", "sent at last", "read"],
)
def test_a_repetition_changes_nothing(
    history: Sequence[Event],
    sent: Sequence[Event],
    dead: Sequence[Event],
    again: Sequence[Event],
) -> None:
    """Decision 20: one NotificationSent for a message and a channel, whoever says so again."""
    message = reduce(state.evolve, history, Notification(UUID(int=1)))
    assert message.version == len(history)
    assert state.sent(message, **OF, channel="email", message_id="<a@b>") == sent
    assert state.give_up(message, **OF, channel="email", error="refused 550", attempts=1) == dead
    assert state.retry(message, **OF, channel="email") == again
    assert state.sent(message, **OF, channel="chat", message_id=None) != []
    assert state.read(message, **OF) == ([] if READ in history else [READ])


def quiet(begin: str, end: str) -> Preferences:
    return Preferences(quiet_from=time.fromisoformat(begin), quiet_to=time.fromisoformat(end))


NIGHT, LUNCH = quiet("22:00", "07:30"), quiet("12:00", "13:30")


@pytest.mark.parametrize(
    ("wanted", "local", "until"),
    [
        (Preferences(), "2024-05-01T23:00:00", None),
        (NIGHT, "2024-05-01T21:59:59", None),
        (NIGHT, "2024-05-01T22:00:00", "2024-05-02T07:30:00"),
        (NIGHT, "2024-05-01T23:59:59", "2024-05-02T07:30:00"),
        (NIGHT, "2024-05-02T00:00:00", "2024-05-02T07:30:00"),
        (NIGHT, "2024-05-02T07:29:59", "2024-05-02T07:30:00"),
        (NIGHT, "2024-05-02T07:30:00", None),
        (NIGHT, "2024-05-31T22:00:00", "2024-06-01T07:30:00"),
        (LUNCH, "2024-05-01T11:59:59", None),
        (LUNCH, "2024-05-01T12:00:00", "2024-05-01T13:30:00"),
        (LUNCH, "2024-05-01T13:30:00", None),
    ],
)
def test_quiet_hours_to_the_second(wanted: Preferences, local: str, until: str | None) -> None:
    now = datetime.fromisoformat(local).replace(tzinfo=SHANGHAI).astimezone(UTC)
    end = quiet_until(wanted, now, SHANGHAI)
    assert end == (datetime.fromisoformat(until).replace(tzinfo=SHANGHAI) if until else None)


def test_quiet_hours_end_by_the_clock_on_the_wall() -> None:
    """Across a change of the clocks 22:00 to 07:30 is an hour shorter, or longer."""
    for day, hours in (("2024-03-30", 8.5), ("2024-10-26", 10.5)):
        now = datetime.fromisoformat(f"{day}T22:00").replace(tzinfo=BERLIN).astimezone(UTC)
        assert quiet_until(NIGHT, now, BERLIN) == now + timedelta(hours=hours)


def test_preferences_are_set_field_by_field() -> None:
    """R36: in-app and e-mail for everybody, until they say otherwise; the list is always there."""
    person = Person(name="chen", role="sales")
    assert person.messages.channels == ("in-app", "email")
    given = {"language": "en", "channels": ("chat",), "quiet_from": time(22), "quiet_to": time(7)}
    [event] = set_preferences(person, now=NOW, given=given)
    assert event == NotificationPreferencesSet(
        occurred_at=NOW,
        name="chen",
        channels=("in-app", "chat"),
        language="en",
        quiet_from=time(22),
        quiet_to=time(7),
    )
    changed = evolve(person, event)
    assert set_preferences(changed, now=NOW, given=given) == []
    [event] = set_preferences(changed, now=NOW, given={"quiet_from": None, "quiet_to": None})
    assert evolve(changed, event).messages == Preferences(("in-app", "chat"), "en")


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"channels": ("pigeon",)}, "channels"),
        ({"language": "de"}, "language"),
        ({"quiet_from": time(22)}, "quiet_to"),
        ({"quiet_from": time(22), "quiet_to": time(22)}, "quiet_to"),
    ],
)
def test_preferences_that_make_no_sense_are_refused(given: dict[str, object], field: str) -> None:
    with pytest.raises(Refusal) as refused:
        set_preferences(Person(name="chen"), now=NOW, given=given)
    assert (refused.value.code, refused.value.field) == ("invalid-preferences", field)


def test_pauses_grow_to_a_bound_and_are_spread() -> None:
    patience = Patience(first_pause=30, longest_pause=7200)
    for attempts, whole in ((1, 30), (2, 60), (3, 120), (8, 3840), (9, 7200), (16, 7200)):
        pauses = [patience.pause(attempts) for _ in range(50)]
        assert all(whole / 2 <= pause <= whole for pause in pauses)
        assert len(set(pauses)) > 1
