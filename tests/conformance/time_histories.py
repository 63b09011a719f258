"""Random events of time, in any order and with any instants, as no company would live them."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random

from aggregates.event import Event, PolicyRef
from aggregates.lead import time_events as t
from aggregates.lead.timers import COMPLETE_INFO, FIRST_FOLLOW_UP, NEXT_STEP, STAGE

FIRST_DAY = datetime(2024, 5, 1, 1, tzinfo=UTC)
POLICY = PolicyRef("response", 1, "9f86d081")
TASKS = {COMPLETE_INFO: COMPLETE_INFO, NEXT_STEP: NEXT_STEP, "回访": STAGE}
SUPERVISORS = ((), ("李雷",), ("李雷", "王芳", "李雷"))
NAMES = (*TASKS, FIRST_FOLLOW_UP, "escalation", "pause")


def at(rng: Random) -> datetime:
    """An instant within a year, and now and then just now."""
    if rng.random() < 1 / 16:
        return datetime.now(UTC)
    return FIRST_DAY + timedelta(microseconds=rng.randrange(365 * 86_400 * 10**6))


def _issued(rng: Random) -> Event:
    return t.FirstFollowUpTaskIssued(
        occurred_at=at(rng),
        owner=rng.choice(("王芳", "Bo")),
        level=rng.choice(("high", "low")),
        due_at=at(rng),
        escalate_at=rng.choice((None, at(rng))),
        policy=POLICY,
    )


def _reached(rng: Random) -> Event:
    return t.FirstResponseMade(occurred_at=at(rng), by=rng.choice(("王芳", None)), late=60.0)


def _escalated(rng: Random) -> Event:
    owner, told = rng.choice(("王芳", "Bo")), rng.choice(SUPERVISORS)
    return t.EscalatedToSupervisor(occurred_at=at(rng), owner=owner, team="华南", supervisors=told)


def _incomplete(rng: Random) -> Event:
    return t.InfoCompletionOverdue(
        occurred_at=at(rng),
        missing=rng.choice((("need",), ("need", "phone|email"))),
        responsible=rng.choice(("王芳", None)),
        supervisors=rng.choice(SUPERVISORS),
    )


def _overdue(rng: Random) -> Event:
    task, owner = rng.choice(sorted(TASKS)), rng.choice(("Bo", None))
    told = rng.choice(SUPERVISORS)
    return t.TaskOverdue(occurred_at=at(rng), task=task, owner=owner, supervisors=told)


def _scheduled(rng: Random) -> Event:
    task = rng.choice(sorted(TASKS))
    return t.TaskScheduled(
        occurred_at=at(rng),
        task=task,
        kind=TASKS[task],
        due_at=at(rng),
        due_on=rng.choice((None, FIRST_DAY.date())),
        stage=rng.choice((None, "方案提交")),
        follow_up=rng.choice((None, "GJ20240501001")),
    )


def _moved(rng: Random) -> Event:
    names = rng.sample(NAMES, rng.randint(1, 3))
    clocks = tuple(t.Clock(name, at(rng), at(rng), rng.uniform(0, 9)) for name in names)
    return t.DeadlinesMoved(occurred_at=at(rng), reason="pause ended", clocks=clocks)


def _late_reason(rng: Random) -> Event:
    reason = rng.choice(("出差", "请回电13912345678"))
    return t.LateReasonRecorded(occurred_at=at(rng), reason=reason, by="Bo")


def _proposed(rng: Random) -> Event:
    return t.LeadInvalidationProposed(
        occurred_at=at(rng),
        reason=rng.choice(("联系方式错误", "请回电13912345678")),
        month=f"2024-{rng.randint(1, 12):02}",
        evidence=rng.choice(({}, {"wrong_numbers": 2})),
    )


MAKERS: tuple[Callable[[Random], Event], ...] = (
    _issued,
    _issued,
    _reached,
    lambda rng: t.FirstResponseBreached(occurred_at=at(rng), owner="Bo", level="high"),
    _escalated,
    _late_reason,
    _incomplete,
    _scheduled,
    _scheduled,
    _overdue,
    lambda rng: t.TaskDone(occurred_at=at(rng), task=rng.choice(sorted(TASKS)), by="Bo"),
    lambda rng: t.TaskCancelled(occurred_at=at(rng), task=rng.choice(sorted(TASKS))),
    _moved,
    _proposed,
    lambda rng: t.InvalidationDismissed(occurred_at=at(rng), reason="请回电13912345678"),
)
