"""Dimensions: by which value of a lead (alias `l`) the figures are broken down.

The bucket of a lead is its latest value, `(missing)` where it has none; two dimensions give
buckets `A | B`. Months and quarters are those of the company's zone.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from projections.reports.params import ATTRIBUTE, Attribution, ReportParams
from projections.survivors import ABSORBED_OWNERS

MISSING = "(missing)"


def local(instant: str) -> str:
    """An instant as local time of the company's zone."""
    return f"({instant} AT TIME ZONE %(zone)s::text)"


def month(instant: str) -> str:
    """The local month of an instant, 2024-05."""
    return f"to_char({local(instant)}, 'YYYY-MM')"


def quarter(instant: str) -> str:
    """The local quarter of an instant, 2024-Q2."""
    return f"to_char({local(instant)}, 'YYYY-\"Q\"Q')"


LEAD_DIMENSIONS: Mapping[str, str] = {
    "all": "'all'",
    **{
        column: f"l.{column}"
        for column in (
            "source", "industry", "region", "customer_type", "owner", "team", "level",
            "segment", "campaign",
        )
    },
    "cohort_month": month("l.captured_at"),
    "cohort_quarter": quarter("l.captured_at"),
}  # fmt: skip
LEAD_DIMENSION_NAMES = (*LEAD_DIMENSIONS, f"{ATTRIBUTE}<key>")

OWNERS: Mapping[Attribution, str] = {
    Attribution.AT_CONVERSION: "CASE WHEN l.converted THEN l.owner_at_conversion ELSE l.owner END",
    Attribution.CURRENT: "l.owner",
    Attribution.FIRST: "l.first_owner",
    Attribution.ALL: "ever.owner",
}
EVERY_OWNER = f"""LEFT JOIN {ABSORBED_OWNERS} AS others ON others.survivor = l.lead
LEFT JOIN LATERAL (SELECT DISTINCT unnest(l.owners || others.owners) AS owner) AS ever ON true"""


@dataclass(frozen=True, slots=True)
class Bucket:
    """The SQL of a bucket's name, the join it needs after the report's source, its arguments."""

    sql: str
    join: str
    args: Mapping[str, str]


def bucket(params: ReportParams, own: Mapping[str, str]) -> Bucket:
    """The bucket that the parameters ask for; `own` are dimensions that only this report has."""
    names, args = [], {}
    for n, name in enumerate(params.dimension):
        if name.startswith(ATTRIBUTE):
            args[f"attribute_{n}"] = name.removeprefix(ATTRIBUTE).replace("\\,", ",")
            value = f"l.attributes ->> %(attribute_{n})s::text"
        elif name in own:
            value = own[name]
        elif name == "owner":
            value = OWNERS[params.attribution]
        else:
            value = LEAD_DIMENSIONS[name]
        names.append(or_missing(value))
    every_owner = "owner" in params.dimension and params.attribution is Attribution.ALL
    return Bucket(" || ' | ' || ".join(names), EVERY_OWNER if every_owner else "", args)


def or_missing(value: str) -> str:
    """A text, `(missing)` where it is null or empty."""
    return f"coalesce(nullif({value}, ''), '{MISSING}')"
