"""What is personal in an event: sealed with its lead's own key, and taken away by an erasure.

An event's class declares its personal fields as `Personal`; among `details` it goes by the name.
Every personal field is optional: None says that it was not given, or that it was erased.
"""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, TypeVar, get_args, get_type_hints

from aggregates.event import PERSONAL, Event
from aggregates.lead.events import PROFILE, FollowUpRecorded, InfoChanged, LeadCaptured
from aggregates.privacy import mask_attribute, mask_text

E = TypeVar("E", bound=Event)

DETAILS = frozenset(("customer", "contact", "contact_title", "phone", "email", "need"))
"""The lead's own fields that are personal (decision 8); the others are what reports group by."""


def personal_values(event: Event) -> dict[str, Any]:
    """The personal values of an event by field; of `details`, those that are personal."""
    names = _personal_fields[type(event)]
    values = {name: value for name in names if (value := getattr(event, name))}
    details = getattr(event, "details", None)
    if details and (own := _personal_details(details, typed=has_typed_attributes(event))):
        values["details"] = own
    return values


def personal_fields(cls: type[Event]) -> tuple[str, ...]:
    """The names of a type's personal fields, but for what is personal among `details`."""
    return _personal_fields[cls]


def without_personal(event: E) -> E:
    """The event as it is read once its lead is erased."""
    personal = personal_values(event)
    if own := personal.pop("details", None):
        rest = {k: v for k, v in event.details.items() if k not in own}  # type: ignore[attr-defined]
        return replace(event, details=rest, **dict.fromkeys(personal))  # type: ignore[call-arg]
    return replace(event, **dict.fromkeys(personal)) if personal else event


def has_typed_attributes(event: Event) -> bool:
    """Whether people typed what stands among an event's details beside the lead's own fields.

    A lead's attributes from a history file are what reports group by, and stay clear (decision 8);
    what such a file says of a contact is text like any other.
    """
    if isinstance(event, LeadCaptured):
        return bool(event.by_command or not event.source_system)
    return isinstance(event, InfoChanged | FollowUpRecorded)


def personal_attributes(event: Event) -> frozenset[str]:
    """The names of the attributes that are personal among an event's details."""
    return frozenset(personal_values(event).get("details", ())) - _PROFILE


def counts(name: str, value: Any) -> bool:
    """Whether an attribute that somebody typed is no text but a figure, and may stay clear."""
    shown = mask_attribute(value)
    return (not value or isinstance(shown, int | float)) and mask_text(name) == name


def _personal_details(details: Mapping[str, Any], *, typed: bool) -> dict[str, Any]:
    """An empty value is not personal: it takes the one before it away."""
    return {
        name: value
        for name, value in details.items()
        if (name in DETAILS and value)
        or (typed and name not in _PROFILE and not counts(name, value))
    }


class _PersonalFields(dict[type[Event], tuple[str, ...]]):
    """The personal fields of each type of event."""

    def __missing__(self, cls: type[Event]) -> tuple[str, ...]:
        hints = get_type_hints(cls, include_extras=True)
        self[cls] = names = tuple(f.name for f in fields(cls) if _is_personal(hints[f.name]))
        return names


def _is_personal(hint: Any) -> bool:
    return PERSONAL in getattr(hint, "__metadata__", ()) or any(map(_is_personal, get_args(hint)))


_PROFILE = frozenset(PROFILE)
_personal_fields = _PersonalFields()
