"""Erasing a lead's personal data, for ever (architecture section 7; R113, R117)."""

from datetime import datetime

from aggregates.event import Event
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import Lead, replace
from aggregates.privacy import holds_contact
from aggregates.refusal import Refusal


def erase(
    lead: Lead,
    *,
    now: datetime,
    reason: str,
    by: str,
    first_erased_at: datetime | None = None,
    first_erased_by: str | None = None,
) -> list[Event]:
    """Erase what is personal. Any lead can be, however it stands, once: the command loop lets no
    command through to one that was. `first_erased_at`, `first_erased_by`: it is done again, on a
    database that was restored from a backup.
    """
    if lead == replace(Lead(lead.id), version=lead.version):
        raise Refusal("not-a-lead", "this is no lead: there is nothing personal to erase")
    if holds_contact(reason):
        why = "the reason is kept in clear: say it without a phone number or an e-mail address"
        raise Refusal("contact-in-reason", why, "reason")
    erased = PersonalDataErased(
        occurred_at=now,
        reason=reason,
        by=by,
        first_erased_at=first_erased_at,
        first_erased_by=first_erased_by,
    )
    return [erased]
