"""Which request and which command a piece of work belongs to, for whatever is said of it in logs.

Context variables: each request has its own values, and what it starts inherits them.
"""

from contextvars import ContextVar
from uuid import UUID, uuid4


class Correlation:
    """The id that joins what belongs together: `given` by the caller, else made when needed.

    Only a given one is recorded with events: else they have their command's id.
    """

    __slots__ = ("_id", "given")

    def __init__(self, given: UUID | None) -> None:
        self.given = given
        self._id = given

    @property
    def id(self) -> UUID:
        """The id, the same each time."""
        if self._id is None:
            self._id = uuid4()
        return self._id


correlation: ContextVar[Correlation | None] = ContextVar("correlation", default=None)
"""Of the request under way."""
command_id: ContextVar[UUID | None] = ContextVar("command_id", default=None)
"""Of the command under way."""


def given() -> UUID | None:
    """The correlation id that the caller of this request has given."""
    current = correlation.get()
    return current.given if current else None
