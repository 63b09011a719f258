"""Insights: what stands out from the mean of all, with how sure that is (R68, R69).

A channel whose conversion rate is above the mean is one to put more money into; a class of leads
that takes long to convert wants another way of following up. A rate stands out when the mean lies
outside its 95 % interval after Wilson (E. B. Wilson, JASA 22, 1927, 209-212), a cycle when the
median of all lies outside its quartiles and enough leads were converted to say so.
"""

from collections.abc import Iterable, Mapping
from math import sqrt
from typing import Any

from projections.reports import cycle_time
from projections.reports.params import ReportParams
from projections.reports.query import Json
from projections.reports.report import LEAD_POSITIONS, Body, Evidence, Record, Report
from projections.reports.statistics import DIGITS, quartiles, rate

Z = 1.959964
"""The 97.5 % quantile of the normal distribution."""
FEWEST_CYCLES = 10


def wilson(part: int, whole: int) -> tuple[float, float] | None:
    """The 95 % interval of the rate that `part` of `whole` stands for; None for nothing.

    >>> wilson(22, 100), wilson(0, 10)
    ((0.150013, 0.310704), (0.0, 0.277533))
    """
    if not whole:
        return None
    p, z2 = part / whole, Z * Z
    middle = p + z2 / (2 * whole)
    half = Z * sqrt(p * (1 - p) / whole + z2 / (4 * whole * whole))
    low, high = ((middle + side) / (1 + z2 / whole) for side in (-half, half))
    return round(max(low, 0.0), DIGITS), round(min(high, 1.0), DIGITS)


def _figures(_: ReportParams) -> Json:
    converted = "count(*) FILTER (WHERE l.converted)"
    return {
        "leads": "count(*)",
        "converted": converted,
        "rate": rate(converted, "count(*)"),
        "cycle_days": {"n": "count(cycle.elapsed_days)", **quartiles("cycle.calendar_days")},
    }


def judged(row: Mapping[str, Any], total: Mapping[str, Any]) -> dict[str, Any]:
    """The figures of a bucket or of all, and where they stand out from those of all."""
    interval, cycle = wilson(row["converted"], row["leads"]), row["cycle_days"]
    low, high = interval or (None, None)
    enough = cycle["n"] >= FEWEST_CYCLES
    median = total["cycle_days"]["median"]
    return {
        **row,
        "interval": {"low": low, "high": high},
        "rate_is": _stands(low, total["rate"], high),
        "cycle_is": _stands(cycle["p25"], median, cycle["p75"]) if enough else None,
    }


def _stands(low: float | None, middle: float | None, high: float | None) -> str | None:
    if low is None or middle is None or high is None or low <= middle <= high:
        return None
    return "above" if middle < low else "below"


class _Insights(Report):
    """Has a row for what stands out only."""

    def body(self, params: ReportParams, records: Iterable[Record], position: int) -> Body:
        """The answer; `total` has the figures that the rows are compared with."""
        body = super().body(params, records, position)
        total = body["total"]
        rows = (judged(row, total) for row in body["rows"])
        standing = [row for row in rows if row["rate_is"] or row["cycle_is"]]
        return {**body, "rows": standing, "total": judged(total, total)}


REPORT = _Insights(
    name="insights",
    projections=("leads",),
    source=cycle_time.REPORT.source,
    figures=_figures,
    default_dimension="source",
    evidence=lambda _: Evidence(LEAD_POSITIONS),
    meaning={
        "rows": "buckets whose rate or cycle stands out from that of all, no others",
        "rate": "converted / leads",
        "interval": "the 95 % interval of the rate after Wilson",
        "rate_is": "above or below: the rate of all lies outside the interval; above = a "
        "candidate for more investment",
        "cycle_days": "calendar days from capture to conversion, of the n for which both are "
        "known: median and quartiles, linear interpolation",
        "cycle_is": "above or below: the median of all lies outside the quartiles, of at least "
        f"{FEWEST_CYCLES} conversions; above = a candidate for another way of following up",
        "total": "all leads that count, those of no named bucket included",
    },
)
