"""What a decision comes to."""

from collections.abc import Sequence
from typing import Generic, NamedTuple, TypeVar

from aggregates.event import Event

S = TypeVar("S")


class Course(NamedTuple, Generic[S]):
    """What is recorded on a state, and the state after all of it, so that nobody folds it again."""

    events: Sequence[Event]
    after: S
