"""A report: figures per bucket and over all, their definitions, and the events behind each cell.

The rows of a report's query are (bucket, first log position, figures); the one over all has no
bucket. Only leads that are captured and not merged into another one count.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from aggregates.lead.state import PIPELINE
from aggregates.refusal import Refusal
from projections.reports.definitions import definitions, in_zone
from projections.reports.dimensions import LEAD_DIMENSION_NAMES, bucket
from projections.reports.params import PARAMETERS, ReportParams, is_storable, next_month
from projections.reports.query import Json, Query, as_json

Record: TypeAlias = tuple[str | None, int | None, dict[str, Any]]
Body: TypeAlias = dict[str, Any]

COUNTED = "l.captured AND NOT l.merged"


@dataclass(frozen=True)
class Evidence:
    """What stands behind a cell: the rows of the report's source that `where` lets through.

    `columns` are log positions and what tells the rows apart; `projections` are needed for them
    beside the report's own.
    """

    columns: Mapping[str, str]
    where: str = "true"
    projections: tuple[str, ...] = ()


LEAD_POSITIONS = {
    "captured_position": "l.captured_position",
    "converted_position": "l.converted_position",
}


@dataclass(frozen=True, kw_only=True)
class Report:
    """A question put to the read tables. `source` is its FROM, with `l` for `leads`.

    `position` is the log position of a row of the source, `period` the instant that `from` and
    `to` cut (`period_of` in words). `own_dimensions` come beside the lead's, in the place of those
    of the same name, or alone when `by_lead` is false. `options` are the parameters it takes that
    not every report does.
    """

    name: str
    projections: tuple[str, ...]
    source: Callable[[ReportParams], str]
    figures: Callable[[ReportParams], Json]
    evidence: Callable[[ReportParams], Evidence]
    meaning: Mapping[str, str]
    key: str = "bucket"
    where: str = COUNTED
    position: str = "l.captured_position"
    period: str = "l.captured_at"
    period_of: str = "captured"
    by_lead: bool = True
    own_dimensions: Mapping[str, str] = field(default_factory=dict)
    default_dimension: str = "all"
    options: frozenset[str] = frozenset({"attribution"})
    in_pipeline_order: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters it accepts, by the names that callers use."""
        others = {"attribution", "denominator", "since"} - self.options
        return tuple(name for name in PARAMETERS if name not in others)

    @property
    def dimension_names(self) -> tuple[str, ...]:
        """The dimensions it accepts."""
        names = (*self.own_dimensions, *(LEAD_DIMENSION_NAMES if self.by_lead else ()))
        return tuple(dict.fromkeys(names))

    def row(self, params: ReportParams) -> Json:
        """The figures of a bucket; of the same names as those over all."""
        return self.figures(params)

    def query(self, params: ReportParams) -> Query:
        """A row per bucket, and one over all in which every lead counts once."""
        by = bucket(params, self.own_dimensions)
        row, total = as_json(self.row(params)), as_json(self.figures(params))
        sql = f"""
SELECT {by.sql} AS bucket, min({self.position}) AS first, {row} AS figures
FROM {self.source(params)} {by.join}
WHERE {self.condition(params)}
GROUP BY 1
UNION ALL
SELECT NULL, NULL, {total}
FROM {self.source(params)}
WHERE {self.condition(params)}"""
        return Query(sql, {**arguments(params), **by.args})

    def evidence_query(
        self, params: ReportParams, name: str, *, after: int = 0, limit: int | None = None
    ) -> Query:
        """Rows (position, evidence) behind the bucket called `name`, in order of position.

        Pages go on behind `after`, the last position seen; without `limit` it is one page.
        """
        if not is_storable(name):
            raise Refusal("invalid-parameter", "bucket: is not text", "bucket")
        by, evidence = bucket(params, self.own_dimensions), self.evidence(params)
        columns = as_json({"lead": "l.lead", "code": "l.code", **evidence.columns})
        sql = f"""
SELECT {self.position} AS position, {columns} AS evidence
FROM {self.source(params)} {by.join}
WHERE {self.condition(params)} AND ({evidence.where})
  AND {by.sql} = %(bucket)s AND {self.position} > %(after)s
ORDER BY 1 LIMIT %(limit)s"""
        page = {"bucket": name, "after": after, "limit": limit}
        return Query(sql, {**arguments(params), **by.args, **page})

    def condition(self, params: ReportParams) -> str:
        """Which rows count; cohort and period are half-open."""
        conditions = [self.where]
        if params.visible_only:
            conditions.append("l.lead IN (SELECT lead FROM visible)")
        if params.cohort:
            conditions.append("l.captured_at >= %(cohort)s AND l.captured_at < %(after_cohort)s")
        if params.date_from:
            conditions.append(f"{self.period} >= %(from)s")
        if params.date_to:
            conditions.append(f"{self.period} < %(to)s")
        return " AND ".join(conditions)

    def body(self, params: ReportParams, records: Iterable[Record], position: int) -> Body:
        """The answer, from the rows of the query and the log position that they reflect."""
        records = sorted(records, key=self._place)
        attributed = "attribution" in self.options
        said = definitions(params, self.period_of, attributed=attributed)
        return {
            "report": self.name,
            "dimension": ",".join(params.dimension),
            "as_of": in_zone(params.as_of, params.zone),
            "as_known": in_zone(params.as_known, params.zone),
            "position": position,
            "definitions": {**self.meaning, **said},
            "rows": [{self.key: name, **row} for name, _, row in records if name is not None],
            "total": next(row for name, _, row in records if name is None),
        }

    def _place(self, record: Record) -> tuple[int, int, str]:
        """Where a row stands: by bucket, or in the pipeline and behind it as first seen."""
        name, first, _ = record
        if name is None or not self.in_pipeline_order:
            return 0, 0, name or ""
        place = PIPELINE.index(name) if name in PIPELINE else len(PIPELINE)
        return place, first or 0, name


def arguments(params: ReportParams) -> dict[str, Any]:
    """The arguments that `condition` and the company's zone need."""
    days = {
        "cohort": params.cohort,
        "after_cohort": params.cohort and next_month(params.cohort),
        "from": params.date_from,
        "to": params.date_to,
    }
    instants = {name: params.midnight(day) for name, day in days.items() if day}
    return {"zone": params.zone, **instants}
