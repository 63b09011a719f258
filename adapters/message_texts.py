"""The texts of messages in Chinese and English, times in the company's zone (R36).

Whatever a text is made of is put on one line and bounded first: no customer's name can add a
header, a line or a page. Templates run in a sandbox and may use what is there, nothing else.
"""

import tomllib
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from aggregates.notification.channels import LANGUAGES
from commands.notifications import Message, Text

TEMPLATES = Path(__file__).with_name("templates")
LONGEST_VALUE = 200
_NAMED = ("level", "review", "task")
"""Values that have words of their own in each language."""
_VALUES = ("level", "owner", "team", "task", "missing", "review", "since", "until", "total")


class MessageTexts:
    """The `Texts` of one company. `zone` is its own."""

    def __init__(self, zone: ZoneInfo) -> None:
        self._zone = zone
        self._languages = {language: _language(language) for language in LANGUAGES}

    def __call__(self, message: Message, language: str) -> Text:
        """The text of a message in a language."""
        return self._languages[language].text(message, self._zone)


class _Language:
    def __init__(self, language: str) -> None:
        source = tomllib.loads((TEMPLATES / f"messages.{language}.toml").read_text("utf-8"))
        # Plain text: there is nothing to escape.
        made = ImmutableSandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
        self._words: Mapping[str, str] = source.pop("words")
        self._footer: str = source.pop("footer")
        self._templates = {
            kind: (made.from_string(own["subject"]), made.from_string(own["body"].strip()))
            for kind, own in source.items()
        }

    @property
    def kinds(self) -> set[str]:
        """The kinds of messages that have a text."""
        return set(self._templates)

    def text(self, message: Message, zone: ZoneInfo) -> Text:
        values = self._values(message, zone)
        subject, body = (template.render(values) for template in self._templates[message.kind])
        return Text(one_line(subject), body, self._footer)

    def _values(self, message: Message, zone: ZoneInfo) -> dict[str, Any]:
        said: dict[str, Any] = {name: message.about.get(name, "") for name in _VALUES}
        said |= {name: self._word(said[name]) for name in _NAMED}
        said["missing"] = ", ".join(self._word(name) for name in said["missing"].split(", "))
        if said["until"]:  # the day behind the period
            said["until"] = date.fromordinal(date.fromisoformat(said["until"]).toordinal() - 1)
        named = [message.customer, message.code]
        said["lead"] = " ".join(one_line(name) for name in named if name)
        said["name"] = message.recipient
        said["due"] = _local(message.due_at, zone)
        return {name: v if isinstance(v, int) else one_line(str(v)) for name, v in said.items()}

    def _word(self, value: str) -> str:
        return self._words.get(value, value)


@cache
def _language(language: str) -> _Language:
    """Its templates are compiled once per process."""
    return _Language(language)


def one_line(text: str) -> str:
    """A text without line ends, control characters or what turns its direction, of bounded length.

    >>> one_line("A公司\\r\\nBcc: a@b.cn\\u202e\\x00")
    'A公司 Bcc: a@b.cn'
    """
    line = "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(line.split())
    return line if len(line) <= LONGEST_VALUE else line[: LONGEST_VALUE - 1] + "…"


def _local(at: datetime | None, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M}" if at else ""
