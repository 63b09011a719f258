"""Conversions: table 3 of the brief, a row per converted lead (R63, R91-R98, A24)."""

from collections.abc import Iterable
from datetime import datetime

from aggregates.lead.state import WON
from projections.reports.definitions import in_zone
from projections.reports.dimensions import local, or_missing
from projections.reports.params import ReportParams
from projections.reports.query import Json, Query, as_json
from projections.reports.report import (
    COUNTED,
    LEAD_POSITIONS,
    Body,
    Evidence,
    Record,
    Report,
    arguments,
)
from projections.reports.statistics import money, rate

LEAD = "coalesce(l.external_id, l.code)"
ROW: Json = {
    "code": "l.code",
    "source_system": "l.source_system",
    "owner": "l.owner_at_conversion",
    "converted_at": "l.converted_at",
    "cycle_days": f"{local('l.converted_at')}::date - {local('l.captured_at')}::date",
    "source": "l.source",
    "industry": "l.industry",
    "amount": money("l.amount"),
    "basis": "l.basis",
    "rate_at_conversion": {
        "rate": rate("c.channel_converted", "c.channel_leads"),
        "converted": "c.channel_converted",
        "leads": "c.channel_leads",
    },
    "rate": rate("ch.converted", "ch.leads"),
    "nodes": "coalesce(n.nodes, '[]')",
}
DAYS = f"{local('w.converted_at')}::date - {local('s.at')}::date"
NODE: Json = {
    "stage": "s.stage",
    "entered_at": "s.at",
    "days_before_signing": DAYS,
    "text": f"s.stage || '后第' || ({DAYS}) || '天签约'",
}
# The stages that a lead went through on its way (R63).
NODES = f"""
SELECT s.lead, json_agg({as_json(NODE)} ORDER BY s.at, s.position) AS nodes
FROM stage_changes s JOIN leads w ON w.lead = s.lead
WHERE w.converted AND s.at <= w.converted_at AND s.stage <> '{WON}'
GROUP BY s.lead"""


def _source(_: ReportParams) -> str:
    return f"""leads l
JOIN conversions c ON c.lead = l.lead
LEFT JOIN channels ch ON ch.source = {or_missing("l.source")}
LEFT JOIN ({NODES}) n ON n.lead = l.lead"""


def _total(_: ReportParams) -> Json:
    return {"converted": "count(*)", "amount": money("sum(l.amount)")}


class _Conversions(Report):
    """The only report whose rows are leads, not sums over them."""

    def query(self, params: ReportParams) -> Query:
        """A row per converted lead, and the sums over all."""
        sql = f"""
SELECT {LEAD} AS lead, l.converted_position, {as_json(ROW)} AS figures
FROM {self.source(params)}
WHERE {self.condition(params)}
UNION ALL
SELECT NULL, NULL, {as_json(self.figures(params))}
FROM {self.source(params)}
WHERE {self.condition(params)}"""
        return Query(sql, arguments(params))

    def body(self, params: ReportParams, records: Iterable[Record], position: int) -> Body:
        """The answer; times carry the company zone's offset."""
        body = super().body(params, records, position)
        for row in body["rows"]:
            for said, name in [(row, "converted_at"), *((n, "entered_at") for n in row["nodes"])]:
                if at := said[name]:
                    said[name] = in_zone(datetime.fromisoformat(at), params.zone)
        return body


REPORT = _Conversions(
    name="conversions",
    key="lead",
    projections=("leads", "conversions", "stages"),
    source=_source,
    where=f"{COUNTED} AND l.converted",
    period="l.converted_at",
    period_of="converted",
    by_lead=False,
    own_dimensions={"lead": LEAD},
    default_dimension="lead",
    options=frozenset(),
    figures=_total,
    evidence=lambda _: Evidence(LEAD_POSITIONS),
    meaning={
        "lead": "the source's own id for an imported lead, else the lead code",
        "owner": "the owner at the conversion",
        "cycle_days": "difference of the local dates of conversion and capture",
        "rate_at_conversion": "of the leads captured from the channel so far in the log, this "
        "conversion included, how many stood converted; null for one recorded before its capture",
        "nodes": "the stages entered before the signing but 成交, in order of time, and the "
        "calendar days from each to the signing",
        "rate": "the channel's rate now, of all its captured leads",
        "basis": "what counted as the conversion; null where an imported source does not say",
        "amount": "deal amount in the company currency",
    },
)
