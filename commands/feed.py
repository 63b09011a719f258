"""The change feed: pages of the log, and who is told which events of them.

Whoever may see a lead now is told what happens to it, and what had happened, as in its history.
What is not about a lead, such as changes of the directory, is told to those alone who have
everything in their scope.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from aggregates.directory.scope import Scope
from aggregates.lead.replay import Told, named
from aggregates.lead.state import Lead
from aggregates.lead.telling import event_json
from aggregates.lead.wording import Others
from aggregates.refusal import Refusal

OF_LEADS = "lead."
"""How the topics of events in the streams of leads begin."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events somebody wants: of these topics, of this lead; None = of all."""

    topics: frozenset[str] | None = None
    lead: UUID | None = None

    def has(self, one: Told) -> bool:
        """Whether an event is among them."""
        of_topic = self.topics is None or one.topic in self.topics
        return of_topic and self.lead in (None, one.recorded.stream)


ALL = Wanted()


def topics_of(patterns: Collection[str], known: Collection[str]) -> frozenset[str] | None:
    """The topics meant by some, such as lead.assigned or lead.*; None = all, for no pattern.

    Refusal for one that means nothing.
    """
    found = {topic: {name for name in known if _matches(topic, name)} for topic in patterns}
    for topic, names in found.items():
        if not names:
            raise Refusal(
                "unknown-topic",
                f"{topic} is the topic of no event: name one such as lead.assigned, or lead.*",
                "topics",
            )
    return frozenset().union(*found.values()) if found else None


def _matches(pattern: str, topic: str) -> bool:
    return topic.startswith(pattern[:-1]) if pattern.endswith(".*") else topic == pattern


@dataclass(frozen=True, slots=True)
class Page:
    """All events wanted with positions in (after, upto]. `codes`: of the leads in them. `leads`:
    those leads as they are, where somebody asks who may not see them all. `shared`: what readers of
    the same page keep for each other.
    """

    after: int
    upto: int
    events: Sequence[Told]
    codes: Mapping[UUID, str]
    leads: Mapping[UUID, Lead] | None = None
    shared: dict[Any, bytes] = field(default_factory=dict, compare=False)


class Shown(NamedTuple):
    """An event that somebody may see, and the other leads in it that they may see."""

    told: Told
    others: Others


def shown_to(page: Page, scope: Scope, wanted: Wanted, after: int) -> Iterator[Shown]:
    """The events of a page behind a position that somebody wants and may see."""
    for one in page.events:
        if one.recorded.position > after and wanted.has(one) and _sees(page, scope, one):
            others = {
                lead: page.codes.get(lead) for lead in named([one]) if _sees_lead(page, scope, lead)
            }
            yield Shown(one, others)


def feed_json(shown: Shown, page: Page, zone: ZoneInfo) -> dict[str, Any]:
    """An event as histories tell it, with its stream and, of a lead, its code."""
    stream = shown.told.recorded.stream
    return {
        "stream": stream,
        "code": page.codes.get(stream),
        **event_json(shown.told, zone, shown.others),
    }


class EventFeed(Protocol):
    """The log as it grows. What it reads it reads once for all who are at its end."""

    @property
    def ended(self) -> bool:
        """Whether the service is about to stop: then everybody is to leave."""
        ...

    async def head(self) -> int:
        """The last position of the log."""
        ...

    async def news(self, after: int, seconds: float) -> bool:
        """Wait until there is something behind a position; False when that takes too long."""
        ...

    async def page(self, after: int, wanted: Wanted, scope: Scope, *, fresh: bool = False) -> Page:
        """The next events behind a position, read in the last seconds, or just now if it is to be
        `fresh`. Raises Unavailable.
        """
        ...

    def follow(self, scope: Scope) -> Any:
        """A context in which `news` is to be had."""
        ...


def _sees(page: Page, scope: Scope, one: Told) -> bool:
    if scope.everything:
        return True
    return one.topic.startswith(OF_LEADS) and _sees_lead(page, scope, one.recorded.stream)


def _sees_lead(page: Page, scope: Scope, lead: UUID) -> bool:
    if scope.everything:
        return True
    state = (page.leads or {}).get(lead)
    return state is not None and scope.sees(state)
