"""What follows from a decision on a lead as time runs: in the same commit, and whoever decided it.

Each rule compares the lead before the decision with what it is after it, and starts, moves or ends
clocks. So no command has to think of them, and none can forget to.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from aggregates.course import Course
from aggregates.event import Event
from aggregates.lead import timers
from aggregates.lead.events import FollowUpRecorded, StageChanged
from aggregates.lead.evolve import fold
from aggregates.lead.state import Lead
from aggregates.lead.time_events import (
    Clock,
    DeadlinesMoved,
    FirstFollowUpTaskIssued,
    FirstResponseMade,
    TaskCancelled,
    TaskDone,
    TaskScheduled,
)
from aggregates.lead.timers import Timer
from aggregates.lead.timing import Timing, level_of

PAUSE_ENDED, LEVEL_CHANGED = "pause ended", "level changed"


class _Change(NamedTuple):
    """A lead before and after what was decided, and what was; `now` is the instant of it.

    Whether the lead is worked on, before and now: no rule may yield an event that changes it.
    """

    before: Lead
    after: Lead
    decided: Sequence[Event]
    now: datetime
    timing: Timing
    open_before: bool
    open_now: bool

    @property
    def opened(self) -> bool:
        """Whether the lead is worked on now and was not before."""
        return self.open_now and not self.open_before


Rule = Callable[[_Change], Iterator[Event]]


def follow_through(
    lead: Lead, decided: Sequence[Event], *, now: datetime, timing: Timing
) -> Course[Lead]:
    """The events `decided` on `lead` and those that follow, by each of the rules in turn.

    From nothing, nothing follows.
    """
    if not decided:
        return Course(decided, lead)
    after = fold(lead, decided)
    change = _Change(lead, after, decided, now, timing, is_open(lead), is_open(after))
    events = [*decided]
    for rule in RULES:
        if new := list(rule(change)):
            events += new
            change = change._replace(after=fold(change.after, new))
    assert is_open(change.after) == change.open_now
    return Course(events, change.after)


def arm(lead: Lead, *, now: datetime, timing: Timing) -> list[Event]:
    """The clocks of a lead that an import brought: those that ring in the future."""
    if not (is_open(lead) and lead.owner and lead.in_hand_since):
        return []
    events: list[Event] = []
    if needs_first_follow_up(lead) and timers.FIRST_FOLLOW_UP not in lead.timers:
        since = lead.assigned_at or lead.in_hand_since
        task = _first_follow_up(lead, since, timing)
        if task.escalate_at and task.escalate_at <= now:
            task = replace(task, escalate_at=None)
        events += [task] if task.due_at > now else []
    if lead.stage_since is None or _reached_since(lead, lead.stage_since):
        return events
    tasks = _tasks_of(lead.stage, lead.stage_since, timing)
    return events + [t for t in tasks if t.task not in lead.timers and t.due_at > now]


def _reached_since(lead: Lead, instant: datetime) -> bool:
    """Whether a contact did by now what a task that began then would ask for."""
    at = lead.effort.connected_at
    return at is not None and at > instant


def is_open(lead: Lead) -> bool:
    """Whether something is still to be done about the lead, so that clocks run."""
    return lead.captured and lead.unfinished


def needs_first_follow_up(lead: Lead) -> bool:
    """Whether nobody has reached the customer yet (A12)."""
    return lead.first_response_at is None


def _pause_ended(c: _Change) -> Iterator[Event]:
    """What was left of every clock runs on from here (A26)."""
    if not c.before.pause or c.after.pause or not c.open_now:
        return
    running = [(name, t) for name, t in c.after.timers.items() if t.rings_at]
    clocks = tuple(_go_on(name, t, c.before.pause.since, c) for name, t in running)
    if clocks:
        yield DeadlinesMoved(occurred_at=c.now, reason=PAUSE_ENDED, clocks=clocks)


def _go_on(name: str, timer: Timer, stopped: datetime | None, c: _Change) -> Clock:
    keeps = c.timing.keeps(timer)
    stopped_at = max(timer.since, stopped or timer.since)
    assert timer.due_at is not None
    goes_on = max(c.now, stopped_at)  # a merge that was undone starts clocks behind the pause's end
    due_at = keeps.after(goes_on, keeps.between(stopped_at, timer.due_at))
    spent = timer.spent + keeps.between(timer.since, stopped_at).total_seconds()
    return Clock(name, goes_on, due_at, spent)


def _reached(c: _Change) -> Iterator[Event]:
    """The first connected follow-up is the first response; its own time decides (A12, A30)."""
    at = c.after.first_response_at
    if at is None or c.before.first_response_at or not c.after.captured:
        return
    first = next(e for e in c.decided if isinstance(e, FollowUpRecorded) and e.connected)
    timer = c.after.timers.get(timers.FIRST_FOLLOW_UP)
    due_at = timer.due_at if timer else None
    overdue_at = due_at if timer and timer.overdue else None
    yield FirstResponseMade(
        occurred_at=at,
        by=first.by,
        due_at=due_at,
        since_capture=_seconds(c.after.captured_at, at),
        since_assignment=_seconds(c.after.assigned_at, at),
        late=max((at - (overdue_at or at)).total_seconds(), 0.0) if due_at else None,
    )


def _done(c: _Change) -> Iterator[Event]:
    """A contact with the customer does what revisits and next steps had asked for by then."""
    for contact in c.decided:
        if isinstance(contact, FollowUpRecorded) and contact.connected and contact.occurred_at:
            for name, timer in c.before.timers.items():
                if timer.asked_at and timer.asked_at <= contact.occurred_at:
                    yield TaskDone(occurred_at=contact.occurred_at, task=name, by=contact.by)


def _left_stage(c: _Change) -> Iterator[Event]:
    """A task that a stage asked for ends with the stage."""
    if c.open_now:
        for name, timer in c.after.timers.items():
            if timer.kind == timers.STAGE and timer.stage != c.after.stage:
                yield TaskCancelled(occurred_at=c.now, task=name)


def _entered_stage(c: _Change) -> Iterator[Event]:
    """A stage may ask for a task: 方案提交, a revisit within 3 days (R53).

    It asks again when the lead is back in it.
    """
    entered = [e.occurred_at for e in c.decided if isinstance(e, StageChanged)]
    if c.open_now and (entered or c.opened):
        since = entered[-1] if entered else None
        yield from _tasks_of(c.after.stage, since or c.now, c.timing)


def _tasks_of(stage: str | None, since: datetime, timing: Timing) -> Iterator[TaskScheduled]:
    pipeline = timing.policies.pipeline
    for task in pipeline.rules.tasks:
        if task.stage == stage:
            yield TaskScheduled(
                occurred_at=since,
                task=task.task,
                kind=timers.STAGE,
                stage=stage,
                due_at=since + timedelta(days=task.after_days),
                policy=pipeline.ref,
            )


def _next_step(c: _Change) -> Iterator[Event]:
    """A next step is due at the end of its local day; one that is past by now asks for nothing, and
    neither does a plan that is older than the one that stands.
    """
    standing = c.after.timers.get(timers.NEXT_STEP)
    for record in c.decided:
        if isinstance(record, FollowUpRecorded) and record.next_step_due and c.open_now:
            due_at = c.timing.end_of(record.next_step_due)
            agreed_at = record.occurred_at or c.now
            is_newer = not (standing and standing.asked_at and standing.asked_at > agreed_at)
            if due_at > c.now and is_newer:
                yield TaskScheduled(
                    occurred_at=c.now,
                    task=timers.NEXT_STEP,
                    kind=timers.NEXT_STEP,
                    due_at=due_at,
                    due_on=record.next_step_due,
                    follow_up=record.code,
                    asked_at=agreed_at,
                )


def _new_owner(c: _Change) -> Iterator[Event]:
    """Whoever gets a lead that nobody reached is to do so, with time of their own (R37, A31)."""
    got_it = c.before.owner != c.after.owner or c.before.assigned_at != c.after.assigned_at
    if c.after.owner and c.open_now and needs_first_follow_up(c.after):
        if got_it:
            yield _first_follow_up(c.after, c.after.assigned_at or c.now, c.timing)
        elif c.opened:
            yield _first_follow_up(c.after, c.now, c.timing)


def _first_follow_up(lead: Lead, since: datetime, timing: Timing) -> FirstFollowUpTaskIssued:
    response, level = timing.policies.response, level_of(lead)
    clock = timing.clock(timers.FIRST_FOLLOW_UP)
    told = lead.escalated or timers.ESCALATION in lead.timers
    assert lead.owner is not None
    return FirstFollowUpTaskIssued(
        occurred_at=since,
        owner=lead.owner,
        level=level,
        due_at=clock.after(since, response.rules.due_within(level)),
        escalate_at=None if told else clock.after(since, response.rules.escalate_within(level)),
        policy=response.ref,
        calendar=timing.calendar,
    )


def _another_level(c: _Change) -> Iterator[Event]:
    """Another level gives other time from the same start, and undoes no breach (decision 6)."""
    first, level = c.after.timers.get(timers.FIRST_FOLLOW_UP), level_of(c.after)
    if first is None or level in (first.level, level_of(c.before)):
        return
    rules = c.timing.policies.response
    within = {
        timers.FIRST_FOLLOW_UP: rules.rules.due_within(level),
        timers.ESCALATION: rules.rules.escalate_within(level),
    }
    clocks = tuple(
        _with_time(name, timer, within[name], c.timing)
        for name, timer in c.after.timers.items()
        if name in within and timer.rings_at
    )
    if clocks:
        yield DeadlinesMoved(
            occurred_at=c.now, reason=LEVEL_CHANGED, clocks=clocks, level=level, policy=rules.ref
        )


def _with_time(name: str, timer: Timer, within: timedelta, timing: Timing) -> Clock:
    left = max(within - timedelta(seconds=timer.spent), timedelta(0))
    due_at = timing.keeps(timer).after(timer.since, left)
    return Clock(name, timer.since, due_at, timer.spent)


def _incomplete(c: _Change) -> Iterator[Event]:
    """待补充 is to be completed in 2 hours from when the lead became it (R28, A8)."""
    marked = (c.after.missing and not c.before.missing) or (c.opened and c.after.missing)
    if marked and c.open_now and timers.COMPLETE_INFO not in c.after.timers:
        clock, completeness = c.timing.clock(timers.COMPLETE_INFO), c.timing.policies.completeness
        yield TaskScheduled(
            occurred_at=c.now,
            task=timers.COMPLETE_INFO,
            kind=timers.COMPLETE_INFO,
            due_at=clock.after(c.now, completeness.rules.complete_within),
            policy=completeness.ref,
            calendar=c.timing.calendar,
        )


def _seconds(since: datetime | None, until: datetime) -> float | None:
    return (until - since).total_seconds() if since else None


RULES: tuple[Rule, ...] = (
    _pause_ended, _reached, _done, _left_stage, _entered_stage, _next_step, _new_owner,
    _another_level, _incomplete,
)  # fmt: skip
