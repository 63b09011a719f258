"""Whether a message still holds when it is sent, hours after its cause perhaps (R36).

The list in the product says what happened; a mail is read as what is to be done now.
"""

from collections.abc import Mapping

from aggregates.directory.state import Person
from aggregates.lead import timers
from commands.notifications import Message, Standing
from commands.register import Register
from projections import messages as m

TASKS: Mapping[str, str] = {
    m.FIRST_FOLLOW_UP: timers.FIRST_FOLLOW_UP,
    m.LATE: timers.FIRST_FOLLOW_UP,
    m.ESCALATED: timers.FIRST_FOLLOW_UP,
    m.LATE_REASON: timers.LATE_REASON,
    m.INCOMPLETE: timers.COMPLETE_INFO,
    m.STILL_INCOMPLETE: timers.COMPLETE_INFO,
}
"""The task that a kind of message is about; others name theirs."""


def is_moot(message: Message, lead: Standing, register: Register) -> bool:
    """Whether what it says is no more: the lead is paused, merged, invalid or erased, the task is
    done or not that person's any more, or the recipient is neither that person nor over them.
    """
    if lead.paused or lead.over:
        return True
    if message.kind in (m.ASSIGNED, m.RESUMED):
        return lead.owner != message.recipient
    if message.kind == m.UNASSIGNABLE:
        return lead.owner is not None or not may_know(message.recipient, lead, register)
    task, whose = TASKS.get(message.kind) or message.about["task"], _whose(message)
    if task not in lead.tasks or lead.tasks[task] != whose:
        return True
    return whose != message.recipient and not may_know(message.recipient, lead, register)


def may_know(name: str, lead: Standing, register: Register) -> bool:
    """Whether somebody may be told the customer's name: who sees the lead, and whoever is over its
    team. A pool shows it, too; by a share nobody is told anything.
    """
    scope = register.scope(name, register.people.get(name, Person()).role or "")
    if scope.everything or name in register.supervisors(lead.team):
        return True
    if lead.owner is None:
        return scope.unowned or scope.person == lead.entered_by is not None
    return lead.owner in scope.owners or lead.team in scope.teams


def _whose(message: Message) -> str | None:
    """Whose task the message says that it is; None = nobody's."""
    if message.kind in (m.ESCALATED, m.STILL_INCOMPLETE):
        return message.about.get("owner")
    return None if message.kind == m.NOBODYS_TASK else message.recipient
