"""Commands about a lead's attachments and whom the lead is shared with (R54-R56)."""

from collections.abc import Mapping
from functools import partial
from typing import Annotated

from pydantic import ConfigDict, Field

from aggregates.event import Event
from aggregates.lead.attachment import attach, attachment_id, share
from aggregates.lead.events import AttachmentAdded
from aggregates.lead.state import Lead
from aggregates.values import local_date
from commands.fields import Command, Label, Name, Note, example, text
from commands.lead.wiring import Facts, Judgement, Wiring, simply

FILE_NAME = r"^[^\x00-\x1f\x7f/\\]+$"
SHA256 = r"^[0-9a-f]{64}$"


class AddAttachment(Command):
    """Attach a file whose content is kept already (R54)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            name="A科技公司-办公设备报价单-20240502.pdf",
            follow_up="GJ20240501001",
            content_type="application/pdf",
            size=12345,
            sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        )
    )

    name: Annotated[str, text(200, 1, FILE_NAME)]
    """company-document-yyyymmdd, with the file's extension (R55)."""
    follow_up: Label | None = None
    """The follow-up code that it belongs to, if to one."""
    content_type: Name
    size: Annotated[int, Field(ge=0)]
    """In bytes."""
    sha256: Annotated[str, text(64, 64, SHA256)]
    """Of the content, in hex."""


class ShareLead(Command):
    """Let a person see the lead though it is not in their scope (R56, A17)."""

    model_config = ConfigDict(json_schema_extra=example(person="李娜", reason="技术问题"))

    person: Name
    reason: Note | None = None


def _attach(c: AddAttachment, facts: Facts) -> Judgement:
    def decide(lead: Lead) -> list[Event]:
        file = AttachmentAdded(
            attachment=attachment_id(lead.id, c.name, c.sha256),
            name=c.name,
            content_type=c.content_type,
            size=c.size,
            sha256=c.sha256,
            follow_up=c.follow_up or None,
        )
        today = local_date(facts.now, facts.zone)
        rules = facts.policies.attachments.rules
        return attach(lead, now=facts.now, today=today, file=file, rules=rules)

    return simply(decide)


def _share(c: ShareLead, facts: Facts) -> Judgement:
    return simply(
        partial(
            share,
            now=facts.now,
            person=c.person,
            reason=c.reason or None,
            people=facts.people,
        )
    )


WIRING: Mapping[type[Command], Wiring] = {
    AddAttachment: Wiring(_attach),
    ShareLead: Wiring(_share),
}
