"""Commands on the lists that leads choose from (R20, R21)."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from pydantic import ConfigDict

from aggregates.directory import reference as decide
from aggregates.directory.references import initial
from aggregates.directory.state import Reference, evolve_reference, reference_id
from aggregates.event import Event
from commands.company.wiring import Facts, Kind, Wiring
from commands.fields import Command, Label, Name, example

Decide = Callable[[Reference], Sequence[Event]]


class AddReference(Command):
    """Add an entry to a list, or bring a retired one back (R20, R21)."""

    model_config = ConfigDict(json_schema_extra=example(name="短视频", english="short video"))

    name: Name
    """As leads carry it."""
    english: Label | None = None


class RenameReference(Command):
    """Change an entry's English name; null = it has none."""

    model_config = ConfigDict(json_schema_extra=example(english="video"))

    english: Label | None


class RetireReference(Command):
    """Offer an entry no longer; the leads that have it keep it."""

    model_config = ConfigDict(json_schema_extra=example())


REFERENCE: Kind[Reference] = Kind(
    initial, evolve_reference, lambda subject: reference_id(subject.of, subject.name)
)


def _add(c: AddReference, facts: Facts) -> Decide:
    return partial(
        decide.add_reference,
        now=facts.now,
        kind=facts.subject.of,
        name=c.name,
        english=c.english or None,
    )


def _rename(c: RenameReference, facts: Facts) -> Decide:
    return partial(decide.rename_reference, now=facts.now, english=c.english or None)


def _retire(_: RetireReference, facts: Facts) -> Decide:
    return partial(decide.retire_reference, now=facts.now)


WIRING: Mapping[type[Command], Wiring] = {
    AddReference: Wiring(REFERENCE, _add),
    RenameReference: Wiring(REFERENCE, _rename),
    RetireReference: Wiring(REFERENCE, _retire),
}
