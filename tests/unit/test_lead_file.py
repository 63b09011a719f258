"""CSVs of leads as people have them: encodings, delimiters, broken rows, lines (import leads)."""

import gzip
from contextlib import closing
from pathlib import Path

import pytest

from adapters.lead_file import LeadFile
from adapters.row_file import Row, Unreadable

TEXT = "公司,手机\n联通公司,139\n移动,138\n"
ROWS = [["联通公司", "139"], ["移动", "138"]]


def read(directory: Path, content: bytes, *, fill_short: bool = False) -> list[Row]:
    path = directory / "leads.csv"
    path.write_bytes(content)
    with closing(LeadFile(path, fill_short=fill_short)) as file:
        assert file.header == ("公司", "手机")
        return list(file)


def cells(rows: list[Row]) -> list[list[str]]:
    return [list(row.cells) for row in rows if not row.fault]


def faults(rows: list[Row]) -> list[tuple[int, str]]:
    return [(row.line, row.fault) for row in rows if row.fault]


@pytest.mark.parametrize(
    "content",
    [
        TEXT.encode(),
        TEXT.encode("utf-8-sig"),
        TEXT.encode("gbk"),
        TEXT.encode("gb18030"),
        TEXT.encode("utf-16"),
        gzip.compress(TEXT.encode("gbk")),
        TEXT.replace("\n", "\r\n").encode(),
        TEXT.replace("\n", "\r").encode(),
        TEXT.replace(",", ";").encode("utf-8-sig"),
        TEXT.replace(",", "\t").encode("utf-16"),
        TEXT.replace("138\n", "138").encode(),
        TEXT.replace("138\n", "138\n,\n\n , \n").encode(),
        TEXT.replace("139\n", "139,,\n").encode(),
        TEXT.replace("公司,手机", '" 公司", 手机 ', 1).encode(),
    ],
    ids=[
        "UTF-8", "mark", "GBK", "GB18030", "UTF-16", "gzip", "CRLF", "CR", "semicolons", "tabs",
        "no last newline", "blank rows", "surplus blank cells", "blanks around names",
    ],
)  # fmt: skip
def test_files_as_people_have_them(tmp_path: Path, content: bytes) -> None:
    rows = read(tmp_path, content)
    assert cells(rows) == ROWS
    assert [row.line for row in rows] == [2, 3]


def test_one_wrong_byte_does_not_make_a_file_another_encoding(tmp_path: Path) -> None:
    """Most UTF-8 reads as GB18030 without an error, as nonsense."""
    rows = read(tmp_path, TEXT.encode() + "坏".encode()[:2] + b",137\n" + "好,136\n".encode())
    assert cells(rows) == [*ROWS, ["好", "136"]]
    assert faults(rows) == [(4, "has bytes that are no utf-8-sig: type the row again")]


def test_a_wrong_byte_in_gb18030_spoils_one_row(tmp_path: Path) -> None:
    rows = read(tmp_path, TEXT.encode("gbk") + b"\xff,137\n" + "好,136\n".encode("gbk"))
    assert cells(rows) == [*ROWS, ["好", "136"]]
    assert [line for line, _ in faults(rows)] == [4]


def test_lines_are_those_of_an_editor(tmp_path: Path) -> None:
    rows = read(tmp_path, TEXT.encode() + '"多\r\n行\n",1\n后,2\n'.encode())
    assert [row.line for row in rows] == [2, 3, 4, 7]


@pytest.mark.parametrize(
    "broken",
    ['坏,"137\n', '"坏,137\n', '坏,"137\n"多\n行",1\n', '坏,"137\n也坏,"137\n'],
    ids=["last cell", "first cell", "row of two lines behind it", "two of them"],
)
def test_an_open_quote_costs_its_row_alone(tmp_path: Path, broken: str) -> None:
    rest = "".join(f"好{n},13{n}\n" for n in range(50))
    rows = read(tmp_path, (TEXT + broken + rest).encode())
    good = [["多\n行", "1"]] if "多" in broken else []
    assert cells(rows) == [*ROWS, *good, *([f"好{n}", f"13{n}"] for n in range(50))]
    assert [line for line, _ in faults(rows)] == [4, 5][: broken.count("坏")]
    assert all("quote" in reason for _, reason in faults(rows))


def test_an_open_quote_before_a_row_that_is_broken_too(tmp_path: Path) -> None:
    rows = read(tmp_path, (TEXT + '坏,"137\na,b,c\n').encode())
    assert [line for line, _ in faults(rows)] == [4, 5]


def test_a_row_of_several_lines_with_a_cell_too_many_is_one_row(tmp_path: Path) -> None:
    rows = read(tmp_path, (TEXT + 'a,"b\nb\nb",c\n好,1\n').encode())
    assert cells(rows) == [*ROWS, ["好", "1"]]
    assert [line for line, _ in faults(rows)] == [4]


def test_a_quote_that_stays_open_to_the_end_of_a_long_file(tmp_path: Path) -> None:
    rest = "".join(f"好{n},13{n}\n" for n in range(20_000))
    rows = read(tmp_path, (TEXT + '坏,"137\n' + rest).encode())
    assert len(cells(rows)) == 20_002
    assert [line for line, _ in faults(rows)] == [4]


def test_rows_with_too_many_or_too_few_cells(tmp_path: Path) -> None:
    rows = read(tmp_path, (TEXT + "a,b,c\nd\n").encode())
    assert cells(rows) == ROWS
    assert [(line, reason[:26]) for line, reason in faults(rows)] == [
        (4, "has 3 cells instead of 2: "),
        (5, "has 1 cells instead of 2: "),
    ]


def test_short_rows_are_filled_when_the_mapping_says_so(tmp_path: Path) -> None:
    assert cells(read(tmp_path, (TEXT + "d\n").encode(), fill_short=True)) == [*ROWS, ["d", ""]]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "names no columns"),
        (b"\xff\xff,a\n1,2\n", "neither UTF-8 nor GB18030"),
        (gzip.compress(TEXT.encode() * 999)[:-9], "damaged here"),
        (TEXT.encode() + b"x" * (2**20 + 1), "line 4 is longer"),
        (TEXT.encode("utf-16") + b"x", "not UTF-16"),
    ],
    ids=["empty", "blank", "no text", "cut gzip", "endless line", "cut UTF-16"],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(tmp_path, content)
