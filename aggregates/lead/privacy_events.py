"""What happens to a lead's personal data: it is shown to somebody, or erased."""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from aggregates.event import Event


@dataclass(frozen=True, kw_only=True)
class ContactRevealed(Event):
    """Somebody saw a personal value in clear: which `field`, and what for (A4, A27, R117).

    `purpose` is clear text without contact details, so that it outlives the value.
    """

    topic: ClassVar[str] = "lead.contact-revealed"

    field: str
    purpose: str
    by: str | None = None


@dataclass(frozen=True, kw_only=True)
class PersonalDataErased(Event):
    """The key of the lead's personal values is destroyed, in the commit that records this.

    What the lead counts in stays as it was; nothing more can be recorded on it. `first_erased_at`,
    `first_erased_by`: the erasure is one that was made before, on a database that was restored from
    a backup since.
    """

    topic: ClassVar[str] = "lead.personal-data-erased"

    reason: str
    by: str | None = None
    first_erased_at: datetime | None = None
    first_erased_by: str | None = None


EVENTS: tuple[type[Event], ...] = (ContactRevealed, PersonalDataErased)
