"""Why a first follow-up was late: R42, A12."""

from aggregates.event import Event, PolicyRef
from aggregates.lead.events import LeadConverted, LeadsMerged
from aggregates.lead.late_reason import record_late_reason
from aggregates.lead.time_events import (
    EscalatedToSupervisor,
    FirstFollowUpTaskIssued,
    FirstResponseBreached,
    FirstResponseMade,
    LateReasonRecorded,
)
from aggregates.lead.timers import LATE_REASON
from aggregates.policy.time import Response
from tests.unit.lead.given import ASSIGNED, HOUR, LEAD, NOW, Decision, given, lead_of

LATER = NOW + 80 * HOUR
ISSUED: tuple[Event, ...] = (
    *ASSIGNED,
    FirstFollowUpTaskIssued(
        occurred_at=NOW, owner="chen", level="high", due_at=NOW + 24 * HOUR,
        escalate_at=NOW + 72 * HOUR, policy=PolicyRef("response", 1, "x"),
    ),
)  # fmt: skip
BREACHED = FirstResponseBreached(occurred_at=NOW + 24 * HOUR, owner="chen", level="high")
ESCALATED = EscalatedToSupervisor(occurred_at=NOW + 72 * HOUR, owner="chen", team="east")
LATE = (*ISSUED, BREACHED, ESCALATED)


def saying(reason: str = "出差", note: str | None = None, by: str = "chen") -> Decision:
    """The decision to say why."""
    return lambda lead: record_late_reason(
        lead, now=LATER, reason=reason, note=note, by=by, rules=Response()
    )


def said(reason: str = "出差", note: str | None = None, by: str = "chen") -> LateReasonRecorded:
    """What saying it records."""
    return LateReasonRecorded(occurred_at=LATER, reason=reason, note=note, by=by)


def test_a_reason_answers_what_the_escalation_asked_for() -> None:
    """R42, A12: by the owner, or by the supervisor for them."""
    assert LATE_REASON in lead_of(*LATE).timers
    told = given(*LATE).when(saying(by="wang")).then(said(by="wang"))
    assert LATE_REASON not in lead_of(*told.history).timers


def test_who_is_late_may_say_why_before_anybody_asks() -> None:
    """R42: and once more when the supervisor is told, who asks for it anew."""
    given(*ISSUED, BREACHED).when(saying()).then(said())
    given(*ISSUED, BREACHED, said()).when(saying()).then()
    given(*ISSUED, BREACHED, said(), ESCALATED).when(saying()).then(said())


def test_an_escalation_ahead_of_the_due_instant_asks_as_well() -> None:
    """R42, A11: the policy may have it so."""
    early = EscalatedToSupervisor(occurred_at=NOW + HOUR, owner="chen")
    given(*ISSUED, early).when(saying()).then(said())


def test_what_is_over_can_still_be_explained() -> None:
    """R42: late is late, also when the customer was reached, and when the lead was won."""
    reached = FirstResponseMade(occurred_at=LATER, late=56 * 3600.0)
    won = LeadConverted(occurred_at=LATER)
    given(*LATE, reached).when(saying()).then(said())
    given(*LATE, won).when(saying()).then(said()).when(saying()).then()


def test_the_same_again_records_nothing_and_another_reason_does() -> None:
    """R42."""
    once = given(*LATE).when(saying()).then(said())
    once.when(saying(by="wang")).then()
    once.when(saying(note="两周")).then(said(note="两周")).when(saying()).then(said())


def test_the_next_owner_who_is_late_has_a_reason_of_their_own() -> None:
    """R42, A31: the same words are theirs."""
    again = FirstResponseBreached(occurred_at=LATER, owner="li", level="high")
    given(*LATE, said(), again).when(saying(by="li")).then(said(by="li"))


def test_nothing_is_explained_that_was_not_late() -> None:
    """R42, A12."""
    given().when(saying()).refused("not-captured")
    given(*ISSUED).when(saying()).refused("not-late")
    given(*LATE, LeadsMerged(occurred_at=LATER, into=LEAD)).when(saying()).refused("lead-merged")


def test_the_reason_is_one_of_the_policys() -> None:
    """R42: anything else is for the note."""
    given(*LATE).when(saying("忘了")).refused("unknown-reason", "reason")
