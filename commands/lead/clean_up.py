"""Commands that answer what the month-end clean-up proposes (R100, R101, A25)."""

from collections.abc import Mapping
from functools import partial

from pydantic import ConfigDict

from aggregates.lead.clean_up import confirm, dismiss
from commands.fields import Command, Note, Text, example
from commands.lead.wiring import Facts, Judgement, Wiring, simply


class ConfirmInvalidation(Command):
    """Give a lead up for the reason that the clean-up proposes (R101)."""

    model_config = ConfigDict(json_schema_extra=example(note="号码是空号"))

    note: Text | None = None


class DismissInvalidation(Command):
    """Keep a lead that the clean-up proposes to give up (A25)."""

    model_config = ConfigDict(json_schema_extra=example(reason="客户下季度有预算"))

    reason: Note | None = None


def _confirm(c: ConfirmInvalidation, facts: Facts) -> Judgement:
    return simply(partial(confirm, now=facts.now, note=c.note or None))


def _dismiss(c: DismissInvalidation, facts: Facts) -> Judgement:
    return simply(partial(dismiss, now=facts.now, reason=c.reason or None))


WIRING: Mapping[type[Command], Wiring] = {
    ConfirmInvalidation: Wiring(_confirm),
    DismissInvalidation: Wiring(_dismiss),
}
