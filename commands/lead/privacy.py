"""Commands that reveal a lead's personal values, or erase them (A4, A27, R113, R117)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from pydantic import ConfigDict

from aggregates.event import Event
from aggregates.lead.erase import erase
from aggregates.lead.reveal import reveal
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from commands.fields import Command, Name, example
from commands.lead.wiring import Facts, Judgement, Wiring, simply
from commands.loop import Held


class RevealContact(Command):
    """See one personal value in clear, for a purpose; it is recorded who saw it."""

    model_config = ConfigDict(json_schema_extra=example(field="phone", purpose="首次电话联系"))

    field: Literal["phone", "email", "need"]
    purpose: Name
    """What it is needed for; kept in clear, without contact details."""


class EraseLead(Command):
    """Erase a lead's personal data for ever: its key is destroyed."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户要求删除个人信息"))

    reason: Name
    """Why; kept in clear, without contact details."""


class EraseAgain(EraseLead):
    """Erase a lead that was erased before, on a database restored from an older backup."""

    first_erased_at: datetime
    first_erased_by: str | None = None


def _reveal(c: RevealContact, facts: Facts) -> Judgement:
    """Reveals are counted by marks, one a person and hour. An erasure destroys those of its lead
    with its other marks; the reveals themselves stay on record.
    """
    person = facts.caller.person
    if person is None:
        raise Refusal("not-a-person", "a value is revealed to a person, who is on record for it")
    seen = facts.mark("reveals", f"{facts.now:%Y-%m-%dT%H}\n{person}")

    def decide(lead: Lead, held: Held) -> Sequence[Event]:
        return reveal(
            lead,
            now=facts.now,
            field=c.field,
            purpose=c.purpose,
            by=person,
            seen_this_hour=held[seen].count,
        )

    return Judgement(decide, (seen,))


def _erase(c: EraseLead, facts: Facts) -> Judgement:
    by = facts.caller.person or facts.caller.actor
    decide = partial(erase, now=facts.now, reason=c.reason, by=by)
    if isinstance(c, EraseAgain):
        before = {"first_erased_at": c.first_erased_at, "first_erased_by": c.first_erased_by}
        return simply(partial(decide, **before))
    return simply(decide)


WIRING: Mapping[type[Command], Wiring] = {
    RevealContact: Wiring(_reveal),
    EraseLead: Wiring(_erase),
}
AGAIN: Mapping[type[Command], Wiring] = {EraseAgain: Wiring(_erase)}
