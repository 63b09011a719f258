"""Commands on leads that may be one (R2, A1)."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict

from aggregates.lead.duplicates import dismiss, merge, unmerge
from aggregates.lead.state import Lead
from aggregates.refusal import Refusal
from commands.fields import Command, Note, example, text
from commands.lead.wiring import Facts, Judgement, Wiring, simply
from commands.loop import Beside, Decide, by_state

Ref = Annotated[str, text(255, 1)]


class MergeLead(Command):
    """Make a lead a duplicate of another one, under which it counts from now on (A1)."""

    model_config = ConfigDict(json_schema_extra=example(into="XLSH20240501001"))

    into: Ref
    """UUID or code of the lead that goes on."""
    reason: Note | None = None


class UnmergeLead(Command):
    """Take a merge back: everything is as if it had not been (A1)."""

    model_config = ConfigDict(json_schema_extra=example(reason="两家公司同名"))

    reason: Note | None = None


class DismissDuplicate(Command):
    """Say that a suspected lead is another one (A1)."""

    model_config = ConfigDict(
        json_schema_extra=example(other="XLSH20240501001", reason="两家公司同名")
    )

    other: Ref
    """UUID or code of the lead that it is not."""
    reason: Note | None = None


def _merge(c: MergeLead, facts: Facts) -> Judgement:
    """All merges claim one mark, so that no lead is merged into one that is being merged."""

    def given(into: Lead) -> Decide[Lead]:
        return by_state(partial(merge, into=into, now=facts.now, reason=c.reason or None))

    return Judgement(Beside(_lead(c.into, "into"), given), (facts.mark("merge", ""),))


def _unmerge(c: UnmergeLead, facts: Facts) -> Judgement:
    return simply(partial(unmerge, now=facts.now, reason=c.reason or None))


def _dismiss(c: DismissDuplicate, facts: Facts) -> Judgement:

    def given(other: Lead) -> Decide[Lead]:
        return by_state(partial(dismiss, other=other, now=facts.now, reason=c.reason or None))

    return Judgement(Beside(_lead(c.other, "other"), given))


def _lead(reference: str, field: str) -> UUID:
    """The lead that a command names. Codes are for people: whoever asks resolves them first."""
    try:
        return UUID(reference)
    except ValueError:
        raise Refusal("unknown-lead", f"there is no lead {reference}", field) from None


WIRING: Mapping[type[Command], Wiring] = {
    MergeLead: Wiring(_merge),
    UnmergeLead: Wiring(_unmerge),
    DismissDuplicate: Wiring(_dismiss),
}
