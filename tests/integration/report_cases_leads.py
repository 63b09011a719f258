"""Who counts, under which bucket, in which period (A21, A22)."""

from aggregates.lead import events as e
from tests.integration.report_cases import MISSING, Histories, ask, counts
from tests.integration.report_log import (
    assigned,
    captured,
    changed,
    lost,
    reopened,
    reversed_,
    when,
    won,
)

OWNERS = [
    captured("a", "2024-05-01 09:00", source="web"),
    assigned("a", "2024-05-01 10:00", "Li"),
    won("a", "2024-05-02 10:00", "10.10"),
    (
        "a",
        e.LeadReassigned(occurred_at=when("2024-05-03 10:00"), owner="Wang", previous_owner="Li"),
    ),
    captured("b", "2024-05-01 09:00", source="fair"),
    assigned("b", "2024-05-01 10:00", "Li"),
    assigned("b", "2024-05-02 10:00", "Zhao"),
    assigned("b", "2024-05-03 10:00", "Li"),
    assigned("b", "2024-05-04 10:00", "Zhao"),
    captured("c", "2024-05-01 09:00", source="web"),
]
AT_CONVERSION = {"Li": counts(1, 1), "Zhao": counts(1), MISSING: counts(1)}
KEY = 'it\'s 100% 城 市, "x" \\n'

HISTORIES: Histories = {
    "A21 conversion: lost, open, converted although lost later, never captured": (
        [
            captured("open", "2024-05-01 10:00"),
            captured("lost", "2024-05-01 10:00"),
            lost("lost", "2024-05-02 10:00"),
            captured("won", "2024-05-01 10:00"),
            won("won", "2024-05-02 10:00", "0.1"),
            lost("won", "2024-05-03 10:00"),
            won("before", "2024-05-02 10:00", "0.2"),
            captured("before", "2024-05-03 10:00"),
            won("never-captured", "2024-05-02 10:00", "7"),
            captured("reopened", None),
            lost("reopened", "2024-05-02 10:00"),
            reopened("reopened", "2024-05-03 10:00"),
        ],
        [
            ask(
                "conversion",
                {"all": {**counts(5, 2, 1), "merged": 0, "rate": 0.4, "amount": "0.30"}},
                {**counts(5, 2, 1), "rate": 0.4, "amount": "0.30"},
            ),
            ask(
                "conversion",
                {"all": {**counts(4, 2, 0), "rate": 0.5, "amount": "0.30"}},
                denominator="valid",
            ),
            ask("wins", {"2024-05": {"converted": 2, "amount": "0.30"}}),
        ],
    ),
    "A reversed conversion is none, one converted again counts once with the last": (
        [
            captured("back", "2024-05-01 10:00"),
            won("back", "2024-05-02 10:00", "5"),
            reversed_("back", "2024-05-03 10:00"),
            captured("again", "2024-05-01 10:00", owner="Li"),
            won("again", "2024-05-11 10:00", "5"),
            reversed_("again", "2024-05-12 10:00"),
            assigned("again", "2024-05-13 10:00", "Wang"),
            won("again", "2024-06-01 10:00", "8.5"),
        ],
        [
            ask("conversion", total={**counts(2, 1), "amount": "8.50"}),
            ask("conversion", {"Wang": counts(1, 1), MISSING: counts(1)}, dimension="owner"),
            ask("cycle-time", total={"n": 1, "calendar_days.mean": 31.0}),
            ask("wins", {"2024-06": {"converted": 1, "amount": "8.50"}}),
            ask("conversions", {"X-again": {"owner": "Wang", "amount": "8.50", "cycle_days": 31}}),
        ],
    ),
    "A22 every attribution of owners; the total counts a lead once": (
        OWNERS,
        [
            ask("conversion", AT_CONVERSION, counts(3, 1), dimension="owner"),
            ask("conversion", AT_CONVERSION, dimension="owner", attribution="at_conversion"),
            ask(
                "conversion",
                {"Wang": counts(1, 1), "Zhao": counts(1), MISSING: counts(1)},
                dimension="owner",
                attribution="current",
            ),
            ask(
                "conversion",
                {"Li": counts(2, 1), MISSING: counts(1)},
                dimension="owner",
                attribution="first",
            ),
            ask(
                "conversion",
                {"Li": counts(2, 1), "Wang": counts(1, 1), "Zhao": counts(1), MISSING: counts(1)},
                {**counts(3, 1), "amount": "10.10"},
                dimension="owner",
                attribution="all",
            ),
            ask("wins", {"Li": {"converted": 1}}, dimension="owner"),
            ask("wins", {"Wang": {"converted": 1}}, dimension="owner", attribution="current"),
        ],
    ),
    "A22 converted while nobody owned it: an owner of later gets no credit": (
        [
            captured("a", "2024-05-01 10:00"),
            won("a", "2024-05-02 10:00"),
            assigned("a", "2024-05-03 10:00", "Li"),
        ],
        [
            ask("conversion", {MISSING: counts(1, 1)}, dimension="owner"),
            ask("conversion", {"Li": counts(1, 1)}, dimension="owner", attribution="current"),
        ],
    ),
    "two dimensions together": (
        OWNERS,
        [
            ask(
                "conversion",
                {"fair | 2024-05": counts(1), "web | 2024-05": counts(2, 1)},
                dimension="channel,cohort_month",
            ),
            ask(
                "conversion",
                {
                    "Li | fair": counts(1),
                    "Li | web": counts(1, 1),
                    "Wang | web": counts(1, 1),
                    "Zhao | fair": counts(1),
                    f"{MISSING} | web": counts(1),
                },
                counts(3, 1),
                dimension="owner,source",
                attribution="all",
            ),
        ],
    ),
    "the bucket is the latest value; null and empty are missing; code point order": (
        [
            captured("1", "2024-05-01 10:00", source="web", industry="中"),
            won("1", "2024-05-02 10:00", details={"industry": "a"}),
            captured("2", "2024-05-01 10:00", source="", industry="B"),
            captured("3", "2024-05-01 10:00", source=None, industry="b"),
            captured("4", "2024-05-01 10:00", industry="é", team="east", region="north"),
        ],
        [
            ask("conversion", {MISSING: counts(3), "web": counts(1, 1)}, dimension="source"),
            ask(
                "conversion",
                {"B": counts(1), "a": counts(1, 1), "b": counts(1), "é": counts(1)},
                dimension="industry",
            ),
            ask("conversion", {"(missing)": counts(3, 1), "east": counts(1)}, dimension="team"),
            ask(
                "conversion",
                {f"{MISSING} | {MISSING}": counts(3, 1), f"north | {MISSING}": counts(1)},
                dimension="region,level",
            ),
        ],
    ),
    "attributes by any key and of any kind": (
        [
            captured("1", "2024-05-01 10:00", imported=True, **{KEY: "甲"}),
            captured("2", "2024-05-01 10:00", **{KEY: 9007199254740993001}),
            captured("3", "2024-05-01 10:00", **{KEY: True}),
            captured("4", "2024-05-01 10:00", **{KEY: None}),
            captured("5", "2024-05-01 10:00", **{KEY: ""}),
            captured("6", "2024-05-01 10:00", other="甲"),
            captured("typed", "2024-05-01 10:00", **{KEY: "zhangwei_88"}),
            captured("typed later", "2024-05-01 10:00", imported=True, **{KEY: "甲"}),
            changed("typed later", "2024-05-02 10:00", **{KEY: "zhangwei_89"}),
        ],
        [
            ask(
                "conversion",
                {
                    "甲": counts(1),
                    "9007199254740993001": counts(1),
                    "true": counts(1),
                    "(hidden)": counts(2),
                    MISSING: counts(3),
                },
                dimension="attribute:" + KEY.replace(",", "\\,"),
            ),
            ask("conversion", {MISSING: counts(8)}, dimension="attribute:nobody's"),
        ],
    ),
    "A21 months, quarters, cohorts and periods are the company's, half-open": (
        [
            captured("march", "2024-03-31T23:59:59+08:00"),
            captured("first", "2024-04-30T16:00:00+00:00"),
            captured("last", "2024-05-31 23:59:59.999999"),
            captured("june", "2024-06-01 00:00"),
            captured("unknown", None),
            won("first", "2024-06-30 23:59", "1"),
            won("june", "2024-07-01 00:00", "2"),
            won("unknown", None, "4"),
        ],
        [
            ask(
                "conversion",
                {
                    "2024-03": counts(1),
                    "2024-05": counts(2, 1),
                    "2024-06": counts(1, 1),
                    MISSING: counts(1, 1),
                },
                dimension="cohort_month",
            ),
            ask(
                "conversion",
                {"2024-Q1": counts(1), "2024-Q2": counts(3, 2), MISSING: counts(1, 1)},
                dimension="cohort_quarter",
            ),
            ask("conversion", total=counts(2, 1), cohort="2024-05"),
            ask("conversion", total=counts(2, 1), from_="2024-05-01", to="2024-06-01"),
            ask("conversion", total=counts(3, 2), from_="2024-05-01"),
            ask("conversion", total=counts(1), to="2024-05-01"),
            ask(
                "wins",
                {
                    "2024-06": {"converted": 1, "amount": "1.00"},
                    "2024-07": {"converted": 1, "amount": "2.00"},
                    MISSING: {"converted": 1, "amount": "4.00"},
                },
                {"converted": 3, "amount": "7.00"},
            ),
            ask("wins", {"2024-Q2": {"converted": 1}, "2024-Q3": {"converted": 1},
                         MISSING: {"converted": 1}}, dimension="quarter"),
            ask("wins", {"2024-07": {"converted": 1}}, from_="2024-07-01"),
            ask("wins", {"2024-06": {"converted": 1}}, to="2024-07-01"),
            ask("wins", {"2024-06": {"converted": 1}}, cohort="2024-05"),
            ask("conversions", {"X-june": {}}, from_="2024-07-01"),
            ask("cycle-time", total={"n": 1}, from_="2024-05-01", to="2024-06-01"),
        ],
    ),
}  # fmt: skip
