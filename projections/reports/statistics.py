"""Figures in SQL: statistics, rates and money, null or "0.00" where there is nothing."""

from projections.reports.query import Json

DIGITS = 6


def rounded(number: str) -> str:
    """A number to six digits."""
    return f"round(({number})::numeric, {DIGITS})"


def statistics(x: str, *, nearest: bool = False) -> Json:
    """The statistics of `x` over the rows where it is not null; all null when there are none.

    Median and percentiles are interpolated linearly; `p90_nearest` is a value that occurs.
    """
    shape = {
        "mean": rounded(f"avg({x})"),
        "median": _percentile("cont", 0.5, x),
        "p75": _percentile("cont", 0.75, x),
        "p90": _percentile("cont", 0.9, x),
    }
    if nearest:
        shape["p90_nearest"] = _percentile("disc", 0.9, x)
    return shape | {"min": rounded(f"min({x})"), "max": rounded(f"max({x})")}


def quartiles(x: str) -> dict[str, Json]:
    """Median and quartiles, interpolated linearly; null over nothing."""
    return {
        "p25": _percentile("cont", 0.25, x),
        "median": _percentile("cont", 0.5, x),
        "p75": _percentile("cont", 0.75, x),
    }


def rate(part: str, whole: str) -> str:
    """`part / whole`, null when the whole is 0."""
    return rounded(f"({part})::numeric / nullif({whole}, 0)")


def money(amount: str) -> str:
    """An amount as a string with two decimals."""
    return f"round(coalesce({amount}, 0), 2)::text"


def elapsed(start: str, end: str, unit_seconds: int) -> str:
    """The exact time between two instants in a unit; null when either is unknown."""
    return f"extract(epoch FROM {end} - {start}) / {unit_seconds}"


def _percentile(kind: str, p: float, x: str) -> str:
    return rounded(f"percentile_{kind}({p}) WITHIN GROUP (ORDER BY {x})")
