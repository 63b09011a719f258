"""`import leads` through the real command line: rows in, rows refused, duplicates (R1, R2, A1)."""

import json
from collections import Counter
from pathlib import Path

import psycopg
import pytest

from adapters.postgres.leases import PROCESS, TAKE
from tests.integration.history_files import imported as history_imported
from tests.integration.history_files import log, program, text, topics, write
from tests.integration.lead_files import (
    CODES_TAKEN,
    HEADER,
    MAPPING,
    captured,
    head,
    imported,
    scalar,
    sheet,
    written,
)

GOOD = "1,星辰科技有限公司,13900000001,a@example.cn,官网注册,"


def test_a_row_becomes_a_lead_as_if_it_had_been_entered(dsn: str, tmp_path: Path) -> None:
    """R1, R15-R30: the capture command's own checks, label and completeness."""
    done = imported(dsn, written(tmp_path, GOOD), "--source", "crm")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("1 rows read, 1 entered, 0 already there")
    (lead,) = captured(dsn)
    assert lead["details"] == {
        "customer": "星辰科技有限公司",
        "phone": "13900000001",
        "email": "a@example.cn",
        "source": "官网注册",
    }
    assert (lead["source_system"], lead["external_id"]) == ("crm", "1")
    assert lead["meta"]["actor"] == "import:crm"
    assert {"lead.labelled", "lead.info-marked-incomplete"} <= set(topics(dsn))


def test_a_second_import_changes_nothing_and_takes_no_code(dsn: str, tmp_path: Path) -> None:
    file = written(tmp_path, GOOD, "2,月亮公司,13900000002,,,王芳")
    imported(dsn, file)
    before, codes = head(dsn), scalar(dsn, CODES_TAKEN)
    done = imported(dsn, file)
    assert done.returncode == 0
    assert done.stdout.startswith("2 rows read, 0 entered, 2 already there, 0 changed")
    assert (head(dsn), scalar(dsn, CODES_TAKEN)) == (before, codes)


def test_a_row_that_says_something_else_now_is_told_apart(dsn: str, tmp_path: Path) -> None:
    imported(dsn, written(tmp_path, GOOD))
    before, errors = head(dsn), tmp_path / "errors.csv"
    changed = written(tmp_path, GOOD.replace("官网注册", "转介绍"))
    done = imported(dsn, changed, "--errors", errors)
    assert "1 changed since and not updated" in done.stdout
    assert [(row["line"], row["field"]) for row in sheet(errors)] == [("2", "编号")]
    assert head(dsn) == before


def test_a_mapping_that_takes_less_says_something_else(dsn: str, tmp_path: Path) -> None:
    imported(dsn, written(tmp_path, GOOD))
    less = MAPPING.replace('"来源" = "source"', "").replace("[columns]", 'ignore="来源"\n[columns]')
    assert "1 changed since" in imported(dsn, written(tmp_path, GOOD), mapping=less).stdout


def test_without_a_key_all_of_a_row_is_its_name(dsn: str, tmp_path: Path) -> None:
    mapping = MAPPING.replace('key = "编号"', 'ignore = "编号"')
    rows = [GOOD, GOOD, GOOD.replace("星辰", "月亮")]
    done = imported(dsn, written(tmp_path, *rows), mapping=mapping)
    assert done.returncode == 1
    assert "line 3: names the same lead as line 2" in done.stderr
    assert len(captured(dsn)) == 2
    assert "external_id" not in captured(dsn)[0]
    assert "2 already there" in imported(dsn, written(tmp_path, *rows), mapping=mapping).stdout


def test_a_key_of_two_columns(dsn: str, tmp_path: Path) -> None:
    mapping = MAPPING.replace('key = "编号"', 'key = ["编号", "手机"]')
    rows = [GOOD, GOOD.replace("00001", "00002")]
    assert "2 entered" in imported(dsn, written(tmp_path, *rows), mapping=mapping).stdout


def test_refused_rows_can_be_corrected_and_imported(dsn: str, tmp_path: Path) -> None:
    """Each with line, field and reason; the corrected file is a file of leads."""
    errors = tmp_path / "errors.csv"
    file = written(
        tmp_path, GOOD, "2,,12,x,,", "3,月亮公司,13900000003,,,", '4,开,"1,,,', "5,多,,,,,!"
    )
    done = imported(dsn, file, "--errors", errors)
    assert done.returncode == 0
    assert "2 entered" in done.stdout
    assert "3 refused" in done.stdout
    found = sheet(errors)
    assert [(row["line"], row["field"]) for row in found] == [
        ("3", "公司; 手机; 邮箱"),
        ("5", ""),
        ("6", ""),
    ]
    assert found[0]["reason"].count(";") == 2
    assert errors.read_bytes().startswith(b"\xef\xbb\xbf")  # so that Excel reads it as UTF-8
    assert (found[0]["编号"], found[1]["编号"]) == ("2", '4,开,"1,,,')
    content = errors.read_text(encoding="utf-8-sig").replace("2,,12,x", "2,对,,")
    corrected = tmp_path / "corrected.csv"
    corrected.write_text("\n".join(content.splitlines()[:2]), encoding="utf-8")
    again = imported(dsn, corrected, "--errors", tmp_path / "more.csv")
    assert again.stdout.startswith("1 rows read, 1 entered")
    assert (tmp_path / "more.csv").read_text(encoding="utf-8-sig").strip() == HEADER + (
        ",line,field,reason"
    )


def test_without_an_errors_file_refused_rows_make_it_fail_with_the_first(
    dsn: str, tmp_path: Path
) -> None:
    done = imported(dsn, written(tmp_path, "1,公司,12,,,", GOOD.replace("1", "2", 1), "3,,,,,"))
    assert done.returncode == 1
    assert "line 2: 手机 has too few digits" in done.stderr
    assert "2 rows are not in" in done.stderr
    assert len(captured(dsn)) == 1  # the others are in


def test_duplicates_within_the_file_and_in_the_database(dsn: str, tmp_path: Path) -> None:
    """R2, A1: equal phone or e-mail is certain, an equal company name possible."""
    imported(dsn, written(tmp_path, GOOD))
    file = written(
        tmp_path,
        "2,月亮公司,+86 139 0000 0001,,,",
        "3,星辰科技,13900000003,,,",
        "4,太阳公司,13900000003,,,",
    )
    rehearsed, found = tmp_path / "rehearsed.csv", tmp_path / "found.csv"
    dry = imported(dsn, file, "--dry-run", "--duplicates", rehearsed)
    done = imported(dsn, file, "--duplicates", found)
    for out in (dry.stdout, done.stdout):
        assert "duplicates in the file: 1 certain, 0 possible" in out
        assert "duplicates in the database: 1 certain, 1 possible" in out
    columns = ("line", "certainty", "by", "other_line")
    assert [tuple(row[name] for name in columns) for row in sheet(found)] == [
        ("2", "certain", "phone", ""),
        ("3", "possible", "customer", ""),
        ("4", "certain", "phone", "3"),
    ]
    codes = [lead["code"] for lead in captured(dsn)]
    assert [row["code"] for row in sheet(found)] == codes[1:]
    assert [row["other_code"] for row in sheet(found)] == [codes[0], codes[0], codes[2]]
    # A dry run says the same, without the codes of leads that are not there.
    assert [{**row, "code": "", "other_code": ""} for row in sheet(found)] == [
        {**row, "other_code": ""} for row in sheet(rehearsed)
    ]


def test_without_a_worker_the_import_finds_the_owners(dsn: str, tmp_path: Path) -> None:
    """R6, R31, R44: by the company's rules, evenly; an owner named by the file stays."""
    for name in ("王芳", "李雷", "赵敏"):
        program(dsn, "users", "add", name, "--role", "sales", "--team", "华东")
    rows = [f"{n},公司{n},,a{n}@example.cn,," for n in range(20)]
    done = imported(dsn, written(tmp_path, *rows, "20,公司,,,,王芳"))
    assert "21 entered" in done.stdout, done.stderr
    owners = Counter(
        json.loads(state)["owner"] for _, _, topic, state in log(dsn) if topic == "lead.assigned"
    )
    assert owners == {"王芳": 7, "李雷": 7, "赵敏": 7}


def test_while_a_worker_runs_it_finds_the_owners(dsn: str, tmp_path: Path) -> None:
    program(dsn, "users", "add", "王芳", "--role", "sales", "--team", "华东")
    with psycopg.connect(dsn) as worker:
        worker.execute(TAKE, (PROCESS, "process:assignment"))
        imported(dsn, written(tmp_path, GOOD))
    assert "lead.assigned" not in topics(dsn)


def test_a_dry_run_enters_nothing(dsn: str, tmp_path: Path) -> None:
    errors, before = tmp_path / "errors.csv", head(dsn)
    file = written(tmp_path, GOOD, "2,,,,,", "1,又一个,,,,")
    done = imported(dsn, file, "--dry-run", "--errors", errors)
    assert done.stdout.startswith("dry run: 3 rows read, 1 could be entered, 0 already there")
    assert [row["line"] for row in sheet(errors)] == ["3", "4"]
    assert (head(dsn), scalar(dsn, CODES_TAKEN)) == (before, 0)
    imported(dsn, written(tmp_path, GOOD))
    assert "1 already there" in imported(dsn, written(tmp_path, GOOD), "--dry-run").stdout


def test_a_lead_that_a_history_brought_is_there(dsn: str, tmp_path: Path) -> None:
    """Decision 22: source and id name one lead, whichever file comes first."""
    history = write(
        tmp_path, text([(1, "", "1", "LeadCreated", "{}"), (2, "", "2", "LeadLost", "{}")])
    )
    history_imported(dsn, history, source="crm")
    file = written(tmp_path, GOOD, GOOD.replace("1", "2", 1))
    done = imported(dsn, file, "--source", "crm")
    assert "1 entered, 1 already there" in done.stdout  # of the second only its loss was known
    assert [lead["external_id"] for lead in captured(dsn)] == ["1", "2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16"])
def test_encodings(dsn: str, tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "leads.csv"
    file.write_text(f"{HEADER}\n{GOOD}\n", encoding=encoding)
    assert imported(dsn, file).returncode == 0
    assert captured(dsn)[0]["details"]["customer"] == "星辰科技有限公司"


def test_a_mapping_guessed_from_the_header_can_be_used_as_it_is(dsn: str, tmp_path: Path) -> None:
    header = "客户编号,客户名称*,联系人,手机号码,邮箱,来源,所属行业,省份,需求,备注"
    row = "7,星辰,李经理,13900000001,a@example.cn,官网注册,教育,华东,采购,老客户"
    file = written(tmp_path, row, header=header)
    guess = program(dsn, "import", "leads", file, "--guess")
    assert guess.returncode == 0
    assert "1 entered" in imported(dsn, file, mapping=guess.stdout).stdout
    assert captured(dsn)[0]["details"]["备注"] == "老客户"
    assert captured(dsn)[0]["external_id"] == "7"


@pytest.mark.parametrize(
    "options",
    [("--errors", "leads.csv"), ("--errors", "leads.toml"), ("--source", "a/b"), ("--source", " ")],
    ids=" ".join,
)
def test_a_usage_error_touches_nothing(
    dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    file = written(tmp_path, GOOD)
    before = file.read_bytes()
    assert imported(dsn, file, *options).returncode == 2
    assert file.read_bytes() == before
    assert program(dsn, "import", "leads", file).returncode == 2  # no mapping


@pytest.mark.parametrize(
    ("mapping", "header", "reason"),
    [
        ("[colums]", HEADER, "unknown section 'colums'"),
        (MAPPING, HEADER + ",序号", "says nothing of the column '序号'"),
        (MAPPING, "公司", "the column '编号' is not in the file"),
        (MAPPING, HEADER + ",公司", "the column '公司' is twice in the file"),
        ("key = [", HEADER, "leads.toml"),
    ],
)
def test_what_does_not_fit_is_one_clear_line(
    dsn: str, tmp_path: Path, mapping: str, header: str, reason: str
) -> None:
    errors = tmp_path / "errors.csv"
    errors.write_text("kept")
    done = imported(
        dsn, written(tmp_path, GOOD, header=header), "--errors", errors, mapping=mapping
    )
    assert done.returncode == 1
    assert reason in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert errors.read_text() == "kept"


def test_missing_files_are_one_clear_line(dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "nowhere.csv"
    for done in (imported(dsn, file), program(dsn, "import", "leads", file, "--guess")):
        assert done.returncode == 1
        assert str(file) in done.stderr
    file = written(tmp_path, GOOD)
    done = imported(dsn, file, "--errors", tmp_path / "no" / "errors.csv")
    assert done.returncode == 1
    assert "errors.csv" in done.stderr
