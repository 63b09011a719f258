"""How somebody wants to be told of what concerns them (R36)."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from aggregates.directory.events import NotificationPreferencesSet
from aggregates.directory.person import require_known
from aggregates.directory.state import Person
from aggregates.event import Event
from aggregates.notification.channels import CHANNELS, IN_APP, LANGUAGES
from aggregates.refusal import Refusal


def set_preferences(person: Person, *, now: datetime, given: Mapping[str, Any]) -> list[Event]:
    """Change those fields of Preferences that are `given`. The list in the product is always there
    (`in-app`).
    """
    name, wanted = require_known(person), replace(person.messages, **given)
    chosen = {IN_APP, *wanted.channels}
    if unknown := sorted(chosen - set(CHANNELS)):
        raise _invalid(f"{unknown[0]} is none of {', '.join(CHANNELS)}", "channels")
    if wanted.language not in LANGUAGES:
        raise _invalid(f"the language is one of {', '.join(LANGUAGES)}", "language")
    if (wanted.quiet_from is None) != (wanted.quiet_to is None):
        raise _invalid("quiet hours have a beginning and an end", "quiet_to")
    if wanted.quiet_from and wanted.quiet_from == wanted.quiet_to:
        raise _invalid("quiet hours do not last the whole day", "quiet_to")
    wanted = replace(wanted, channels=tuple(c for c in CHANNELS if c in chosen))
    if wanted == person.messages:
        return []
    return [
        NotificationPreferencesSet(
            occurred_at=now,
            name=name,
            channels=wanted.channels,
            language=wanted.language,
            quiet_from=wanted.quiet_from,
            quiet_to=wanted.quiet_to,
        )
    ]


def _invalid(why: str, field: str) -> Refusal:
    return Refusal("invalid-preferences", why, field)
