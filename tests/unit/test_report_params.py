"""What a report may be asked for: refusals name the field and what would be allowed."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from aggregates.refusal import Refusal
from projections.reports.catalogue import REPORTS, find
from projections.reports.params import (
    PARAMETERS,
    Attribution,
    Denominator,
    ReportParams,
    Since,
    read,
)

ZONE = "Asia/Shanghai"


def ask(name: str, **given: Any) -> ReportParams:
    return read(find(name), {k.removesuffix("_"): v for k, v in given.items()}, ZONE)


def test_the_defaults_are_the_documented_ones() -> None:
    """A21, A22: by cohort, every lead in the denominator, owners as at the conversion."""
    params = ask("conversion", cohort=None)
    assert params == ReportParams(name="conversion", zone=ZONE)
    assert params.dimension == ("all",)
    assert (params.attribution, params.denominator) == ("at_conversion", "all")
    assert ask("response-time").since is Since.CAPTURE
    defaults = {name: report.default_dimension for name, report in REPORTS.items()}
    assert defaults == {
        "conversion": "all",
        "cycle-time": "all",
        "wins": "month",
        "response-time": "all",
        "follow-up-cadence": "all",
        "activity": "all",
        "funnel": "stage",
        "stage-duration": "stage",
        "conversions": "lead",
        "insights": "source",
        "sla-compliance": "all",
        "workload": "owner",
        "fairness": "owner",
    }


def test_every_parameter_is_read() -> None:
    params = ask(
        "conversion",
        dimension="channel,attribute:city",
        cohort="2024-12",
        from_="2024-05-01",
        to="2024-06-01",
        attribution="all",
        denominator="valid",
        as_of=datetime(2024, 7, 1, tzinfo=UTC),
        at_position=7,
    )
    assert params.dimension == ("source", "attribute:city")
    assert params.cohort == date(2024, 12, 1)
    assert (params.date_from, params.date_to) == (date(2024, 5, 1), date(2024, 6, 1))
    assert params.attribution is Attribution.ALL
    assert params.denominator is Denominator.VALID
    assert params.historical
    assert not ask("conversion").historical


def test_local_dates_begin_at_the_zones_midnight() -> None:
    query = find("conversion").query(ask("conversion", cohort="2024-12", from_="2024-05-01"))
    assert query.args["cohort"] == datetime(2024, 11, 30, 16, tzinfo=UTC)
    assert query.args["after_cohort"] == datetime(2024, 12, 31, 16, tzinfo=UTC)
    assert query.args["from"] == datetime(2024, 4, 30, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "given", "field", "says"),
    [
        ("conversion", {"colour": "red"}, "colour", "dimension, cohort, from, to, attribution"),
        ("conversion", {"since": "capture"}, "since", "knows only"),
        ("wins", {"denominator": "valid"}, "denominator", "knows only"),
        ("funnel", {"attribution": "first"}, "attribution", "knows only"),
        ("conversion", {"dimension": "colour"}, "dimension", "choose all, source"),
        ("conversion", {"dimension": "source,colour"}, "dimension", "attribute:<key>"),
        ("conversion", {"dimension": "source,owner,team"}, "dimension", "at most two"),
        ("conversion", {"dimension": ""}, "dimension", "choose"),
        ("conversion", {"dimension": "source,"}, "dimension", "choose"),
        ("conversion", {"dimension": "attribute:"}, "dimension", "choose"),
        ("conversion", {"dimension": "attribute:<key>,by"}, "dimension", "no dimension by"),
        ("conversion", {"dimension": "month"}, "dimension", "cohort_month"),
        ("funnel", {"dimension": "source"}, "dimension", "choose stage"),
        ("funnel", {"dimension": "attribute:x"}, "dimension", "choose stage"),
        ("conversions", {"dimension": "owner"}, "dimension", "choose lead"),
        ("conversion", {"cohort": "2024"}, "cohort", "such as 2024-05"),
        ("conversion", {"cohort": "2024-13"}, "cohort", "2024-13 is not a month"),
        ("conversion", {"cohort": "9999-12"}, "cohort", "not a month"),
        ("conversion", {"from": "2024-02-31"}, "from", "2024-02-31 is not a date"),
        ("conversion", {"to": "tomorrow"}, "to", "such as 2024-05-31"),
        ("conversion", {"from": "2024-05-02", "to": "2024-05-01"}, "to", "ends before it begins"),
        (
            "conversion",
            {"attribution": "last"},
            "attribution",
            "at_conversion, current, first, all",
        ),
        ("conversion", {"denominator": "some"}, "denominator", "choose all, valid"),
        ("response-time", {"since": "birth"}, "since", "choose capture, assignment"),
        ("conversion", {"dimension": "attribute:\0"}, "dimension", "not text"),
        ("conversion", {"dimension": "attribute:\udcff"}, "dimension", "not text"),
        ("conversion", {"as_of": datetime.max.replace(tzinfo=UTC)}, "as_of", "too far"),
        ("conversion", {"as_known": datetime.min.replace(tzinfo=UTC)}, "as_known", "too far"),
        (
            "conversion",
            {"as_known": datetime(2024, 5, 1, tzinfo=UTC), "at_position": 1},
            "at_position",
            "not both",
        ),
    ],
)
def test_refusals_name_the_field_and_what_is_allowed(
    name: str, given: dict[str, Any], field: str, says: str
) -> None:
    with pytest.raises(Refusal) as refusal:
        read(find(name), given, ZONE)
    assert refusal.value.field == field
    assert says in refusal.value.message
    assert "\n" not in refusal.value.message


def test_an_unknown_report_is_answered_with_those_that_exist() -> None:
    with pytest.raises(Refusal, match="no report conversoin: choose one of conversion, cycle-time"):
        find("conversoin")


def test_a_comma_inside_an_attributes_key_is_escaped() -> None:
    params = ask("conversion", dimension=r"attribute:city\, state,owner")
    assert params.dimension == (r"attribute:city\, state", "owner")
    query = find("conversion").query(params)
    assert query.args["attribute_0"] == "city, state"


@pytest.mark.parametrize("name", REPORTS)
def test_what_the_caller_says_reaches_sql_only_as_arguments(name: str) -> None:
    report = find(name)
    hostile = "x' || pg_sleep(9) || '%s %(zone)s"
    names = [n for n in report.dimension_names if n != "attribute:<key>"]
    if report.by_lead:
        names += [f"attribute:{hostile}", f"owner,attribute:{hostile}"]
    for dimension in names:
        params = ask(
            name, dimension=dimension, cohort="2024-05", from_="2024-05-01", to="2024-06-01"
        )
        for query in (report.query(params), report.evidence_query(params, hostile)):
            assert "pg_sleep" not in query.sql
            assert not re.search(r"%(?!\()", query.sql), "a bare percent sign breaks the driver"
            assert set(re.findall(r"%\((\w+)\)s", query.sql)) <= set(query.args)


def test_stages_stand_in_pipeline_order_then_foreign_ones_as_first_seen() -> None:
    """R52, A15: 成交 after 已联系, and a foreign stage behind both however it is called."""
    records = [
        ("Z", 5, {}),
        ("成交", 9, {}),
        ("A", 7, {}),
        ("已联系", 8, {}),
        (None, None, {"n": 1}),
    ]
    body = find("funnel").body(ask("funnel"), records, 9)
    assert [row["stage"] for row in body["rows"]] == ["已联系", "成交", "Z", "A"]
    assert body["total"] == {"n": 1}


def test_buckets_stand_in_code_point_order() -> None:
    names = ["é", "b", "中", "B", "(missing)", "a | b", "a"]
    records = [(name, 1, {}) for name in names] + [(None, None, {})]
    body = find("conversion").body(ask("conversion"), records, 1)
    assert [row["bucket"] for row in body["rows"]] == sorted(names)


def test_an_answer_says_how_it_was_narrowed() -> None:
    params = ask(
        "conversion",
        dimension="owner",
        cohort="2024-05",
        from_="2024-05-01",
        as_of=datetime(2024, 5, 31, 16, tzinfo=UTC),
        as_known=datetime(2024, 6, 30, 16, tzinfo=UTC),
    )
    body = find("conversion").body(params, [(None, None, {})], 3)
    assert body["as_of"] == "2024-06-01T00:00:00+08:00"
    assert body["as_known"] == "2024-07-01T00:00:00+08:00"
    said = body["definitions"]
    assert said["cohort"] == "leads captured in 2024-05"
    assert said["period"] == "captured from 2024-05-01"
    assert "2024-06-01T00:00:00+08:00" in said["as_of"]
    assert "owner at the conversion" in said["attribution"]
    assert {"counted", "time_zone", "as_known", "rate", "amount"} <= said.keys()


def test_the_reference_names_every_report_parameter_dimension_and_figure() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "reports.md").read_text()
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", page, re.MULTILINE | re.DOTALL))
    for name, report in REPORTS.items():
        figures = report.figures(ask(name))
        assert isinstance(figures, Mapping)
        for figure in (report.key, *figures):
            assert f"`{figure}`" in sections[name] or figure == "bucket", (name, figure)
        for dimension in {*report.dimension_names} - {"stage", "lead"}:
            assert f"`{dimension}`" in sections["Dimensions"], dimension
    for parameter in PARAMETERS:
        assert f"`{parameter}`" in sections["Parameters"], parameter
