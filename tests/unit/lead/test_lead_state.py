"""The fold of a lead: four axes kept apart (A15), and no stored history that it refuses."""

from collections.abc import Sequence

import pytest
from hypothesis import given as for_all
from hypothesis import note, seed, settings
from hypothesis import strategies as st

from aggregates.event import Event
from aggregates.lead.events import (
    EVENTS,
    PROFILE,
    FollowUpRecorded,
    LeadConverted,
    LeadInvalidated,
    StageChanged,
)
from aggregates.lead.evolve import evolve, fold
from aggregates.lead.privacy_events import EVENTS as PRIVACY_EVENTS
from aggregates.lead.privacy_events import PersonalDataErased
from aggregates.lead.state import PIPELINE, Activity, Completeness, Disposition, Lead, replace
from aggregates.lead.time_events import EVENTS as TIME_EVENTS
from aggregates.personal import without_personal
from tests.seed import SEED
from tests.unit.lead.any_event import Unheard, any_of, events
from tests.unit.lead.given import ASSIGNED, LEAD, NOW, lead_of


@seed(SEED)
@settings(max_examples=200, deadline=None, database=None)
@for_all(st.lists(events, max_size=30))
def test_any_history_folds_and_every_event_counts(history: Sequence[Event]) -> None:
    """Rule of the log: what was stored can always be replayed, in whatever order it was stored."""
    note(f"SEED={SEED}")
    lead = fold(Lead(LEAD), history)
    assert lead.version == len(history)
    assert lead.disposition in Disposition
    assert lead.completeness in Completeness
    assert lead.activity in Activity
    assert set(lead.profile) <= set(PROFILE)
    assert not set(lead.attributes) & set(PROFILE)
    assert lead.follow_ups == sum(isinstance(e, FollowUpRecorded) for e in history)


@seed(SEED)
@settings(max_examples=50, deadline=None, database=None)
@for_all(st.lists(events, max_size=20), st.integers(0, 20))
def test_a_fold_may_stop_and_go_on_anywhere(history: Sequence[Event], at: int) -> None:
    """A cached state goes on where it stands; no event changes an earlier state."""
    note(f"SEED={SEED}")
    before = fold(Lead(LEAD), history[:at])
    shown = repr(before)
    assert fold(before, history[at:]) == fold(Lead(LEAD), history)
    assert repr(before) == shown


@pytest.mark.parametrize("cls", [*EVENTS, *TIME_EVENTS, *PRIVACY_EVENTS, Unheard])
@seed(SEED)
@settings(max_examples=5, deadline=None, database=None)
@for_all(st.data())
def test_no_type_of_event_changes_an_earlier_state(cls: type[Event], data: st.DataObject) -> None:
    """Other commands may hold it: an event makes a copy, even where it has nothing to change."""
    note(f"SEED={SEED}")
    lead = fold(Lead(LEAD), data.draw(st.lists(events, max_size=5)))
    shown = repr(lead)
    after = evolve(lead, data.draw(any_of(cls)))
    assert repr(lead) == shown
    assert after.version == lead.version + 1


@seed(SEED)
@settings(max_examples=300, deadline=None, database=None)
@for_all(st.lists(events, max_size=20))
def test_an_erasure_leaves_what_a_later_fold_knows(history: Sequence[Event]) -> None:
    """Architecture section 7: a state in memory is then as if nothing personal had been recorded.

    But for attributes: a clear value that a personal one had taken the place of is not in memory.
    """
    note(f"SEED={SEED}")
    erased = PersonalDataErased(occurred_at=NOW, reason="撤回同意", by="Ana")
    known = evolve(fold(Lead(LEAD), history), erased)
    left = fold(Lead(LEAD), [*map(without_personal, history), erased])
    assert known.attributes.items() <= left.attributes.items()
    assert replace(known, attributes={}) == replace(left, attributes={})


def test_the_axes_are_independent() -> None:
    """A15: stage, disposition, completeness and activity never speak for each other."""
    lead = lead_of(*ASSIGNED)
    assert (lead.stage, lead.disposition) == ("待跟进", Disposition.OPEN)
    assert (lead.completeness, lead.activity) == (Completeness.COMPLETE, Activity.ACTIVE)
    lost = evolve(lead, LeadInvalidated(reason="refused"))
    assert (lost.stage, lost.disposition) == ("待跟进", Disposition.INVALID)
    won = evolve(lead, LeadConverted(occurred_at=NOW))
    assert (won.stage, won.disposition) == ("待跟进", Disposition.CONVERTED)
    moved = evolve(lead, StageChanged(stage="成交"))
    assert (moved.stage, moved.disposition) == ("成交", Disposition.OPEN)


def test_the_pipeline_is_the_briefs() -> None:
    """R52, A15."""
    assert PIPELINE == (
        "待分配", "待跟进", "已联系", "需求确认", "方案提交", "商务谈判", "成交",
    )  # fmt: skip


@pytest.mark.parametrize("name", [*PROFILE, "budget"])
def test_new_values_go_to_the_profile_or_to_the_attributes(name: str) -> None:
    """A2, interface.md section 4: the latest value counts, a missing key changes nothing."""
    lead = lead_of(LeadConverted(details={name: "a"}), LeadConverted(details={name: "b"}))
    lead = evolve(lead, LeadConverted(details={"other": "x"}))
    held = lead.profile if name in PROFILE else lead.attributes
    assert held[name] == "b"
