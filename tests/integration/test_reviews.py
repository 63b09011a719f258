"""Reviews, clean-up and recycling on a real database in simulated time: R71, R100, R101, R103,
R109, R110, R119, A25, A26.
"""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import psycopg
import pytest

from aggregates.event import Event, Meta
from aggregates.lead.clean_up import NO_NEED, REFUSAL, WRONG_CONTACT
from aggregates.lead.time_events import LateReasonRecorded
from aggregates.policy import activate as policy
from aggregates.policy.ownership import Assignment, PoolRules, Pools
from commands.lead.outcome import PauseLead
from commands.lead.ownership import AssignLead
from commands.lead.work import RecordFollowUp
from commands.ports import NewEvents
from tests.integration.living import Living, living

pytestmark = pytest.mark.anyio

ZONE = ZoneInfo("Asia/Shanghai")
SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
CONTACT = {"content": "客户对产品A功能感兴趣,要求提供案例", "feedback": "需要下周前提供报价单"}
PROPOSED = "lead.invalidation-proposed"
OPENED = (
    "SELECT convert_from(state, 'UTF8')::jsonb, recorded_at FROM log.leadlog_events"
    " WHERE topic = 'review.opened' ORDER BY notification_id"
)


def local(*at: int) -> datetime:
    """An instant by the company's clock."""
    return datetime(*at, tzinfo=ZONE)  # type: ignore[arg-type, misc]


START = local(2024, 2, 20, 9)  # a Tuesday of a leap year's February


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Living]:
    async with living(dsn, START) as company:
        yield company


def opened(company: Living, kind: str | None = None) -> list[dict[str, Any]]:
    """The reviews in the order of the log."""
    with psycopg.connect(company.dsn) as conn:
        found = [state for state, _ in conn.execute(OPENED)]
    return [review for review in found if kind in (None, review["kind"])]


def items(review: dict[str, Any], finding: str) -> list[dict[str, Any]]:
    return [item for item in review["items"] if item["finding"] == finding]


async def owned(company: Living, owner: str = "chen", **given: Any) -> UUID:
    lead = await company.capture(**given)
    await company.say(AssignLead(owner=owner, team="east"), lead)
    return lead


async def test_months_and_weeks_are_reviewed_at_their_midnights(company: Living) -> None:
    """R71, R109, R119: through 29 February and a quarter's end, in order, each once."""
    await company.until(local(2024, 4, 1, 0, 0, 0))
    found = [(r["kind"], r.get("team"), r["since"], r["until"]) for r in opened(company)]
    weeks = [(date(2024, 2, 19) + n * 7 * DAY, date(2024, 2, 26) + n * 7 * DAY) for n in range(6)]
    weekly = [("weekly", team, *map(str, week)) for week in weeks for team in ("east", None)]
    february = ("2024-02-01", "2024-03-01")
    march = ("2024-03-01", "2024-04-01")
    assert found == [
        *weekly[:2],
        ("clean-up", None, *february),
        ("monthly", None, *february),
        *weekly[2:10],
        ("clean-up", None, *march),
        *weekly[10:],
        ("monthly", None, *march),
        ("quarterly", None, "2024-01-01", "2024-04-01"),
    ]
    at = {r["kind"]: datetime.fromisoformat(r["occurred_at"]) for r in opened(company)}
    assert at == {
        "weekly": local(2024, 4, 1),
        "monthly": local(2024, 4, 1),
        "quarterly": local(2024, 4, 1),
        "clean-up": local(2024, 3, 31),
    }


async def test_nothing_is_opened_one_second_early(company: Living) -> None:
    """R100, R109: one second before midnight nothing, at midnight the review."""
    await company.until(local(2024, 2, 26) - SECOND)
    assert opened(company) == []
    await company.until(local(2024, 2, 26))
    assert [r.get("team") for r in opened(company)] == ["east", None]
    await company.until(local(2024, 2, 29) - SECOND)
    assert opened(company, "clean-up") == []
    await company.until(local(2024, 2, 29))
    assert len(opened(company, "clean-up")) == 1


async def told(company: Living, lead: UUID, event: Event) -> None:
    """Record an event behind those of a lead."""
    version = len(await company.own.log.load(lead))
    meta = Meta("process:test", uuid4())
    await company.own.log.append(NewEvents(lead, version, (event,), meta, b""))


async def rules(company: Living, kind: str, rules: Any) -> None:
    """Bring rules into force now."""
    stream = policy.policy_id(kind)
    now = company.clock.now()
    await company.record(stream, *policy.activate(policy.initial(stream), now=now, rules=rules))
    await company.own.registry.latest()


async def test_a_week_names_who_is_responsible(company: Living) -> None:
    """R103, R109, R110, A26: late, escalated, incomplete, unowned and paused leads."""
    await rules(company, "assignment", Assignment(automatic=False))
    late = await owned(company)
    paused = await owned(company, "li")
    unowned = await company.capture()
    incomplete = await owned(company, contact_title="")
    await company.until(START + HOUR)
    await company.say(PauseLead(reason="客户预算"), paused)
    await company.say(RecordFollowUp(**CONTACT), incomplete, by="chen")
    await company.until(START + 3 * DAY + HOUR)
    await told(company, late, LateReasonRecorded(occurred_at=company.clock.now(), reason="出差"))
    await company.say(AssignLead(owner="li", team="east"), late)  # the breach stays chen's
    await company.until(local(2024, 2, 26))
    east, rest = opened(company, "weekly")
    assert east["counts"] == {"late": 2, "escalated": 1, "incomplete": 1, "unowned": 1, "paused": 1}
    assert (east["supervisors"], east["total"]) == (["wang"], 6)
    first, second = items(east, "late")
    assert (first["lead"], first["responsible"]) == (str(late), "chen")
    assert (first["since"], first["late_reason"]) == ("2024-02-21T01:00:00.000000Z", "出差")
    assert (second["responsible"], "late_reason" in second) == ("li", False)
    assert items(east, "escalated")[0]["responsible"] == "chen"
    assert [(i["lead"], i["responsible"]) for i in items(east, "incomplete")] == [
        (str(incomplete), "chen")
    ]
    assert [(i["lead"], i["responsible"]) for i in items(east, "unowned")] == [
        (str(unowned), "wang")
    ]
    (still,) = items(east, "paused")
    assert (still["lead"], still["responsible"]) == (str(paused), "li")
    since = START + HOUR
    assert still["paused_seconds"] == (local(2024, 2, 26) - since).total_seconds()
    assert datetime.fromisoformat(still["since"]) == since
    assert rest["counts"] == {"unowned": 1}


async def test_a_week_ends_where_the_next_begins(company: Living) -> None:
    """R110: late one second before midnight is this week's, at midnight the next one's."""
    monday = local(2024, 2, 26)
    await company.until(monday - DAY - SECOND)
    before = await owned(company)
    await company.until(monday - DAY)
    at = await owned(company)
    await company.until(monday + 7 * DAY)
    first, second = (r for r in opened(company, "weekly") if r.get("team"))
    assert [i["lead"] for i in items(first, "late")] == [str(before)]
    assert [i["lead"] for i in items(second, "late")] == [str(at)]


async def test_a_month_end_proposes_leads_for_their_reasons(company: Living) -> None:
    """R100, R101, A25: wrong numbers, a refusal, silence; each once for the month."""
    wrong, refused, alive, silent = [await owned(company) for _ in range(4)]
    for _ in range(2):
        await company.say(RecordFollowUp(outcome="wrong_number"), wrong, by="chen")
    await company.say(RecordFollowUp(outcome="refused", **CONTACT), refused, by="chen")
    await company.say(RecordFollowUp(outcome="wrong_number"), alive, by="chen")
    await company.until(local(2024, 5, 31) - SECOND)
    await company.say(RecordFollowUp(**CONTACT), alive, by="chen")
    await company.until(local(2024, 5, 31))
    assert company.history(wrong, of=PROPOSED) == [(PROPOSED, local(2024, 2, 29))]
    assert company.history(refused, of=PROPOSED) == [(PROPOSED, local(2024, 2, 29))]
    assert company.history(silent, of=PROPOSED) == [(PROPOSED, local(2024, 5, 31))]
    assert company.history(alive, of=PROPOSED) == []
    states = [await company.own.leads.read(lead) for lead in (wrong, refused, silent, alive)]
    assert [s.proposed_for for s in states] == [WRONG_CONTACT, REFUSAL, NO_NEED, None]
    assert [bool(s.first_response_at) for s in states] == [False, True, False, True]  # A12
    february, may = [r for r in opened(company, "clean-up") if r.get("team")]
    assert [(r["team"], r["since"], r["counts"]) for r in (february, may)] == [
        ("east", "2024-02-01", {"proposed": 2}),
        ("east", "2024-05-01", {"proposed": 1}),
    ]
    assert {i["lead"]: i["reason"] for i in february["items"]} == {
        str(wrong): WRONG_CONTACT, str(refused): REFUSAL,
    }  # fmt: skip
    assert {i["responsible"] for i in february["items"]} == {"chen"}


async def test_silence_is_counted_to_the_second(company: Living) -> None:
    """R100: 90 days quiet at the month's end is enough, one second less is not."""
    at = local(2024, 5, 31)
    await company.until(at - 90 * DAY)
    quiet = await owned(company)
    await company.until(at - 90 * DAY + SECOND)
    less = await owned(company)
    await company.until(at)
    assert company.history(quiet, of=PROPOSED) == [(PROPOSED, at)]
    assert company.history(less, of=PROPOSED) == []


@pytest.mark.parametrize(("late", "released"), [(-SECOND, 0), (0 * SECOND, 0), (SECOND, 1)])
async def test_idle_leads_return_to_the_pool_at_midnight(
    company: Living, late: timedelta, released: int
) -> None:
    """R103, A32: a lead that is 30 days quiet at midnight, to the second; not before."""
    pools = (PoolRules(name="公海"), PoolRules(name="华东公海"))
    await rules(company, "pool", Pools(pools=pools, recycle_after_days=30))
    await company.until(local(2024, 2, 25) + late)
    lead = await owned(company)
    topic = "lead.released-to-pool"
    due = local(2024, 3, 26) + released * DAY
    await company.until(due - SECOND)
    assert company.history(lead, of=topic) == []
    await company.until(due)
    assert company.history(lead, of=topic) == [(topic, due)]
    await company.until(due + 40 * DAY)
    assert len(company.history(lead, of=topic)) == 1
    state = await company.own.leads.read(lead)
    assert (state.owner, state.pool) == (None, "公海")


async def test_no_lead_returns_where_the_company_does_not_want_it(company: Living) -> None:
    """A32: recycling is off unless the pool policy says after how many days."""
    lead = await owned(company)
    await company.until(START + 200 * DAY)
    assert company.history(lead, of="lead.released-to-pool") == []
