"""What opens and closes a lead, and what pauses it, for read models that keep it as flags."""

from collections.abc import Mapping

from aggregates.event import Event
from aggregates.lead import events as e

CLOSING: Mapping[type[Event], tuple[str, bool]] = {
    e.LeadsMerged: ("merged", True),
    e.MergeUndone: ("merged", False),
    e.LeadConverted: ("converted", True),
    e.ConversionReversed: ("converted", False),
    e.LeadInvalidated: ("invalidated", True),
    e.LeadReopened: ("invalidated", False),
}
"""The flag that an event sets, and to what."""
FLAGS: Mapping[type[Event], tuple[str, bool]] = {
    e.LeadPaused: ("paused", True),
    e.LeadResumed: ("paused", False),
    **CLOSING,
}
"""The same with those of a pause."""
