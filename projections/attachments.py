"""Attachments: one row per file that belongs to a lead, to be found by its name (R54-R56)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from aggregates.event import Recorded
from aggregates.lead.events import AttachmentAdded
from aggregates.lead.privacy_events import PersonalDataErased
from projections.base import Projection, Table, View, WorkingSet
from projections.masking import masked


@dataclass(slots=True)
class AttachmentRow:
    """A file. `added_at` is UTC, `size` in bytes, `sha256` in hex, `follow_up` a code."""

    lead: UUID
    position: int
    attachment: UUID
    name: str | None
    content_type: str
    size: int
    sha256: str
    follow_up: str | None
    warning: str | None
    added_at: datetime | None


ATTACHMENTS = Table(
    "attachments",
    AttachmentRow,
    key=("position",),
    facts=True,
    personal=("name", "warning"),
    indexes=("(lead, follow_up)",),
)


def fold(working: WorkingSet, batch: Sequence[Recorded]) -> None:
    """Every file is a row of its own."""
    for position, stream, _, _, event in batch:
        if isinstance(event, PersonalDataErased):
            working.forget(ATTACHMENTS, stream, position)
            continue
        assert isinstance(event, AttachmentAdded)
        row = AttachmentRow(
            lead=stream,
            position=position,
            attachment=event.attachment,
            name=event.name,
            content_type=event.content_type,
            size=event.size,
            sha256=event.sha256,
            follow_up=event.follow_up,
            warning=event.warning,
            added_at=event.occurred_at,
        )
        working.append(ATTACHMENTS, row)


VIEW = View(
    name="attachments",
    comment="Attachments of leads, one row each, without their names.",
    query=(
        "SELECT lead, attachment, content_type, size, follow_up, warning IS NOT NULL AS misnamed,"
        " added_at, position FROM {rows} a"
    ),
    scoped="attachments",
    columns={
        "lead": "Stream id of the lead.",
        "attachment": "Id of the attachment.",
        "content_type": "As found in the content.",
        "size": "In bytes.",
        "follow_up": "Code of the follow-up that it belongs to, if to one.",
        "misnamed": "Whether the name is not by the rule (the policy only warned).",
        "added_at": "When it was added.",
        "position": "Log position of the event.",
    },
)

PROJECTION = Projection(
    "attachments",
    2,
    (AttachmentAdded, PersonalDataErased),
    (ATTACHMENTS,),
    masked(fold),
    (VIEW,),
    personal=True,
)
