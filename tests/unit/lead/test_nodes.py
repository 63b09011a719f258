"""Key conversion nodes: R63, A20, golden cases 1 and 4."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from aggregates.event import Event
from aggregates.lead.events import ConversionReversed, LeadCaptured, LeadConverted, StageChanged
from aggregates.lead.nodes import Node, nodes
from aggregates.values import local_date
from tests.unit.lead.given import CODE, lead_of

SHANGHAI = ZoneInfo("Asia/Shanghai")


def at(text: str) -> datetime:
    """Local time of the company."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI).astimezone(UTC)


def moved(text: str | None, stage: str) -> StageChanged:
    """An entry into a stage."""
    return StageChanged(occurred_at=at(text) if text else None, stage=stage)


CAPTURED = LeadCaptured(occurred_at=at("2024-05-01 09:15"), code=CODE)
PROPOSED = moved("2024-05-02 14:30", "方案提交")
SIGNED = LeadConverted(occurred_at=at("2024-05-20 11:00"))
WON = moved("2024-05-20 11:00", "成交")
DAY_18 = Node("方案提交", at("2024-05-02 14:30"), 18, "方案提交后第18天签约")


def test_the_sample_of_the_brief() -> None:
    """G1, G4, R61, R63, A20: signed 19 days after the entry, 18 after the proposal."""
    lead = lead_of(CAPTURED, PROPOSED, SIGNED, WON)
    assert list(nodes(lead, SHANGHAI)) == [DAY_18]
    assert lead.captured_at and lead.conversion and lead.conversion.at
    cycle = local_date(lead.conversion.at, SHANGHAI) - local_date(lead.captured_at, SHANGHAI)
    assert cycle.days == 19


@pytest.mark.parametrize(
    "history",
    [
        [CAPTURED, PROPOSED],
        [CAPTURED, PROPOSED, LeadConverted()],
        [CAPTURED, PROPOSED, SIGNED, WON, ConversionReversed(reason="r")],
        [CAPTURED, SIGNED, moved("2024-05-21 09:00", "方案提交"), moved(None, "商务谈判")],
    ],
    ids=["open", "signed at an unknown time", "taken back", "only moved later"],
)
def test_nothing_leads_to_a_signing_that_is_not_known(history: list[Event]) -> None:
    """R63."""
    assert list(nodes(lead_of(*history), SHANGHAI)) == []


def test_nodes_are_in_order_of_time_and_count_nights() -> None:
    """R63, A20: 23:50 to 00:10 is a day; what is recorded late stands where it happened."""
    late = moved("2024-05-19 23:50", "需求确认")
    signed = LeadConverted(occurred_at=at("2024-05-20 00:10"))
    found = nodes(lead_of(CAPTURED, PROPOSED, signed, WON, late), SHANGHAI)
    assert [node.text for node in found] == ["方案提交后第18天签约", "需求确认后第1天签约"]
