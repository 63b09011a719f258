"""What an event of a lead says, as one English sentence with the data in it.

SENTENCES has one for every type of event of a lead; a new type gets its own here or in the two
modules beside it. They are made of masked events, so they show no more than any other read. A
value that was never given is not spoken of; one that every such event was recorded with, and that
is gone now, was erased.
"""

from collections.abc import Mapping

from aggregates.event import Event
from aggregates.lead import event_words, time_words
from aggregates.lead import privacy_events as p
from aggregates.lead.wording import Scene, Sentence, another, because, optional, quoted

GONE = " (its personal values are erased)"


def sentence(event: Event, scene: Scene, *, erased: bool = False) -> str:
    """The event in words, on one line. It is masked already; `erased`: it held values that are
    gone.
    """
    tell = SENTENCES.get(type(event), _unknown)
    return " ".join(tell(event, scene).split()) + (GONE if erased else "")


def _unknown(_: Event, scene: Scene) -> str:
    return f"{scene.who} recorded something of a kind that this program does not know"


def _revealed(event: p.ContactRevealed, scene: Scene) -> str:
    by = f" to {event.by}" if another(event.by, scene) else ""
    return f"{scene.who} had {quoted(event.field)} shown{by} in clear{because(event.purpose)}"


def _erased(event: p.PersonalDataErased, scene: Scene) -> str:
    by = optional(" for ", event.by) if another(event.by, scene) else ""
    first = optional(" by ", event.first_erased_by)
    again = f", as on {scene.at(event.first_erased_at)}{first}" if event.first_erased_at else ""
    return f"{scene.who} erased the personal data of the lead{by}{again}{because(event.reason)}"


SENTENCES: Mapping[type[Event], Sentence] = {
    **event_words.SENTENCES,
    **time_words.SENTENCES,
    p.ContactRevealed: _revealed,
    p.PersonalDataErased: _erased,
}
