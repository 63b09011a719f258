"""What opens and closes a lead, and what pauses it, for read models that keep it as flags.

An erased lead still counts as what it was, and nothing is to be done about it any more.
"""

from collections.abc import Mapping

from aggregates.event import Event
from aggregates.lead import events as e
from aggregates.lead.privacy_events import PersonalDataErased

CLOSING: Mapping[type[Event], tuple[str, bool]] = {
    e.LeadsMerged: ("merged", True),
    e.MergeUndone: ("merged", False),
    e.LeadConverted: ("converted", True),
    e.ConversionReversed: ("converted", False),
    e.LeadInvalidated: ("invalidated", True),
    e.LeadReopened: ("invalidated", False),
    PersonalDataErased: ("erased", True),
}
"""The flag that an event sets, and to what."""
FLAGS: Mapping[type[Event], tuple[str, bool]] = {
    e.LeadPaused: ("paused", True),
    e.LeadResumed: ("paused", False),
    **CLOSING,
}
"""The same with those of a pause."""
