"""Many captures at once, and captures from outside the company (R1)."""

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from commands.fields import Command, example, text
from commands.lead.entry import CaptureLead, Described

MOST_AT_ONCE = 1000


class CaptureLeads(Command):
    """Enter up to 1,000 new leads; each is judged by itself (R1)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            leads=[
                {"customer": "A科技有限公司", "phone": "13912345678"},
                {"customer": "B制造有限公司", "email": "li@example.cn"},
            ]
        )
    )

    leads: Annotated[tuple[dict[str, Any], ...], Field(min_length=1, max_length=MOST_AT_ONCE)]
    """Each as the command that enters one lead."""


class Submission(Described):
    """What a form or a webhook of a channel sends; the channel says which source it is (R1)."""

    model_config = ConfigDict(
        json_schema_extra=example(
            customer="A科技有限公司",
            contact="李经理",
            phone="13912345678",
            need="需采购办公自动化系统",
            submission_id="form-7f3a",
        )
    )

    submission_id: Annotated[str, text(200)] | None = None
    """The same one again is the same submission, as with the header Idempotency-Key."""

    def capture(self, source: str) -> CaptureLead:
        """The capture that it means."""
        given = {name: getattr(self, name) for name in self.model_fields_set - {"submission_id"}}
        return CaptureLead(**given, source=source)
