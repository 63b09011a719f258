"""Who carries how much, and which leads nobody carries: what assignment by rule goes by (A13, R43).

A person's load are the open, unpaused leads that they own, `owned` counts the paused ones, too.
`last_given` is where in the log the rules last gave them one: what people assign, hand over or
import moves nobody's turn. `waits_since` is where in the log a lead that needs an owner came to
need one, or was changed: then it is looked at anew. Only those that once stood in 待分配 ever do:
every capture enters it, an imported history does not (decision 11).
`pooled_since` is where it entered its pool: no edit makes it a new one there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aggregates.event import Event, Recorded
from aggregates.lead import events as e
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import UNASSIGNED
from projections.base import Projection, Table, WorkingSet
from projections.openness import FLAGS


@dataclass(slots=True)
class CarriedRow:
    """What a lead means for its owner's load; `daily` = it was to be assigned at some time."""

    lead: UUID
    captured: bool = False
    daily: bool = False
    owner: str | None = None
    pool: str | None = None
    pooled_since: int | None = None
    paused: bool = False
    merged: bool = False
    converted: bool = False
    invalidated: bool = False
    erased: bool = False
    waits_since: int | None = None

    @property
    def is_open(self) -> bool:
        """Something is still to become of it."""
        closed = self.merged or self.converted or self.invalidated or self.erased
        return self.captured and not closed

    @property
    def counts(self) -> bool:
        """Open and unpaused."""
        return self.is_open and not self.paused


@dataclass(slots=True)
class PersonRow:
    """What a person carries now; positions are the log's, 0 = never."""

    person: str
    load: int = 0
    owned: int = 0
    last_given: int = 0


CARRIED = Table(
    "carried",
    CarriedRow,
    key=("lead",),
    indexes=(
        "(waits_since) WHERE waits_since IS NOT NULL",
        "(pooled_since) WHERE pool IS NOT NULL",
        "(owner, lead) WHERE captured AND NOT (merged OR converted OR invalidated OR erased)",
    ),
)
PEOPLE = Table("people", PersonRow, key=("person",), whole=True)

EVENTS: tuple[type[Event], ...] = (
    e.LeadCaptured, e.StageChanged, e.InfoChanged, e.InfoCompleted, e.LeadScreened,
    e.LeadLabelled, e.LabelOverridden, e.LeadPaused, e.LeadResumed, e.LeadsMerged, e.MergeUndone,
    e.LeadInvalidated, e.LeadReopened, e.LeadConverted, e.ConversionReversed,
    e.LeadAssigned, e.LeadReassigned, e.LeadHandedOver, e.LeadReleasedToPool, e.LeadClaimed,
    PersonalDataErased,
)  # fmt: skip


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Keep every lead's row and its owner's load in step, event by event."""
    rows, people = working.rows(CARRIED), working.rows(PEOPLE)
    for recorded in batch:
        row = rows.get(recorded.stream) or CarriedRow(recorded.stream)
        rows[recorded.stream] = row
        _count(people, row, -1)
        _change(row, recorded)
        _count(people, row, +1)
        _wait(row, recorded)
        _give(people, recorded)


def _count(people: dict[str, PersonRow], row: CarriedRow, by: int) -> None:
    if row.owner and row.is_open:
        person = _person(people, row.owner)
        person.owned += by
        person.load += by * row.counts


def _give(people: dict[str, PersonRow], recorded: Recorded) -> None:
    match recorded.event:
        case e.LeadAssigned(owner=str(owner), explanation=why) if owner and why:
            _person(people, owner).last_given = recorded.position
        case e.LeadHandedOver(owner=owner, explanation=why) if why:
            _person(people, owner).last_given = recorded.position
        case _:
            pass


def _person(people: dict[str, PersonRow], name: str) -> PersonRow:
    return people.setdefault(name, PersonRow(name))


def _wait(row: CarriedRow, recorded: Recorded) -> None:
    waits = row.daily and row.counts and not (row.owner or row.pool)
    row.waits_since = recorded.position if waits else None


def _change(row: CarriedRow, recorded: Recorded) -> None:
    event = recorded.event
    if flag := FLAGS.get(type(event)):
        setattr(row, *flag)
    match event:
        case e.LeadCaptured(details=details):
            row.captured, row.owner = True, details.get("owner", row.owner)
        case e.StageChanged():
            row.daily = row.daily or event.stage == UNASSIGNED
        case e.InfoChanged(details=details) | e.LeadConverted(details=details):
            row.owner = details.get("owner", row.owner)
        case e.LeadAssigned(owner=owner, details=details):
            row.owner, row.pool = owner or details.get("owner", row.owner), None
        case e.LeadReassigned(owner=owner) | e.LeadHandedOver(owner=owner):
            row.owner, row.pool = owner, None
        case e.LeadClaimed(owner=owner):
            row.owner, row.pool = owner, None
        case e.LeadReleasedToPool(pool=pool):
            row.owner, row.pool = None, pool
            row.pooled_since = recorded.position
        case _:
            pass  # neither owner nor pool changes


PROJECTION = Projection("workload", 3, EVENTS, (CARRIED, PEOPLE), fold)
