"""Which leads are proposed to be given up, and what becomes of a proposal: R100, R101, A25."""

from datetime import timedelta
from functools import partial

from aggregates.event import Event, PolicyRef
from aggregates.lead.clean_up import NO_NEED, REFUSAL, WRONG_CONTACT, confirm, dismiss, propose
from aggregates.lead.events import (
    FollowUpRecorded,
    InfoChanged,
    LeadConverted,
    LeadInvalidated,
    LeadPaused,
    LeadReassigned,
    LeadReopened,
    LeadResumed,
)
from aggregates.lead.state import Disposition
from aggregates.lead.time_events import InvalidationDismissed, LeadInvalidationProposed
from aggregates.policy.book import InForce
from aggregates.policy.work import CleanUp
from tests.unit.lead.given import ASSIGNED, HOUR, NOW, given, lead_of

SECOND, DAY = timedelta(seconds=1), timedelta(days=1)
AT = NOW + 89 * DAY
RULES = InForce(CleanUp(), PolicyRef("clean-up", 1, "ab"))
at_month_end = partial(propose, at=AT, month="2024-07", rules=RULES, supervisors=("wang",))
LATER = AT + HOUR


def contact(outcome: str, after: timedelta = HOUR) -> FollowUpRecorded:
    connected = outcome in ("connected", "refused")
    return FollowUpRecorded(
        occurred_at=NOW + after, code="GJ20240501001", connected=connected, outcome=outcome
    )


def reason(*history: Event, at: timedelta = 89 * DAY) -> str | None:
    """The reason for which the lead is proposed at that time after its assignment."""
    events = propose(lead_of(*ASSIGNED, *history), at=NOW + at, month="2024-07", rules=RULES)
    return next((e.reason for e in events if isinstance(e, LeadInvalidationProposed)), None)


WRONG = contact("wrong_number")
PROPOSED = LeadInvalidationProposed(
    occurred_at=AT,
    reason=WRONG_CONTACT,
    month="2024-07",
    evidence={
        "follow_ups": 2,
        "wrong_numbers": 2,
        "last_follow_up_at": (NOW + HOUR).isoformat(),
    },
    supervisors=("wang",),
    policy=RULES.ref,
)
STANDING = (*ASSIGNED, WRONG, WRONG, PROPOSED)


def test_two_wrong_numbers_and_nobody_reached() -> None:
    """R101: with what was found, by which rules, and who decides; once while it stands."""
    given(*ASSIGNED, WRONG, WRONG).when(at_month_end).then(PROPOSED).when(at_month_end).then()
    assert reason(WRONG) is None
    assert reason(WRONG, contact("no_answer"), WRONG) == WRONG_CONTACT
    assert reason(contact("connected"), WRONG, WRONG) is None
    assert (
        reason(WRONG, InfoChanged(occurred_at=NOW, details={"phone": "13900000000"}), WRONG) is None
    )


def test_the_last_word_of_the_customer_counts() -> None:
    """R101: who refused explicitly; not who came round, in the order of the contacts."""
    assert reason(contact("refused")) == REFUSAL
    assert reason(contact("refused"), contact("connected", 2 * HOUR)) is None
    assert reason(contact("connected", 2 * HOUR), contact("refused")) is None  # recorded late
    assert reason(contact("refused"), contact("no_answer", 2 * HOUR)) == REFUSAL


def test_ninety_days_of_silence_to_the_second() -> None:
    """R100: counted from the last follow-up, the present owner's assignment or a pause's end."""
    assert reason(at=90 * DAY - SECOND) is None
    assert reason(at=90 * DAY) == reason(at=90 * DAY + SECOND) == NO_NEED
    assert reason(contact("no_answer"), at=90 * DAY + HOUR - SECOND) is None
    assert reason(contact("no_answer"), at=90 * DAY + HOUR) == NO_NEED
    other = LeadReassigned(occurred_at=NOW + DAY, owner="li", previous_owner="chen")
    assert (reason(other, at=90 * DAY), reason(other, at=91 * DAY)) == (None, NO_NEED)
    pause = LeadPaused(occurred_at=NOW + HOUR, reason="预算")
    assert reason(pause, at=200 * DAY) is None
    resumed = LeadResumed(occurred_at=NOW + 50 * DAY)
    assert reason(pause, resumed, at=140 * DAY - SECOND) is None
    assert reason(pause, resumed, at=140 * DAY) == NO_NEED


def test_what_was_dealt_with_since_or_is_closed_is_left_alone() -> None:
    """R100, A25: judged on the lead as it is when the proposal is recorded."""
    since = contact("wrong_number", 89 * DAY)
    assert reason(WRONG, since) is None
    assert reason(WRONG, WRONG, LeadInvalidated(occurred_at=NOW, reason="其他")) is None
    assert reason(WRONG, WRONG, LeadConverted(occurred_at=NOW)) is None


def test_the_reasons_are_the_policys() -> None:
    """R101: a reason that the company does not know is not proposed."""
    rules = InForce(CleanUp(reasons=("其他",)), RULES.ref)
    given(*ASSIGNED, WRONG, WRONG).when(partial(at_month_end, rules=rules)).then()


def test_a_confirmed_proposal_makes_the_lead_invalid() -> None:
    """R101, A25: for the proposed reason; a mark, never a deletion, and it can be reopened."""
    yes = partial(confirm, now=LATER, note="空号")
    gone = LeadInvalidated(occurred_at=LATER, reason=WRONG_CONTACT, note="空号")
    given(*STANDING).when(yes).then(gone).when(yes).then()
    assert lead_of(*STANDING, gone).disposition is Disposition.INVALID
    given(*ASSIGNED).when(yes).refused("not-proposed")
    back = LeadReopened(occurred_at=LATER)
    given(*STANDING, gone, back).when(yes).refused("not-proposed")
    assert reason(WRONG, WRONG, gone, back) is None  # counted anew


def test_a_dismissed_lead_stays_and_is_counted_anew() -> None:
    """A25: what spoke against it is answered."""
    no = partial(dismiss, now=LATER, reason="有新号码")
    kept = InvalidationDismissed(occurred_at=LATER, reason="有新号码")
    given(*STANDING).when(no).then(kept).when(no).refused("not-proposed")
    later = {"at": LATER - NOW + 90 * DAY}
    assert reason(WRONG, WRONG, PROPOSED, kept, at=LATER - NOW + DAY) is None
    assert reason(WRONG, WRONG, PROPOSED, kept, **later) == NO_NEED


def test_reaching_the_customer_takes_the_proposal_back() -> None:
    """R100: nobody has to dismiss what has become moot; another attempt in vain does not."""
    yes = partial(confirm, now=LATER, note=None)
    reached, missed = contact("connected", 90 * DAY), contact("no_answer", 90 * DAY)
    given(*STANDING, reached).when(yes).refused("not-proposed")
    assert lead_of(*STANDING, missed).proposed_for == WRONG_CONTACT
