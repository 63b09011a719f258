"""How long things took, what was done, and what was known when (A10, A20, A24)."""

from tests.integration.report_cases import MISSING, Histories, ask, counts
from tests.integration.report_log import (
    assigned,
    captured,
    changed,
    contacted,
    entered,
    lost,
    merged,
    paused,
    reopened,
    reversed_,
    unmerged,
    when,
    won,
)

TEN_DAYS = [
    fact
    for n in range(1, 11)
    for fact in (
        captured(f"c{n}", "2024-05-01 12:00"),
        won(f"c{n}", f"2024-05-{1 + n:02} 12:00"),
    )
]
EDGE_STAGES = [
    captured("x", "2024-05-01 23:50"),
    entered("x", "2024-05-02 12:00", "B"),
    entered("x", "2024-05-03 12:00", "A"),
    entered("x", "2024-05-04 12:00", "B"),
    lost("x", "2024-05-05 00:00"),
    lost("x", "2024-05-06 00:00"),
    captured("y", "2024-05-01 23:50"),
    entered("y", "2024-05-02 10:30", "C"),
    entered("never-captured", "2024-05-01 10:00", "C"),
]
HISTORIES: Histories = {
    "G1 A20 cycle time: calendar dates and exact days, negative kept, unknown left out": (
        [
            captured("brief", "2024-05-01 09:15"),
            won("brief", "2024-05-20 11:00"),
            captured("night", "2024-05-01 23:50"),
            won("night", "2024-05-02 00:10"),
            captured("early", "2024-05-02 12:00"),
            won("early", "2024-05-02 10:00"),
            captured("no-capture-time", None),
            won("no-capture-time", "2024-05-02 10:00"),
            captured("no-conversion-time", "2024-05-02 12:00"),
            won("no-conversion-time", None),
            captured("open", "2024-05-02 12:00", source="web"),
        ],
        [
            ask(
                "cycle-time",
                {
                    "web": {"n": 0, "n_negative": 0, "calendar_days.mean": None},
                    MISSING: {
                        "n": 3,
                        "n_negative": 1,
                        "calendar_days.mean": 6.666667,
                        "calendar_days.median": 1.0,
                        "calendar_days.max": 19.0,
                        "elapsed_days.min": -0.083333,
                        "elapsed_days.median": 0.013889,
                        "elapsed_days.max": 19.072917,
                    },
                },
                dimension="source",
            )
        ],
    ),
    "percentiles interpolate, p90_nearest occurs, the histogram covers all": (
        [*TEN_DAYS, captured("past", "2024-05-09 00:00"), won("past", "2024-05-08 23:59")],
        [
            ask(
                "cycle-time",
                total={
                    "n": 11,
                    "calendar_days.median": 5.0,
                    "calendar_days.p75": 7.5,
                    "calendar_days.p90": 9.0,
                    "calendar_days.p90_nearest": 9.0,
                    "histogram.0.to": 0,
                    "histogram.0.from": None,
                    "histogram.0.n": 1,
                    "histogram.1.n": 0,
                    "histogram.2.n": 2,
                    "histogram.3.from": 3,
                    "histogram.3.to": 7,
                    "histogram.3.n": 4,
                    "histogram.4.n": 4,
                    "histogram.5.n": 0,
                    "histogram.10.to": None,
                },
            ),
            ask(
                "cycle-time",
                total={"calendar_days.p90": 9.1, "calendar_days.p90_nearest": 9.0, "n": 10},
                to="2024-05-09",
            ),
        ],
    ),
    "A10 A12 response time: connected ones answer, every one is an attempt": (
        [
            captured("rang", "2024-05-01 10:00"),
            assigned("rang", "2024-05-01 16:00", "Li"),
            contacted("rang", "2024-05-02 09:00", connected=False),
            contacted("rang", "2024-05-02 10:00"),
            contacted("rang", "2024-05-02 09:30", connected=False),
            contacted("rang", None),
            captured("before", "2024-05-01 12:00"),
            contacted("before", "2024-05-01 11:00"),
            captured("never", "2024-05-01 10:00"),
            contacted("never", "2024-05-03 22:00", connected=False),
            captured("time-unknown", "2024-05-01 10:00"),
            contacted("time-unknown", None),
            captured("capture-unknown", None),
            contacted("capture-unknown", "2024-05-01 11:00"),
        ],
        [
            ask(
                "response-time",
                {
                    "all": {
                        "n": 2,
                        "hours.mean": 11.5,
                        "hours.min": -1.0,
                        "hours.median": 11.5,
                        "hours.p75": 17.75,
                        "hours.max": 24.0,
                        "within.1h": 1,
                        "within.24h": 2,
                        "within.72h": 2,
                        "first_attempt.n": 3,
                        "first_attempt.hours.max": 60.0,
                        "first_attempt.within.24h": 2,
                        "first_attempt.within.48h": 2,
                        "first_attempt.within.72h": 3,
                    }
                },
            ),
            ask(
                "response-time",
                total={"n": 1, "hours.mean": 18.0, "first_attempt.hours.mean": 17.0},
                since="assignment",
            ),
        ],
    ),
    "A3 cadence: gaps between contacts of known time, in the order of the contacts": (
        [
            captured("a", "2024-05-01 10:00", source="web"),
            contacted("a", "2024-05-04 10:00"),
            contacted("a", "2024-05-02 10:00", connected=False),
            contacted("a", None),
            contacted("a", "2024-05-08 22:00"),
            captured("once", "2024-05-01 10:00", source="fair"),
            contacted("once", "2024-05-02 10:00"),
            captured("never", "2024-05-01 10:00", source="web"),
        ],
        [
            ask(
                "follow-up-cadence",
                {
                    "web": {"n": 2, "gap_days.min": 2.0, "gap_days.max": 4.5},
                    "fair": {"n": 0, "gap_days.mean": None},
                },
                total={"n": 2, "gap_days.mean": 3.25},
                dimension="source",
            )
        ],
    ),
    "activity: who did it, how, when; unknown times count, leads never captured do not": (
        [
            captured("a", "2024-05-01 10:00", source="web", owner="Li"),
            contacted("a", "2024-05-31 23:59", by="Li", method="call"),
            contacted("a", "2024-06-01 00:00", by="Li", method="visit", connected=False),
            contacted("a", None, by="Wang", method="call"),
            captured("b", "2024-05-01 10:00", source="fair", owner="Zhao"),
            contacted("b", "2024-06-01 10:00", by="Li"),
            contacted("never-captured", "2024-05-01 10:00", by="Li", method="call"),
        ],
        [
            ask(
                "activity",
                {
                    "Li": {"follow_ups": 3, "connected": 2, "leads": 2},
                    "Wang": {"follow_ups": 1, "connected": 1, "leads": 1},
                },
                {"follow_ups": 4, "connected": 3, "leads": 2},
                dimension="by",
            ),
            ask(
                "activity",
                {"call": {"follow_ups": 2}, "visit": {"follow_ups": 1}, MISSING: {"follow_ups": 1}},
                dimension="method",
            ),
            ask(
                "activity",
                {
                    "2024-05": {"follow_ups": 1},
                    "2024-06": {"follow_ups": 2},
                    MISSING: {"follow_ups": 1},
                },
                dimension="month",
            ),
            ask(
                "activity",
                {"Li | web": {"leads": 1}, "Li | fair": {"leads": 1}, "Wang | web": {"leads": 1}},
                dimension="by,source",
            ),
            ask(
                "activity", {"Li": {"follow_ups": 3}, "Zhao": {"follow_ups": 1}}, dimension="owner"
            ),
            ask("activity", total={"follow_ups": 2}, from_="2024-06-01"),
            ask("activity", total={"follow_ups": 1}, to="2024-06-01"),
            ask("activity", total={"follow_ups": 4}, cohort="2024-05"),
        ],
    ),
    "R52 funnel: entries, leads, where they are and were dropped": (
        [
            *EDGE_STAGES,
            entered("y", "2024-05-02 11:00", "成交"),
            entered("y", "2024-05-02 10:00", "待跟进"),
            captured("z", "2024-06-01 10:00"),
            entered("z", "2024-06-01 10:00", "成交"),
            won("z", "2024-06-02 10:00"),
            lost("z", "2024-06-03 10:00"),
        ],
        [
            ask(
                "funnel",
                {
                    "待跟进": {"entries": 1, "leads": 1, "current": 1, "dropped": 0},
                    "成交": {"entries": 2, "leads": 2, "current": 1, "dropped": 0},
                    "B": {"entries": 2, "leads": 1, "current": 1, "dropped": 1},
                    "A": {"entries": 1, "leads": 1, "current": 0, "dropped": 0},
                    "C": {"entries": 1, "leads": 1, "current": 0, "dropped": 0},
                },
                {"entries": 7, "leads": 3, "current": 3, "dropped": 1},
            ),
            ask("funnel", {"成交": {"entries": 1, "leads": 1}}, cohort="2024-06"),
        ],
    ),
    "R58 stage duration: by the time of the facts, ended by the next stage or the loss": (
        [
            *EDGE_STAGES,
            captured("late", "2024-06-01 10:00"),
            entered("late", "2024-06-05 12:00", "D"),  # stands before its predecessor in the file
            entered("late", "2024-06-01 12:00", "E"),
            entered("late", None, "F"),
            lost("late", "2024-06-04 12:00"),  # before the last stage: does not end it
        ],
        [
            ask(
                "stage-duration",
                {
                    "B": {"n": 2, "elapsed_days.mean": 1.25, "open": 0},
                    "A": {"n": 1, "elapsed_days.mean": 1.0, "open": 0},
                    "C": {"n": 0, "elapsed_days.mean": None, "open": 1},
                    "D": {"n": 0, "elapsed_days.max": None, "open": 1},
                    "E": {"n": 1, "elapsed_days.mean": 4.0, "open": 0},
                },
                {"n": 4, "elapsed_days.min": 1.0, "elapsed_days.median": 1.25, "open": 2},
            ),
            ask("stage-duration", {"D": {"open": 1}, "E": {"n": 1}}, from_="2024-06-01"),
        ],
    ),
    "R58 stage duration: a reopened lead stays, one lost at an unknown time is in neither": (
        [
            captured("reopened", "2024-05-01 10:00"),
            entered("reopened", "2024-05-01 10:00", "A"),
            lost("reopened", "2024-05-02 10:00"),
            reopened("reopened", "2024-05-03 10:00"),
            captured("unknown", "2024-05-01 10:00"),
            entered("unknown", "2024-05-01 10:00", "B"),
            lost("unknown", None),
            captured("same", "2024-05-01 10:00"),
            entered("same", "2024-05-01 10:00", "C"),
            entered("same", "2024-05-01 10:00", "D"),
            lost("same", "2024-05-01 10:00"),
        ],
        [
            ask(
                "stage-duration",
                {
                    "A": {"n": 0, "open": 1},
                    "B": {"n": 0, "open": 0},
                    "C": {"n": 1, "elapsed_days.mean": 0.0, "open": 0},
                    "D": {"n": 1, "elapsed_days.mean": 0.0, "open": 0},
                },
            )
        ],
    ),
    "R91-R98 A24 conversions: the rate as known at each, and the live one": (
        [
            captured("0012", "2024-05-01 23:50", imported=True, source="web", industry="IT"),
            captured("b", "2024-05-01 10:00", source="web", owner="Li"),
            won("0012", "2024-05-02T00:10:00+08:00", "85000", basis="contract_signed"),
            captured("c", "2024-05-01 10:00", source="web"),
            won("b", None),
            assigned("b", "2024-05-03 10:00", "Wang"),
            won("early", "2024-05-01 10:00", "1.005"),
            captured("early", "2024-05-03 10:00", imported=True),
        ],
        [
            ask(
                "conversions",
                {
                    "0012": {
                        "code": "X-0012",
                        "source_system": "test",
                        "owner": None,
                        "converted_at": "2024-05-02T00:10:00+08:00",
                        "cycle_days": 1,
                        "source": "web",
                        "industry": "IT",
                        "amount": "85000.00",
                        "basis": "contract_signed",
                        "rate_at_conversion.rate": 0.5,
                        "rate_at_conversion.converted": 1,
                        "rate_at_conversion.leads": 2,
                        "rate": 0.666667,
                    },
                    "X-b": {
                        "code": "X-b",
                        "source_system": None,
                        "owner": "Li",
                        "converted_at": None,
                        "cycle_days": None,
                        "amount": "0.00",
                        "rate_at_conversion.rate": 0.666667,
                        "rate": 0.666667,
                    },
                    "early": {
                        "cycle_days": -2,
                        "source": None,
                        "rate_at_conversion.rate": None,
                        "rate_at_conversion.leads": None,
                        "rate": 1.0,
                    },
                },
                {"converted": 3, "amount": "85001.01"},
            )
        ],
    ),
    "G1 G4 R61 R63 A20 conversions: the cycle and the nodes, in calendar days": (
        [
            captured("a", "2024-05-01 09:15"),
            entered("a", "2024-05-01 09:15", "待跟进"),
            entered("a", "2024-05-02 14:30", "方案提交"),
            entered("a", None, "商务谈判"),
            won("a", "2024-05-20 11:00"),
            entered("a", "2024-05-20 11:00", "成交"),
            entered("a", "2024-05-21 09:00", "商务谈判"),
            captured("b", "2024-05-01 09:15"),
            entered("b", "2024-05-02 10:00", "方案提交"),
            won("b", None),
            captured("c", "2024-05-01 09:15"),
            won("c", "2024-05-01 23:59"),
            entered("c", "2024-05-01 23:50", "方案提交"),
            reversed_("c", "2024-05-02 10:00"),
            won("c", "2024-05-02 00:10"),
        ],
        [
            ask(
                "conversions",
                {
                    "X-a": {
                        "cycle_days": 19,
                        "nodes.0.text": "待跟进后第19天签约",
                        "nodes.1.stage": "方案提交",
                        "nodes.1.entered_at": "2024-05-02T14:30:00+08:00",
                        "nodes.1.days_before_signing": 18,
                        "nodes.1.text": "方案提交后第18天签约",
                    },
                    "X-b": {"cycle_days": None},
                    "X-c": {"nodes.0.text": "方案提交后第1天签约"},
                },
            )
        ],
    ),
    "A24 the rate at a conversion knows no later merge, reversal or change of source": (
        [
            captured("a", "2024-05-01 10:00", source="web"),
            captured("b", "2024-05-01 10:00", source="web"),
            captured("twin", "2024-05-01 10:00", source="web"),
            captured("c", "2024-05-01 10:00", source="fair"),
            merged("twin", "2024-05-02 10:00", "b"),
            won("a", "2024-05-02 10:00"),
            won("b", "2024-05-03 10:00"),
            reversed_("b", "2024-05-04 10:00"),
            unmerged("twin", "2024-05-04 10:00"),
            won("b", "2024-05-05 10:00"),
            changed("a", "2024-05-06 10:00", source="fair"),
            won("c", "2024-05-07 10:00"),
        ],
        [
            ask(
                "conversions",
                {
                    "X-a": {
                        "source": "fair",
                        "rate_at_conversion.converted": 1,
                        "rate_at_conversion.leads": 2,
                        "rate": 1.0,
                    },
                    "X-b": {
                        "rate_at_conversion.converted": 2,
                        "rate_at_conversion.leads": 3,
                        "rate": 0.5,
                    },
                    "X-c": {
                        "rate_at_conversion.converted": 2,
                        "rate_at_conversion.leads": 2,
                        "rate": 1.0,
                    },
                },
            ),
            ask("conversions", {"X-a": {"rate_at_conversion.leads": 2, "rate": 0.5}},
                as_of=when("2024-05-02 11:00")),
        ],
    ),
    "R58 R107 A15 A25 what a lead counts as: lost after won, reopened, taken back, paused": (
        [
            captured("won then lost", "2024-05-01 10:00"),
            won("won then lost", "2024-05-02 10:00", "10"),
            lost("won then lost", "2024-05-03 10:00"),
            captured("taken back", "2024-05-01 10:00"),
            won("taken back", "2024-05-02 10:00", "20"),
            reversed_("taken back", "2024-05-03 10:00"),
            captured("lost and taken back", "2024-05-01 10:00"),
            won("lost and taken back", "2024-05-02 10:00", "30"),
            lost("lost and taken back", "2024-05-02 11:00"),
            reversed_("lost and taken back", "2024-05-03 10:00"),
            captured("reopened", "2024-05-01 10:00"),
            lost("reopened", "2024-05-02 10:00"),
            reopened("reopened", "2024-05-03 10:00"),
            captured("paused", "2024-05-01 10:00"),
            paused("paused", "2024-05-02 10:00"),
            captured("paused and lost", "2024-05-01 10:00"),
            paused("paused and lost", "2024-05-02 10:00"),
            lost("paused and lost", "2024-05-03 10:00"),
        ],
        [
            ask("conversion", total={**counts(6, 1, 2), "amount": "10.00"}),
            ask("conversion", total=counts(4, 1), denominator="valid"),
            ask("wins", total={"converted": 1, "amount": "10.00"}),
            ask("cycle-time", total={"n": 1}),
            ask("conversion", total=counts(6, 3, 1), as_of=when("2024-05-02 12:00")),
        ],
    ),
    "as_of: only facts of known time strictly before; not captured by then = not there": (
        [
            captured("a", "2024-05-01 10:00", owner="Li"),
            won("a", "2024-05-02 10:00"),
            assigned("a", None, "Wang"),
            won("b", "2024-05-01 10:00"),
            captured("b", "2024-05-03 10:00"),
            captured("unknown", None),
            contacted("a", "2024-05-02 10:00", by="Li"),
        ],
        [
            ask("conversion", total=counts(3, 2)),
            ask("conversion", {}, counts(0), as_of=when("2024-05-01 10:00")),
            ask("conversion", total=counts(1), as_of=when("2024-05-02 10:00")),
            ask("conversion", total=counts(1, 1), as_of=when("2024-05-02 10:00:00.000001")),
            ask("conversion", {"Li": counts(1, 1)}, dimension="owner", attribution="current",
                as_of=when("2024-05-03 10:00")),
            ask("conversion", total=counts(2, 2), as_of=when("2024-05-04 00:00")),
            ask("activity", total={"follow_ups": 0}, as_of=when("2024-05-02 10:00")),
            ask("activity", total={"follow_ups": 1}, as_of=when("2024-05-02 10:01")),
            ask("conversions", {"X-a": {"owner": "Li", "rate_at_conversion.rate": 1.0}},
                as_of=when("2024-05-02 11:00")),
        ],
    ),
}  # fmt: skip
