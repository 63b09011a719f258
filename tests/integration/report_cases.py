"""What a report must answer on a small history: the shape of the tables of cases."""

from dataclasses import dataclass, field
from typing import Any

from tests.integration.report_log import Fact

MISSING = "(missing)"
Figures = dict[str, Any]


@dataclass(frozen=True)
class Ask:
    """A question: the figures it must give per bucket and over all."""

    report: str
    given: dict[str, Any]
    rows: dict[str, Figures] | None = None
    total: Figures = field(default_factory=dict)


def ask(
    report: str, rows: dict[str, Figures] | None = None, total: Figures | None = None, **given: Any
) -> Ask:
    return Ask(report, given, rows, total or {})


def counts(leads: int, converted: int = 0, lost: int = 0) -> Figures:
    open_ = leads - converted - lost
    return {"leads": leads, "converted": converted, "lost": lost, "open": open_}


Histories = dict[str, tuple[list[Fact], list[Ask]]]
"""Under each rule a history, and the questions put to it."""
