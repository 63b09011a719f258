"""What periodic duties need to know of all leads at once. The read model `reviewing` answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import UUID

from aggregates.policy.work import CleanUp


@dataclass(frozen=True, slots=True)
class Found:
    """The leads of a team of which a finding holds: how many, and the first 1,000 of them, each as
    an item of a review. `team` None = none of the teams asked about.
    """

    team: str | None
    finding: str
    number: int
    items: Sequence[Mapping[str, Any]]


class Quiet(NamedTuple):
    """A lead that nobody followed up since an instant, UTC."""

    since: datetime
    lead: UUID


class Reviewing(Protocol):
    """The read model; milliseconds behind the log."""

    async def began_at(self) -> datetime | None:
        """When the first event of the log was recorded."""
        ...

    async def head(self) -> int:
        """The last position of the log."""
        ...

    async def known_at(self, instant: datetime) -> int:
        """The last position that was recorded before an instant."""
        ...

    async def position(self) -> int:
        """The position that is reflected."""
        ...

    async def lapses(
        self, since: datetime, until: datetime, teams: Sequence[str]
    ) -> Sequence[Found]:
        """What a review of [since, until) finds, by these teams and without a team, as it was known
        at `until`.
        """
        ...

    async def proposed(self, month: str, teams: Sequence[str]) -> Sequence[Found]:
        """The leads that the clean-up of a month proposes to give up, with their present owners."""
        ...

    async def to_give_up(
        self, at: datetime, month: str, rules: CleanUp, after: UUID | None, limit: int
    ) -> Sequence[UUID]:
        """Open leads that the rules may propose to give up at an instant, behind `after`, and did
        not for this month.
        """
        ...

    async def idle(self, until: datetime, after: Quiet | None, limit: int) -> Sequence[Quiet]:
        """Open, owned, unpaused leads that are quiet since an instant up to `until`, in order."""
        ...
