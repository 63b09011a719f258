"""Which events tell whom (R10, R29, R36, R40-R42, R53, R107)."""

from collections.abc import Sequence
from datetime import date, datetime

import pytest

from aggregates.event import Event, PolicyRef, Recorded
from aggregates.lead import events as e
from aggregates.lead import time_events as t
from aggregates.notification import events as n
from aggregates.review.events import ReviewOpened
from projections.base import WorkingSet
from projections.notifications import DELIVERIES, PROJECTION
from tests.unit.lead.given import CODE, LEAD, NOW
from tests.unit.notification.folding import at, messages, told

POLICY = PolicyRef("response", 1, "9f86d081")
WHY = {"rule": "east"}


def captured(by: str | None = None, **details: str) -> e.LeadCaptured:
    return e.LeadCaptured(
        occurred_at=NOW, code=CODE, details={"customer": "A科技"} | details, entered_by=by
    )


def assigned(hours: float = 0, owner: str = "chen", *, by_rule: bool = False) -> e.LeadAssigned:
    return e.LeadAssigned(occurred_at=at(hours), owner=owner, explanation=WHY if by_rule else {})


def issued(hours: float = 0, owner: str = "chen") -> t.FirstFollowUpTaskIssued:
    return t.FirstFollowUpTaskIssued(
        occurred_at=at(hours), owner=owner, level="high", due_at=at(hours + 24), policy=POLICY
    )


def incomplete(hours: float = 0) -> t.TaskScheduled:
    return t.TaskScheduled(
        occurred_at=at(hours), task="complete-info", kind="complete-info", due_at=at(hours + 2)
    )


def contact(*, connected: bool = True) -> e.FollowUpRecorded:
    return e.FollowUpRecorded(occurred_at=at(1), code="GJ1", connected=connected, by="chen")


PAUSED = e.LeadPaused(occurred_at=at(2), reason="客户出差", resume_at=at(48))
RESUMED = e.LeadResumed(occurred_at=at(48), by_clock=True)
BY_HAND = e.LeadResumed(occurred_at=at(40), reason="客户回来了")
HANDED = e.LeadHandedOver(occurred_at=at(3), owner="li", previous_owner="chen")
OWNED: Sequence[Event] = (captured(), assigned(), issued())

CASES: dict[str, tuple[list[Sequence[Event]], list[tuple[str, str]]]] = {
    "R36, R37: the owner, with the task": ([OWNED], [("first-follow-up", "chen")]),
    "by rule, later": (
        [[captured("chen")], [assigned(1, by_rule=True), issued(1)]],
        [("first-follow-up", "chen")],
    ),
    "A31: each new owner": (
        [OWNED, [e.LeadReassigned(occurred_at=at(1), owner="li", previous_owner="chen"),
                 issued(1, "li")]],
        [("first-follow-up", "chen"), ("first-follow-up", "li")],
    ),
    "a new owner of a customer who was reached": (
        [OWNED, [contact()], [HANDED]],
        [("first-follow-up", "chen"), ("assigned", "li")],
    ),
    "an attempt reaches nobody": (
        [OWNED, [contact(connected=False)], [HANDED, issued(3, "li")]],
        [("first-follow-up", "chen"), ("first-follow-up", "li")],
    ),
    "whoever enters a lead for themselves knows": (
        [[captured("chen"), assigned(), issued()]], [],
    ),
    "whoever claims one knows": (
        [[captured()], [e.LeadClaimed(occurred_at=at(1), owner="chen", pool="公海"), issued(1)]],
        [],
    ),
    "and is told all that comes after": (
        [[captured()], [e.LeadClaimed(occurred_at=at(1), owner="chen", pool="公海"), issued(1)],
         [t.FirstResponseBreached(occurred_at=at(25), owner="chen", level="high")],
         [HANDED, issued(3, "li")]],
        [("first-response-late", "chen"), ("first-follow-up", "li")],
    ),
    "R28, R29, A8: the owner completes": (
        [[*OWNED, incomplete()]],
        [("first-follow-up", "chen"), ("complete-info", "chen")],
    ),
    "A8: without one, who entered it": ([[captured("mei"), incomplete()]],
                                        [("complete-info", "mei")]),
    "a web form has nobody to remind": ([[captured(), incomplete()]], []),
    "A8: the second reminder, and the supervisors": (
        [[captured("mei")],
         [t.InfoCompletionOverdue(occurred_at=at(2), missing=("need",), responsible="mei",
                                  supervisors=("wang", "mei"))]],
        [("info-overdue", "mei"), ("info-overdue", "wang")],
    ),
    "R40-R42: the supervisors, and a reason from the owner": (
        [OWNED, [t.EscalatedToSupervisor(occurred_at=at(72), owner="chen", team="east",
                                         supervisors=("wang", "zhou"))]],
        [("first-follow-up", "chen"), ("escalated", "wang"), ("escalated", "zhou"),
         ("late-reason", "chen")],
    ),
    "R53: what was to be done": (
        [OWNED, [t.TaskOverdue(occurred_at=at(72), task="回访", owner="chen")]],
        [("first-follow-up", "chen"), ("task-overdue", "chen")],
    ),
    "nobody's task, and nobody is over it": (
        [[captured()], [t.TaskOverdue(occurred_at=at(72), task="回访")]], [],
    ),
    "nobody's task: the supervisors": (
        [[captured()],
         [t.TaskOverdue(occurred_at=at(72), task="回访", supervisors=("wang", "zhou"))]],
        [("nobodys-task", "wang"), ("nobodys-task", "zhou")],
    ),
    "R8: nobody was found": (
        [[captured()], [e.AssignmentFailed(occurred_at=at(1), reason="nobody is free",
                                           supervisors=("wang",))]],
        [("assignment-failed", "wang")],
    ),
    "R108: a pause that ended": ([OWNED, [PAUSED], [RESUMED]],
                                 [("first-follow-up", "chen"), ("resumed", "chen")]),
    "whoever ends it knows": ([OWNED, [PAUSED], [BY_HAND]], [("first-follow-up", "chen")]),
    "R107: nothing while paused, and whoever got it then hears of it at the end": (
        [OWNED, [PAUSED], [HANDED, issued(3, "li"), incomplete(3)], [BY_HAND]],
        [("first-follow-up", "chen"), ("resumed", "li")],
    ),
    "a lead in a pool belongs to nobody": (
        [OWNED, [PAUSED], [e.LeadReleasedToPool(occurred_at=at(3), pool="公海")], [RESUMED]],
        [("first-follow-up", "chen")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("commits", "expected"), CASES.values(), ids=CASES)
def test_who_is_told_what(commits: list[Sequence[Event]], expected: list[tuple[str, str]]) -> None:
    """R10, R28, R29, R36, R37, R40, R42, R53, R107, R108, A8, A31: by case."""
    assert told(*commits) == expected


def test_an_imported_history_tells_nobody_and_what_comes_after_does() -> None:
    """Recorded long after it happened; clocks that an import starts tell of nothing new."""
    history = e.LeadCaptured(occurred_at=NOW, code=CODE, source_system="edtech")
    owned = [history, assigned(1), contact(), issued(1)]
    assert told(owned, recorded=at(100)) == []
    late = t.FirstResponseBreached(occurred_at=at(120), owner="chen", level="high")
    assert told(owned[:2], [issued(1)], recorded=at(100)) == []
    assert told([assigned(1), history, late], recorded=at(120)) == [("first-response-late", "chen")]


def test_a_historical_lead_that_is_given_to_somebody_today_is_news() -> None:
    history = e.LeadCaptured(occurred_at=NOW, code=CODE, source_system="edtech")
    assert told([history], [assigned(100), issued(100)]) == [("first-follow-up", "chen")]


def test_a_message_carries_what_its_text_needs_and_its_place() -> None:
    """The customer, the code, when it is due; created = when its cause happened."""
    [message] = messages(OWNED)
    assert (message.subject, message.customer, message.code) == (LEAD, "A科技", CODE)
    assert (message.due_at, message.created_at) == (at(24), NOW)
    assert message.about == {"level": "high"}
    assert message.position == 30


def test_ids_follow_from_cause_kind_and_recipient() -> None:
    """The same log gives the same messages; no two of one log are one."""
    escalated = t.EscalatedToSupervisor(occurred_at=at(72), owner="wang", supervisors=("wang",))
    twice = [messages(OWNED, [escalated]) for _ in range(2)]
    assert [m.id for m in twice[0]] == [m.id for m in twice[1]]
    assert len({m.id for m in twice[0]}) == len(twice[0]) == 3


def test_a_review_tells_its_supervisors() -> None:
    """R109, R110, R119."""
    opened = ReviewOpened(
        occurred_at=NOW,
        kind="weekly",
        team="east",
        since=date(2024, 4, 29),
        until=date(2024, 5, 6),
        supervisors=("wang",),
        position=9,
        total=3,
    )
    [message] = messages([opened])
    assert (message.kind, message.recipient, message.code) == ("review", "wang", None)
    assert message.about == {
        "review": "weekly", "team": "east", "since": "2024-04-29", "until": "2024-05-06",
        "total": 3,
    }  # fmt: skip


def test_contact_details_in_a_name_are_masked() -> None:
    """A4: a read model holds none."""
    [message] = messages([captured(customer="李总13912345678"), assigned(), issued()])
    assert message.customer == "李总139****5678"


DEAD = n.NotificationDead(
    occurred_at=NOW, recipient="chen", channel="email", error="refused 550", attempts=2
)
AGAIN = n.NotificationRetried(occurred_at=NOW, recipient="chen", channel="email")
SENT = n.NotificationSent(occurred_at=NOW, recipient="chen", channel="email", message_id="<a@b>")
SEEN = n.NotificationRead(occurred_at=NOW, recipient="chen")


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([SENT], {"email": ("sent", None)}),
        ([DEAD], {"email": ("dead", "refused 550")}),
        ([DEAD, AGAIN], {"email": ("retried", None)}),
        ([DEAD, AGAIN, SENT, SEEN], {"email": ("sent", None), "in-app": ("read", None)}),
    ],
    ids=["sent", "dead", "retried", "all"],
)
def test_what_became_of_it(
    events: Sequence[Event], expected: dict[str, tuple[str, str | None]]
) -> None:
    working, recorded_at = WorkingSet(), datetime.now(NOW.tzinfo)
    for version, event in enumerate(events, 1):
        PROJECTION.fold(working, [Recorded(version, LEAD, version, recorded_at, event)])
    rows = working.rows(DELIVERIES)
    assert {channel: (row.state, row.error) for (_, channel), row in rows.items()} == expected
