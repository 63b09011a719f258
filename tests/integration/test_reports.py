"""Every rule of the reports on a small history, with the answer worked out by hand."""

from dataclasses import fields
from typing import Any

import psycopg
import pytest

from adapters.cli.sheets import flat
from adapters.postgres import reports
from adapters.postgres.migrate import migrate
from adapters.postgres.tables import connect
from aggregates.refusal import Refusal
from commands.ports import Unavailable
from projections.reports.catalogue import REPORTS, find
from projections.reports.params import ReportParams, read
from projections.reports.query import Query
from projections.reports.report import Report
from tests.integration import report_cases_leads, report_cases_people, report_cases_times
from tests.integration.report_cases import Ask
from tests.integration.report_log import ZONE, Log, captured, contacted, entered, when, won

HISTORIES = (
    report_cases_leads.HISTORIES | report_cases_times.HISTORIES | report_cases_people.HISTORIES
)


@pytest.mark.parametrize("rule", HISTORIES)
def test_rule(rule: str, dsn: str) -> None:
    """R43, R44, R66, R68, R69, A13; A10, A20, A21, A22."""
    facts, questions = HISTORIES[rule]
    log = Log(dsn)
    log.append(*facts)
    for question in questions:
        body = log.report(question.report, **question.given)
        key = REPORTS[question.report].key
        rows = {row[key]: dict(flat(row)) for row in body["rows"]}
        assert body["position"] == len(facts)
        if question.rows is not None:
            assert list(rows) == _in_order(question, rows), question
            for bucket, want in question.rows.items():
                assert {name: rows[bucket][name] for name in want} == want, (question, bucket)
        total = dict(flat(body["total"]))
        assert {name: total[name] for name in question.total} == question.total, question


def _in_order(question: Ask, rows: dict[str, Any]) -> list[str]:
    """The buckets asked for, in the order the report promises."""
    assert question.rows is not None
    if REPORTS[question.report].in_pipeline_order:
        return list(question.rows)
    return sorted(question.rows)


@pytest.mark.parametrize("name", REPORTS)
def test_an_empty_log_has_no_rows_and_a_total_of_nothing(name: str, dsn: str) -> None:
    body = Log(dsn).report(name)
    assert body["rows"] == []
    assert body["position"] == 0
    figures = {n: v for n, v in flat(body["total"]) if not n.endswith((".from", ".to"))}
    assert set(figures.values()) <= {0, None, "0.00"}
    assert figures


def test_a_merged_duplicate_counts_only_as_merged(dsn: str) -> None:
    """A21: merged leads are in no figure but `merged`."""
    log = Log(dsn)
    log.append(
        captured("kept", "2024-05-01 10:00"),
        captured("double", "2024-05-01 10:00"),
        entered("double", "2024-05-01 10:00", "A"),
        contacted("double", "2024-05-01 10:00"),
        won("double", "2024-05-02 10:00", "5"),
    )
    log.report("conversion")
    with psycopg.connect(dsn) as conn:  # no event merges leads yet
        conn.execute("UPDATE p_leads_1.leads SET merged = true WHERE code = 'X-double'")
    total = log.report("conversion")["total"]
    assert (total["leads"], total["merged"], total["converted"]) == (1, 1, 0)
    assert total["amount"] == "0.00"
    assert len(log.evidence("conversion", "all")) == 1
    empty = {"funnel": "entries", "stage-duration": "open", "activity": "follow_ups",
             "wins": "converted", "conversions": "converted", "cycle-time": "n",
             "response-time": "n"}  # fmt: skip
    for name, figure in empty.items():
        assert log.report(name)["total"][figure] == 0, name


def test_evidence_of_a_response_is_the_contact_that_was_one(dsn: str) -> None:
    """A12: not the call at the same minute that nobody answered."""
    log = Log(dsn)
    log.append(
        captured("a", "2024-05-01 10:00"),
        contacted("a", "2024-05-01 11:00", connected=False),
        contacted("a", "2024-05-01 12:00"),
        contacted("a", "2024-05-01 11:00"),
    )
    (row,) = log.evidence("response-time", "all")
    assert (row["code"], row["captured_position"], row["response_position"]) == ("X-a", 1, 4)


def test_evidence_of_a_bucket_that_nobody_is_in_is_empty(dsn: str) -> None:
    log = Log(dsn)
    log.append(captured("a", "2024-05-01 10:00", source="web"))
    assert log.evidence("conversion", "fair", dimension="source") == []
    assert len(log.evidence("conversion", "web", dimension="source")) == 1
    with pytest.raises(Refusal, match="bucket"):
        log.evidence("conversion", "\0")


def test_as_known_goes_by_recording_and_includes_its_instant(dsn: str) -> None:
    """A30: what had been recorded by then, whenever it happened."""
    log = Log(dsn)
    log.append(captured("a", "2024-05-01 10:00"), recorded_at=when("2024-06-01 10:00"))
    log.append(won("a", "2024-05-02 10:00", "5"), recorded_at=when("2024-06-02 10:00"))
    log.append(captured("b", "2024-05-01 10:00"), recorded_at=when("2024-06-03 10:00"))

    def known(**given: Any) -> tuple[int, int, int]:
        body = log.report("conversion", **given)
        return body["position"], body["total"]["leads"], body["total"]["converted"]

    assert known() == (3, 2, 1)
    assert known(as_known=when("2024-06-01 09:59")) == (0, 0, 0)
    assert known(as_known=when("2024-06-02 10:00")) == (2, 1, 1)
    assert known(as_known=when("2024-06-02 09:59:59.999999")) == (1, 1, 0)
    assert known(at_position=0) == (0, 0, 0)
    assert known(at_position=1) == (1, 1, 0)
    assert known(at_position=3) == (3, 2, 1)
    assert known(as_of=when("2024-05-02 10:00"), as_known=when("2024-06-02 10:00")) == (2, 1, 0)
    assert known(as_of=when("2024-05-03 10:00"), at_position=2) == (2, 1, 1)
    with pytest.raises(Refusal, match="positions 0 to 3"):
        known(at_position=4)


def test_the_past_is_answered_without_touching_the_present(dsn: str) -> None:
    log = Log(dsn)
    log.append(captured("a", "2024-05-01 10:00"), won("a", "2024-05-02 10:00"))
    now = log.report("conversion")
    assert log.report("conversion", at_position=1)["total"]["converted"] == 0
    assert log.report("conversion") == now


class _Settings(Report):
    """Answers with a setting of the planner under which its query runs."""

    def query(self, params: ReportParams) -> Query:
        return Query(
            "SELECT NULL, NULL, json_build_object('sort', current_setting('enable_sort'))", {}
        )


def test_the_past_is_planned_like_the_present(dsn: str) -> None:
    """Settings made to read the log once turned 40 ms of activity as of a day into 36 s."""
    log = Log(dsn)
    log.append(captured("a", "2024-05-01 10:00"))
    log.report("activity")
    activity = find("activity")
    report = _Settings(**{f.name: getattr(activity, f.name) for f in fields(activity)})
    with connect(dsn) as conn:
        body = reports.run(conn, report, read(report, {"at_position": 1}, ZONE))
    assert body["total"] == {"sort": "on"}


def test_a_parked_event_is_missing_now_and_then(dsn: str) -> None:
    """P6: what the tables could not take is left out of a fold of the past as well."""
    log = Log(dsn)
    log.append(captured("a", "2024-05-01 10:00"), captured("b", "2024-05-01 10:00"))
    with psycopg.connect(dsn) as conn:
        conn.execute(
            "SELECT log.append(%s::uuid[], %s::bytea[], '{1}', %s::uuid[], '{1}',"
            " '{lead.captured}', %s::bytea[], NULL)",
            ([f"{1:032x}"], [b"x"], [f"{2:032x}"], [b"not json"]),
        )
    assert log.report("conversion")["total"]["leads"] == 2
    assert log.report("conversion", at_position=3)["total"]["leads"] == 2


def test_without_read_tables_there_is_no_answer_yet(empty_dsn: str) -> None:
    migrate(empty_dsn, allow_unsafe=True)
    with pytest.raises(Unavailable, match="leads are not built"):
        Log(empty_dsn).report("conversion", fresh=False)
