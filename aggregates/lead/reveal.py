"""Showing a lead's personal value in clear to somebody who needs it (A4, A27, R113, R117)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.guards import require_captured
from aggregates.lead.privacy_events import ContactRevealed
from aggregates.lead.state import Lead
from aggregates.privacy import holds_contact
from aggregates.refusal import Refusal

REVEALABLE = ("phone", "email", "need")
"""What is shown masked, or with what is masked in it, and may be revealed one at a time."""
MOST_REVEALS = 60
"""Of one person within one hour of the clock: whoever rings customers needs fewer, whoever copies
the list more.
"""


class TooManyReveals(Refusal):
    """The person has seen so many values this hour that it looks like copying."""

    def __init__(self, now: datetime) -> None:
        why = f"at most {MOST_REVEALS} values are revealed to a person in an hour: go on later"
        super().__init__("too-many-reveals", why)
        self.retry_seconds = 3600 - now.minute * 60 - now.second
        """Until the next hour begins."""


def reveal(
    lead: Lead, *, now: datetime, field: str, purpose: str, by: str, seen_this_hour: int
) -> list[Event]:
    """Show a value. Each time is recorded, also where the same one was shown before.

    The purpose outlives the value, so it may hold no contact details.
    """
    require_captured(lead)
    if field not in REVEALABLE:
        known = ", ".join(REVEALABLE)
        raise Refusal("unknown-field", f"what can be revealed is {known}", "field")
    if holds_contact(purpose):
        why = "the purpose is kept in clear: say it without a phone number or an e-mail address"
        raise Refusal("contact-in-purpose", why, "purpose")
    if not revealed(lead, field):
        raise Refusal("nothing-to-reveal", f"this lead has no {field}", "field")
    if seen_this_hour >= MOST_REVEALS:
        raise TooManyReveals(now)
    return [ContactRevealed(occurred_at=now, field=field, purpose=purpose, by=by)]


def revealed(lead: Lead, field: str) -> str | None:
    """The value in clear."""
    value: str | None = lead.profile.get(field)
    return value
