"""What lets outsiders check the log: signed checkpoints, and proofs of events and of growth.

The forms of what is proved stand in docs/reference/proof.md. Times are exact and in UTC here, as
in the leaf of an event.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from api.history_reads import read_history
from api.openapi import problems
from api.problems import not_found, unavailable
from api.reading import Page, Read, allow, allowed, answer, at_most, decode_cursor, encode_cursor
from api.service import Service
from commands.caller import Principal

LARGEST = 2**63 - 1
MOST_PROOFS = 50
"""In one answer: each costs hundreds of hashes."""


class _Shape(BaseModel):
    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class VerifierKey(_Shape):
    """A public key of checkpoints."""

    verifier: str
    """name+hash+base64, as golang.org/x/mod/sumdb/note reads it."""
    since: datetime
    until: datetime | None
    """null = in use."""


class SignedCheckpoint(_Shape):
    """The newest checkpoint of the log."""

    note: str
    """The signed note (C2SP tlog-checkpoint). Keep it outside, as it is."""
    size: int
    """How many events it covers: positions 1 to size."""
    root: str
    """The root hash, base64."""
    verifiers: list[VerifierKey]
    """Every key that has ever signed, the oldest first."""


class Consistency(_Shape):
    """That the log at one size begins with the log at a smaller one (RFC 9162, 2.1.4)."""

    older: int = Field(alias="from")
    from_root: str
    to: int
    to_root: str
    proof: list[str]
    """Hashes in base64."""


class UncoveredEvent(_Shape):
    """An event that no checkpoint covers yet."""

    position: int
    version: int
    topic: str
    recorded_at: str
    """RFC 3339 in UTC with microseconds."""


class ProvenEvent(UncoveredEvent):
    """An event as it is stored, and the proof that it is in the log (RFC 9162, 2.1.3)."""

    state: str
    """The stored bytes, base64. Personal values in them are encrypted."""
    leaf_hash: str
    proof: list[str]
    """Hashes from the leaf to the root, base64."""


class LeadProof(_Shape):
    """The events of a lead and their proofs under one checkpoint."""

    lead: UUID
    checkpoint: str | None
    """The signed note that the proofs lead to; null while there is none."""
    items: list[ProvenEvent]
    uncovered: list[UncoveredEvent]
    next: str | None
    position: int


class ProofPage(Page):
    """Parameters of a list of proofs."""

    limit: int = Field(MOST_PROOFS, ge=1, le=MOST_PROOFS)
    """How many at most."""


class Sizes(Read):
    """Two sizes of the tree, the smaller one first."""

    older: int = Field(alias="from", ge=1, le=LARGEST)
    to: int = Field(ge=1, le=LARGEST)


def router(service: Service) -> APIRouter:
    """The reads of proofs, for administrators and auditors."""
    routes = APIRouter(
        prefix="/v1", tags=["audit"], responses=problems(404), default_response_class=Response
    )
    admitted = allow(service, "audit.read")

    @routes.get(
        "/audit/checkpoint", dependencies=[admitted], responses={200: {"model": SignedCheckpoint}}
    )
    async def read_checkpoint(query: Annotated[Read, Query()]) -> Response:
        """The newest signed checkpoint of the log, and the keys that verify it."""
        found = await service.proofs.checkpoint()
        _require_covered(found, query)
        if found is None:
            raise not_found("no checkpoint has been signed yet: does a worker run?")
        return answer(found, found["size"])

    @routes.get(
        "/audit/consistency", dependencies=[admitted], responses={200: {"model": Consistency}}
    )
    async def read_consistency(query: Annotated[Sizes, Query()]) -> Response:
        """The proof that the log at size `to` begins with the log at size `from`."""
        if query.min_position:
            _require_covered(await service.proofs.checkpoint(), query)
        return answer(await service.proofs.consistency(query.older, query.to), query.to)

    @routes.get("/leads/{ref:ref}/proof", responses={200: {"model": LeadProof}})
    async def prove_lead(
        ref: str,
        query: Annotated[ProofPage, Query()],
        principal: Annotated[Principal, Depends(allowed(service, "audit.read"))],
    ) -> Response:
        """The lead's events as they are stored, each with the proof that it is in the log of the
        newest checkpoint; those behind that stand under `uncovered`.
        """
        limit = at_most(query.limit, service)
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        at_least = query.min_position or 0
        read = await read_history(service, principal, ref, "proof", at_least=at_least)
        found = await service.proofs.lead(read.lead, after, limit)
        page: list[Any] = [*found["items"], *found["uncovered"]]
        following = encode_cursor(page[-1]["version"]) if len(page) == limit else None
        body = {"lead": read.lead, **found, "next": following, "position": read.position}
        return answer(body, read.position)

    return routes


def _require_covered(checkpoint: Mapping[str, Any] | None, query: Read) -> None:
    """503 while the newest checkpoint lies before the position that the caller asks for."""
    size = checkpoint["size"] if checkpoint else 0
    if size < (query.min_position or 0):
        raise unavailable(f"the newest checkpoint covers {size} events: a worker makes the next")
