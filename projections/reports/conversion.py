"""Conversion: how many leads became customers (R65, R66, A21)."""

from projections.reports.params import Denominator, ReportParams
from projections.reports.query import Json, Query
from projections.reports.report import LEAD_POSITIONS, Evidence, Report
from projections.reports.statistics import money, rate

VALID = "NOT (l.invalidated AND NOT l.converted)"


def _counted(params: ReportParams) -> str:
    valid_only = params.denominator is Denominator.VALID
    return f"NOT l.merged AND {VALID}" if valid_only else "NOT l.merged"


def _leads(params: ReportParams) -> str:
    return f"count(*) FILTER (WHERE {_counted(params)})"


def _converted(params: ReportParams) -> str:
    return f"count(*) FILTER (WHERE {_counted(params)} AND l.converted)"


def _rate(params: ReportParams) -> str:
    return rate(_converted(params), _leads(params))


def _by_owner(params: ReportParams) -> bool:
    return params.dimension == ("owner",)


def _figures(params: ReportParams) -> dict[str, Json]:
    counted, leads, converted = _counted(params), _leads(params), _converted(params)
    lost = f"count(*) FILTER (WHERE {counted} AND l.invalidated AND NOT l.converted)"
    return {
        "leads": leads,
        "converted": converted,
        "lost": lost,
        "open": f"{leads} - {converted} - {lost}",
        "merged": "count(*) FILTER (WHERE l.merged)",
        "rate": _rate(params),
        **({"team_rate": _rate(params)} if _by_owner(params) else {}),
        "amount": money(f"sum(l.amount) FILTER (WHERE {counted} AND l.converted)"),
    }


class _Conversion(Report):
    """By owner, each stands beside their team: the one that most of their leads belong to."""

    def row(self, params: ReportParams) -> Json:
        """The figures of a bucket; an owner's are compared with their team's rate."""
        if not _by_owner(params):
            return _figures(params)
        most = f"""mode() WITHIN GROUP (ORDER BY l.team COLLATE "C")
  FILTER (WHERE {_counted(params)})"""
        team_rate = f"(SELECT t.rate FROM team_rates t WHERE t.team = {most})"
        return {**_figures(params), "team_rate": team_rate}

    def query(self, params: ReportParams) -> Query:
        """A row per bucket, and one over all."""
        query = super().query(params)
        if not _by_owner(params):
            return query
        teams = f"""
WITH team_rates AS MATERIALIZED (
  SELECT l.team, {_rate(params)} AS rate FROM leads l
  WHERE {self.condition(params)} GROUP BY l.team
)"""
        return Query(teams + query.sql, query.args)


REPORT = _Conversion(
    name="conversion",
    projections=("leads",),
    source=lambda _: "leads l",
    where="l.captured",
    figures=_figures,
    evidence=lambda params: Evidence(LEAD_POSITIONS, _counted(params)),
    options=frozenset({"attribution", "denominator"}),
    meaning={
        "rate": "converted / leads, of the leads captured in the period; null without leads",
        "team_rate": "by owner: the rate of all leads of the team that most of theirs belong to, "
        "null without one; in total the rate of all",
        "converted": "leads whose conversion stands, on any basis the company accepted when it "
        "was recorded; for imported ones, whatever their source calls a conversion",
        "lost": "invalid and not converted",
        "denominator": "`all` counts invalid leads too, `valid` leaves them out",
        "merged": "duplicates merged into another lead; they count in no other figure",
        "amount": "sum of the deal amounts of converted leads, in the company currency",
    },
)
