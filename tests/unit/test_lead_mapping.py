"""What a mapping says of a CSV of leads, what it makes of a row, and the guess from a header."""

import re
import tomllib
from collections.abc import Sequence
from typing import Any

import pytest

from commands import lead_mapping
from commands.lead_mapping import FIELDS, LeadMapping, Misfit
from commands.lead_mapping_guess import WORDS, guess
from commands.lead_rows import Faulty, LeadRow, LeadRows
from tests.conftest import ROOT

REFERENCE = (ROOT / "docs/reference/import-leads.md").read_text(encoding="utf-8")
MAPPING = """
[columns]
"公司" = "customer"
"手机" = "phone"
"来源" = "source"
"规模" = "attributes.规模"
"上市" = "attributes.上市"
[types]
"规模" = "number"
"上市" = "yes-no"
[values.source]
"网站" = "官网注册"
"无" = ""
"""
HEADER = ("公司", "手机", "来源", "规模", "上市")


def row(*cells: str, mapping: str = MAPPING, header: Sequence[str] = HEADER) -> LeadRow:
    return LeadRows(LeadMapping.parse(tomllib.loads(mapping)), header).row(cells)


def faults(*cells: str, mapping: str = MAPPING, header: Sequence[str] = HEADER) -> dict[str, str]:
    with pytest.raises(Faulty) as caught:
        row(*cells, mapping=mapping, header=header)
    return {fault.field: fault.reason for fault in caught.value.faults}


def test_cells_become_fields_and_attributes() -> None:
    command = row(" 星辰 ", "", "网站", "1,200", "是").command
    assert (command.customer, command.phone, command.source) == ("星辰", None, "官网注册")
    assert command.attributes == {"规模": 1200, "上市": True}


def test_a_word_may_mean_nothing_and_an_unlisted_one_itself() -> None:
    assert row("a", "", "无", "", "").command.source is None
    assert row("a", "", "展会", "", "").command.source == "展会"


def test_a_listed_field_takes_no_other_word() -> None:
    mapping = 'only_listed = "source"\n' + MAPPING
    assert row("a", "", "官网注册", "", "", mapping=mapping).command.source == "官网注册"
    assert "'展会'" in faults("a", "", "展会", "", "", mapping=mapping)["来源"]


def test_defaults_stand_where_the_row_says_nothing() -> None:
    mapping = MAPPING + '[defaults]\nsource = "其他"\n"attributes.批次" = 7\n'
    filled = row("a", "", "", "", "", mapping=mapping).command
    assert (filled.source, filled.attributes) == ("其他", {"批次": 7})
    assert row("a", "", "展会", "", "", mapping=mapping).command.source == "展会"


def test_all_that_is_wrong_is_told_at_once() -> None:
    found = faults("", "12", "x" * 101, "很多", "也许")
    assert list(found) == ["规模", "上市", "公司", "手机", "来源"]
    assert found["公司"] == "is missing"
    assert found["来源"] == "is longer than 100 characters"
    assert found["规模"].startswith("'很多' is no number")
    assert found["上市"] == "'也许' is neither 是 nor 否"


@pytest.mark.parametrize("text", ["1.39E+10", "1.39123e10", "13912345678.0", "6E+18"])
def test_numbers_that_a_spreadsheet_shortened_are_no_phones_and_no_keys(text: str) -> None:
    assert "shortened by a spreadsheet" in faults("a", text, "", "", "")["手机"]
    keyed = 'key = "号"\n' + MAPPING
    found = faults("a", "", "", "", "", text, mapping=keyed, header=(*HEADER, "号"))
    assert "shortened by a spreadsheet" in found["号"]


def test_a_key_is_needed_in_every_row() -> None:
    keyed, header = 'key = "号"\n' + MAPPING, (*HEADER, "号")
    assert row("a", "", "", "", "", " 0012 ", mapping=keyed, header=header).id == "0012"
    assert "is empty" in faults("a", "", "", "", "", " ", mapping=keyed, header=header)["号"]
    assert "255" in faults("a", "", "", "", "", "x" * 256, mapping=keyed, header=header)["号"]


def test_keys_of_several_columns_are_told_apart() -> None:
    keyed, header = 'key = ["一", "二"]\n' + MAPPING, (*HEADER, "一", "二")
    first, second = (
        row("a", "", "", "", "", *key, mapping=keyed, header=header)
        for key in (('x","', "y"), ("x", '","y'))
    )
    assert first.key != second.key
    assert first.id is None


def test_nul_is_told_with_its_column() -> None:
    assert faults("a\0b", "", "", "", "") == {"公司": "holds the character NUL: remove it"}


@pytest.mark.parametrize(
    ("mapping", "reason"),
    [
        ("", "names no customer"),
        ("[columns]\n", "names no customer"),
        ('[columns]\n"a" = "custmer"', "names no customer"),
        ('[columns]\n"a" = "customer"\n"b" = "colour"', "unknown field 'colour'"),
        ('[columns]\n"a" = "customer"\n"b" = "attributes."', "unknown field 'attributes.'"),
        ('[columns]\n"a" = "customer"\n"b" = "phone"\n"c" = "phone"', "both lead to phone"),
        ('[columns]\n"a" = 1', "one word in quotes"),
        ('columns = "customer"', "write [columns]"),
        ('[column]\n"a" = "customer"', "unknown section 'column'"),
        ('key = 1\n[columns]\n"a" = "customer"', "key is a word or a list of words"),
        ('short_rows = "cut"\n[columns]\n"a" = "customer"', "unknown short_rows 'cut'"),
        ('only_listed = "source"\n[columns]\n"a" = "customer"', "[values.source]"),
        ('[columns]\n"a" = "customer"\n[types]\n"b" = "number"', "unknown attribute in [types]"),
        ('[columns]\n"line" = "customer"', "the column 'line' belongs to"),
        ('[columns]\n"a" = "customer"\n[values.source]\n"x" = 1', "[values.source] x leads to"),
        ('[columns]\n"a" = "customer"\n[values.colour]\n"x" = "y"', "unknown field 'colour'"),
        ('[columns]\n"a" = "customer"\n[defaults]\nsource = ["x"]', "[defaults] source is one"),
        (
            '[columns]\n"a" = "customer"\n"b" = "attributes.c"\n[types]\nc = "date"',
            "unknown type of c 'date'",
        ),
    ],
)
def test_a_mapping_that_makes_no_sense_says_where(mapping: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        LeadMapping.parse(tomllib.loads(mapping))


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (HEADER[1:], "the column '公司' is not in the file"),
        ((*HEADER, "公司"), "the column '公司' is twice in the file"),
        ((*HEADER, "颜色"), "says nothing of the column '颜色'"),
    ],
)
def test_a_file_that_does_not_fit_says_which_column(header: Sequence[str], reason: str) -> None:
    with pytest.raises(Misfit, match=reason):
        row(mapping=MAPPING, header=header)


def test_the_columns_of_an_errors_file_and_those_without_a_name_are_left_out() -> None:
    cells = ["a", "", "", "", "", "", "5", "手机", "is wrong"]
    assert row(*cells, header=(*HEADER, "", "line", "field", "reason")).command.customer == "a"


GUESSES: dict[str, dict[str, Any]] = {
    "客户编号,客户名称,联系人,手机,邮箱,来源,行业,地区,需求,负责人": {
        "客户名称": "customer", "联系人": "contact", "手机": "phone", "邮箱": "email",
        "来源": "source", "行业": "industry", "地区": "region", "需求": "need", "负责人": "owner",
    },
    "序号,公司全称*,姓名,职务,联系电话（必填）,电子邮箱,渠道,省份": {
        "公司全称*": "customer", "姓名": "contact", "职务": "contact_title",
        "联系电话（必填）": "phone", "电子邮箱": "email", "渠道": "source", "省份": "region",
    },
    "Lead ID,Company Name,Full Name,Job Title,Phone Number,E-mail,Lead Source,Industry,State": {
        "Company Name": "customer", "Full Name": "contact", "Job Title": "contact_title",
        "Phone Number": "phone", "E-mail": "email", "Lead Source": "source",
        "Industry": "industry", "State": "region",
    },
}  # fmt: skip


@pytest.mark.parametrize("header", GUESSES, ids=["Chinese", "Chinese with marks", "English"])
def test_a_guess_knows_the_names_that_people_use(header: str) -> None:
    mapping = LeadMapping.parse(tomllib.loads(guess(header.split(","))))
    assert mapping.columns == GUESSES[header]


def test_a_guess_takes_the_first_and_keeps_the_others_as_attributes() -> None:
    text = guess(["公司", "手机", "电话", '带"引号', "line"])
    mapping = LeadMapping.parse(tomllib.loads(text))
    assert mapping.columns == {
        "公司": "customer",
        "手机": "phone",
        "电话": "attributes.电话",
        '带"引号': 'attributes.带"引号',
    }


def test_a_guess_without_a_customer_says_so() -> None:
    text = guess(["颜色"])
    assert "customer" in text
    with pytest.raises(ValueError, match="names no customer"):
        LeadMapping.parse(tomllib.loads(text))


def test_no_name_is_guessed_for_two_fields() -> None:
    words = [word for words in WORDS.values() for word in words.split()]
    assert len(set(words)) == len(words)


def test_the_samples_in_the_documents_are_mappings() -> None:
    (sample,) = re.findall(r"```toml\n(.*?)```", REFERENCE, re.DOTALL)
    stated = (lead_mapping.__doc__ or "").split("\n\n", 1)[1].rsplit("\n\n", 1)[0]
    for text in (sample, stated):
        assert LeadMapping.parse(tomllib.loads(text)).key == ("客户编号",)


def test_the_reference_names_every_field() -> None:
    table = REFERENCE.split("| field | what |")[1].split("\n\n")[0]
    named = {name for line in table.splitlines()[2:] for name in line.split("|")[1].split(",")}
    assert {name.strip() for name in named} - {"attributes.NAME"} == set(FIELDS)
