"""Conditions that several decisions share."""

from collections.abc import Collection
from datetime import datetime, timedelta

from aggregates.lead.state import Lead
from aggregates.refusal import Refusal

CLOCK_SKEW = timedelta(minutes=5)


class Erased(Refusal):
    """The lead's personal data is gone: no command changes it any more."""

    def __init__(self) -> None:
        super().__init__(
            "erased", "the personal data of this lead was erased: nothing more is recorded on it"
        )


def require_captured(lead: Lead) -> None:
    """A lead that only imports have mentioned cannot be worked on by command, nor a merged one."""
    if not lead.captured:
        raise Refusal("not-captured", "this lead has not been captured yet: capture it first")
    if lead.merged_into:
        raise Refusal("lead-merged", "this lead is merged into another one: work on that one")


def require_workable(lead: Lead) -> None:
    """An invalid lead must be reopened before anything else happens to it."""
    require_captured(lead)
    if lead.invalidated and not lead.conversion:
        raise Refusal("lead-invalid", "this lead is invalid: reopen it first")


def require_unconverted(lead: Lead) -> None:
    """A converted lead keeps its stage and its conversion until that is reversed."""
    if lead.conversion:
        raise Refusal("lead-converted", "this lead is converted: reverse the conversion first")


def not_in_the_future(occurred_at: datetime, now: datetime, field: str) -> None:
    """A fact has happened; the clocks of clients may differ by five minutes."""
    if occurred_at > now + CLOCK_SKEW:
        raise Refusal(
            "in-the-future", f"{field} lies in the future: record it when it is done", field
        )


def require_known(person: str | None, people: Collection[str], field: str) -> None:
    """The person is in the directory; while that is empty (no `people`), any name will do."""
    if person and people and person not in people:
        raise Refusal("unknown-person", f"{person} is not in the directory", field)
