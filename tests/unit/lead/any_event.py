"""Events of every type with anything in their fields, for tests that hold for all histories."""

from dataclasses import fields
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, get_type_hints
from uuid import UUID

from hypothesis import strategies as st

from aggregates.event import Event, PolicyRef
from aggregates.lead.events import EVENTS, PROFILE, Details
from aggregates.lead.time_events import EVENTS as TIME_EVENTS
from aggregates.lead.time_events import Clock

texts = st.text(max_size=5)
values = st.one_of(st.none(), texts, st.booleans(), st.integers(), st.lists(texts, max_size=2))
details = st.dictionaries(st.one_of(st.sampled_from(PROFILE), texts), values, max_size=4)
instants = st.datetimes(timezones=st.just(UTC))
policies = st.builds(PolicyRef, texts, st.integers(1), texts)
clocks = st.builds(Clock, texts, instants, instants, st.floats(0, 1e9))
STRATEGIES: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    str | None: st.none() | texts,
    bool: st.booleans(),
    bool | None: st.none() | st.booleans(),
    int: st.integers(0),
    int | None: st.none() | st.integers(0),
    UUID: st.uuids(),
    datetime: instants,
    datetime | None: st.none() | instants,
    float | None: st.none() | st.floats(0, 1e9),
    UUID | None: st.none() | st.uuids(),
    tuple[Clock, ...]: st.lists(clocks, max_size=2).map(tuple),
    PolicyRef: policies,
    tuple[str, ...]: st.lists(texts, max_size=3).map(tuple),
    tuple[str, ...] | None: st.none() | st.lists(texts, max_size=3).map(tuple),
    PolicyRef | None: st.none() | policies,
    date | None: st.none() | st.dates(),
    Decimal | None: st.none() | st.decimals(allow_nan=False),
    Details: details,
}


class Unheard(Event):
    """An event of a later program."""

    topic = "lead.unheard-of"


def any_of(cls: type[Event]) -> st.SearchStrategy[Event]:
    """Events of a type with anything in their fields, and a time or none."""
    hints = get_type_hints(cls)
    own = {f.name: STRATEGIES[hints[f.name]] for f in fields(cls) if f.name != "occurred_at"}
    return st.builds(cls, occurred_at=st.none() | instants, **own)


events = st.one_of(*map(any_of, (*EVENTS, *TIME_EVENTS)), st.builds(Unheard))
