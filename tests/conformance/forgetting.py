"""Words put into everything personal of a lead, and where any of them is found."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from aggregates.lead.events import LeadCaptured
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.personal import has_typed_attributes, personal_values
from tests.conformance.histories import Entry

NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYWHERE = (
    "SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
    " WHERE c.relkind IN ('r', 'v', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')"
)


class Canary:
    """A word, and a phone number that shows it when it is masked, for whatever is personal."""

    def __init__(self, number: int) -> None:
        self.word, self.phone = f"忘{number:05}记", f"1391234{number:04}"
        self.domain = f"w{number:05}.example.cn"
        self.seen = (self.word, self.phone, f"139****{number:04}", self.domain)

    def put_in(self, entry: Entry) -> Entry:
        """The entry with the word in everything personal."""
        event = entry.event
        changed: dict[str, Any] = {
            name: self.word
            for name, value in personal_values(event).items()
            if isinstance(value, str)
        }
        if isinstance(event, LeadCaptured):
            changed["details"] = {**event.details, **self._profile()}
        if (details := getattr(event, "details", None)) and has_typed_attributes(event):
            known = changed.get("details", details)
            own = {name: self._instead(name, value) for name, value in known.items()}
            changed["details"] = own | {f"{self.word}备注": self.word}
        return entry._replace(event=replace(event, **changed))

    def _profile(self) -> dict[str, str]:
        names = ("customer", "contact", "contact_title", "need")
        said = dict.fromkeys(names, f"{self.word}，电话{self.phone}")
        return said | {"phone": self.phone, "email": f"li@{self.domain}"}

    def _instead(self, name: str, value: Any) -> Any:
        if name == "phone":
            return self.phone
        return self.word if name in ("customer", "need", "remark") and value else value


def erasure(own: Sequence[Entry]) -> Entry:
    event = PersonalDataErased(occurred_at=NOW, reason="撤回同意", by="Ana")
    return Entry(own[0].stream, len(own) + 1, event)


def found(dsn: str, canaries: Collection[Canary]) -> set[str]:
    """The words of the canaries that any row of any table or view shows anything of."""
    text = "\n".join(_everything(dsn))
    return {canary.word for canary in canaries if any(seen in text for seen in canary.seen)}


def _everything(dsn: str) -> Iterator[str]:
    with psycopg.connect(dsn) as conn:
        for place in conn.execute(EVERYWHERE).fetchall():
            rows = conn.execute(sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(*place)))
            yield from (row for (row,) in rows)
