"""The command that closes a review, carried out within what its caller may see (R110, R119)."""

from collections.abc import Collection
from functools import partial
from hashlib import blake2b
from typing import Annotated
from uuid import UUID

from pydantic import ConfigDict, Field

from aggregates.event import Meta
from aggregates.review.review import UnknownReview, close_review, sees
from aggregates.review.state import Review, evolve
from commands.directory import Request
from commands.fields import Command, Reason, example, text
from commands.loop import CommandLoop, Intent, Reply, by_state
from commands.ports import Clock, EventLog

Conclusions = Annotated[str, text(8000, 1)]


class CloseReview(Command):
    """Close a review with what it came to (R110, R119)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            conclusions="两条线索未及时跟进,负责人出差", actions=["出差时由主管代为跟进"]
        )
    )

    conclusions: Conclusions
    actions: Annotated[list[Reason], Field(max_length=50)] = Field(default_factory=list)
    """What is to be done from now on."""


class ReviewCommands:
    """Carries the command out. `key`: 1 to 64 secret bytes for hashes."""

    def __init__(self, log: EventLog, clock: Clock, key: bytes) -> None:
        self._loop = CommandLoop(log, Review, evolve)
        self._clock = clock
        self._hash = partial(blake2b, key=key, digest_size=16)

    async def close(
        self, command: CloseReview, review: UUID, request: Request, teams: Collection[str] | None
    ) -> Reply[Review]:
        """Close a review of one of these teams (None = any review).

        Raises Refusal (UnknownReview among them), VersionMismatch, CommandReused or Unavailable.
        """
        decide = partial(
            close_review,
            now=self._clock.now(),
            by=request.caller.person,
            conclusions=command.conclusions,
            actions=tuple(command.actions),
        )

        def admit(state: Review) -> None:
            if not sees(state, teams):
                raise UnknownReview

        said = f"{type(command).__name__}\n{review}\n{command.said()}"
        caller = request.caller
        return await self._loop.run(
            Intent(
                stream=review,
                decide=by_state(decide),
                meta=Meta(
                    caller.actor,
                    request.command_id(),
                    caller.correlation_id,
                    caller.causation_id,
                ),
                fingerprint=self._hash(said.encode()).digest(),
                expected_version=request.expected_version,
                repeatable=request.key is not None,
                admit=admit,
            )
        )
