"""Read models hold contact details only masked: a fold behind `masked` never sees them in clear."""

from collections.abc import Collection, Sequence

from aggregates.event import Event, Recorded
from aggregates.privacy import mask_event
from projections.base import Fold, WorkingSet


def masked(fold: Fold, *, attributes: bool = True, textless: Collection[type[Event]] = ()) -> Fold:
    """The fold, on events whose texts are masked, fields of a later day included (A4).

    `attributes=False` leaves a lead's attributes in clear for a fold that masks them itself.
    `textless` names events of which the fold takes no text that is masked: that would be lost time.
    """

    def shown(recorded: Recorded) -> Recorded:
        event = recorded.event
        if type(event) in textless:
            return recorded
        seen = mask_event(event, attributes=attributes)
        return recorded if seen is event else Recorded(*recorded[:4], seen)

    def on_masked(working: WorkingSet, batch: Sequence[Recorded]) -> None:
        fold(working, list(map(shown, batch)))

    return on_masked
