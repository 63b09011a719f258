"""Who does how well, what stands out, and how evenly leads are spread (R43, R44, R66, R68, R69)."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

from aggregates.lead import events as e
from tests.integration.report_cases import Histories, ask, counts
from tests.integration.report_log import Fact, assigned, captured, changed, when, won


def leads(name: str, number: int, converted: int, days: int = 5, **details: Any) -> Iterator[Fact]:
    """So many leads captured on 1 May, the first of them won some days later."""
    for n in range(number):
        yield captured(f"{name}{n}", "2024-05-01 10:00", **details)
        if n < converted:
            yield won(f"{name}{n}", f"{date(2024, 5, 1) + timedelta(days)} 10:00")


def chosen(lead: str, time: str, *seen: tuple[str, int, float]) -> Fact:
    """The rules chose the first of the candidates (person, load, weight)."""
    candidates = [{"person": p, "load": load, "weight": w, "last_given": 0} for p, load, w in seen]
    event = e.LeadAssigned(
        occurred_at=when(time), owner=seen[0][0], explanation={"candidates": candidates}
    )
    return lead, event


HISTORIES: Histories = {
    "R66 an owner's rate of 22 % beside the 15 % of their team": (
        [
            *leads("zhang", 50, 11, owner="Zhang", team="north"),
            *leads("li", 50, 4, owner="Li", team="north"),
            *leads("wu", 10, 5, owner="Wu", team="south"),
            *leads("alone", 4, 1, owner="Ma"),
        ],
        [
            ask(
                "conversion",
                {
                    "Zhang": {**counts(50, 11), "rate": 0.22, "team_rate": 0.15},
                    "Li": {**counts(50, 4), "rate": 0.08, "team_rate": 0.15},
                    "Wu": {**counts(10, 5), "rate": 0.5, "team_rate": 0.5},
                    "Ma": {**counts(4, 1), "rate": 0.25, "team_rate": None},
                },
                {**counts(114, 21), "team_rate": 0.184211},
                dimension="owner",
            ),
        ],
    ),
    "R66 the team is the one that most of an owner's leads belong to": (
        [
            *leads("zhang", 4, 1, owner="Zhang", team="north"),
            *leads("wu", 3, 2, owner="Wu", team="south"),
            *leads("moved", 2, 1, owner="Wu", team="north"),
            *leads("even", 1, 1, owner="Li", team="south"),
            *leads("tied", 1, 1, owner="Li", team="north"),
        ],
        [
            ask(
                "conversion",
                {
                    "Li": {**counts(2, 2), "team_rate": 0.428571},
                    "Wu": {**counts(5, 3), "team_rate": 0.75},
                    "Zhang": {**counts(4, 1), "team_rate": 0.428571},
                },
                dimension="owner",
            ),
        ],
    ),
    "R68 a rate is named when the mean of all lies outside its interval": (
        [
            *leads("w", 100, 10, source="web"),
            *leads("r", 20, 12, source="referral"),
            *leads("f", 2, 1, source="fair"),
        ],
        [
            ask(
                "insights",
                {
                    "referral": {
                        "leads": 20, "converted": 12, "rate": 0.6, "rate_is": "above",
                        "interval.low": 0.386581, "interval.high": 0.781193, "cycle_is": None,
                    },
                    "web": {
                        "leads": 100, "converted": 10, "rate": 0.1, "rate_is": "below",
                        "interval.low": 0.055229, "interval.high": 0.174366,
                    },
                },
                {"leads": 122, "converted": 23, "rate": 0.188525, "rate_is": None},
            ),
            ask("insights", {}, {"leads": 122}, dimension="industry"),
        ],
    ),
    "R69 a cycle is named when the median of all lies outside its quartiles, of 10 at least": (
        [
            *leads("it", 20, 20, 5, industry="IT"),
            *leads("gov", 10, 10, 40, industry="government"),
            *leads("bank", 9, 9, 80, industry="bank"),
        ],
        [
            ask(
                "insights",
                {
                    "government": {
                        "cycle_days.n": 10, "cycle_days.p25": 40.0, "cycle_days.median": 40.0,
                        "cycle_days.p75": 40.0, "cycle_is": "above", "rate_is": None,
                    },
                },
                {"cycle_days.median": 5.0, "cycle_days.n": 39, "cycle_is": None},
                dimension="industry",
            ),
        ],
    ),
    "R43 R44 A13 what everybody was given, might have been given, and how even that is": (
        [
            captured("a", "2024-05-01 10:00"),
            chosen("a", "2024-05-01 10:00", ("Li", 0, 1.0), ("Wang", 2, 2.0), ("Zhao", 9, 1.0)),
            captured("b", "2024-05-01 10:00"),
            chosen("b", "2024-05-01 10:00", ("Li", 1, 1.0), ("Wang", 4, 2.0)),
            captured("c", "2024-05-01 10:00"),
            assigned("c", "2024-05-01 10:00", "Wang"),
            captured("d", "2024-05-01 10:00"),
            ("d", e.LeadClaimed(occurred_at=when("2024-05-02 10:00"), owner="Wang", pool="p")),
            changed("d", "2024-05-03 10:00", owner="Li"),
            captured("june", "2024-05-01 10:00"),
            assigned("june", "2024-06-01 10:00", "Zhao"),
        ],
        [
            ask(
                "fairness",
                {
                    "Li": {
                        "assigned": 2, "by_rule": 2, "by_hand": 0, "claimed": 0, "candidate": 2,
                        "passed_over": 0, "mean_load": 0.5, "people": 1, "gini": 0.0,
                        "max_to_mean": 1.0, "due": 0, "late_rate": None,
                    },
                    "Wang": {
                        "assigned": 1, "by_rule": 0, "by_hand": 1, "claimed": 1, "candidate": 2,
                        "passed_over": 2, "mean_load": 3.0,
                    },
                    "Zhao": {"assigned": 0, "candidate": 1, "passed_over": 1, "gini": None},
                },
                # 2, 1 / 2 and 0 each: mean 5/6, apart by 3/2, 2 and 1/2, twice
                {"assigned": 3, "people": 3, "gini": 0.533333, "max_to_mean": 2.4},
                to="2024-06-01",
            ),
            ask("fairness", total={"assigned": 4, "claimed": 1, "people": 3}),
        ],
    ),
}  # fmt: skip
