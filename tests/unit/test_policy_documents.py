"""Rules as documents and files: what is read, what is refused, what the samples say (A5-A19)."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from adapters.policy_files import UnreadableFile, as_toml, difference, read_file
from aggregates.policy.book import BUILT_IN, KINDS, Policies, as_document, text
from aggregates.policy.time import Calendar
from aggregates.policy.work import PauseRules
from commands.policy_documents import InvalidPolicy, dotted, load, normal, read

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "docs/reference/policies"
PAGE = (ROOT / "docs/reference/policies.md").read_text(encoding="utf-8")
TO_ALL = {"name": "a", "target": {"kind": "everybody"}}


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_says_what_is_built_in(kind: str) -> None:
    """Decisions: one commented sample file each; the built-in first version is in force."""
    file = SAMPLES / f"{kind}.toml"
    assert read_file(kind, file) == BUILT_IN[kind].rules
    content = file.read_text(encoding="utf-8")
    for field in fields(KINDS[kind]):
        assert field.name in content, "every field is shown"
    assert content.startswith("#"), "and commented"
    assert f"[{kind}](policies/{kind}.toml)" in PAGE


def test_there_is_no_sample_of_anything_else() -> None:
    assert {file.stem for file in SAMPLES.iterdir()} == KINDS.keys()


@pytest.mark.parametrize("kind", KINDS)
def test_rules_survive_the_way_through_a_document_and_a_file(kind: str, tmp_path: Path) -> None:
    rules = BUILT_IN[kind].rules
    assert read(kind, as_document(rules)) == rules
    file = tmp_path / "rules.toml"
    file.write_text(as_toml(as_document(rules)), encoding="utf-8")
    assert read_file(kind, file) == rules
    assert read(kind, {}) == rules, "a field that is not given has its default"


def test_awkward_text_survives_too(tmp_path: Path) -> None:
    name = 'a "b" \\ \n\t 公海 \x7f 😀'
    rules = read("pool", {"pools": [{"name": name, "teams": [name]}]})
    file = tmp_path / "rules.toml"
    file.write_text(as_toml(as_document(rules)), encoding="utf-8")
    assert read_file("pool", file) == rules


@pytest.mark.parametrize(
    ("kind", "document", "problems"),
    [
        ("pause", {"max_days": "9"}, ["max_days: must be a whole number"]),
        ("pause", {"max_day": 9}, ["max_day: there is no such field"]),
        ("pause", {"max_days": 0}, [": max_days must be above 0"]),
        (
            "assignment",
            {"rules": [{"name": "a", "target": {"kind": "team"}}, {"name": "b"}]},
            [
                "rules[0].target: a target of kind team has a name",
                "rules[1].target: is required",
            ],
        ),
        ("assignment", {"rules": [TO_ALL, TO_ALL]}, [
            ": two of the assignment rules are named a: a name says which one decided"
        ]),
        ("labelling", {"rules": [{"name": " ", "level": "low"}]}, [
            ": one of the labelling rules has no name"
        ]),
        ("completeness", {"required": ["shoe_size"]}, [": shoe_size is no field of a lead"]),
        ("pipeline", {"stages": ["待分配"]}, [": a pipeline begins"]),
        ("conversion", {"bases": []}, [": bases is empty"]),
        ("pool", {"recycle_after_days": 0}, [": recycle_after_days must be above 0"]),
        ("clean-up", {"silent_days": 0}, [": silent_days must be above 0"]),
        ("follow-up", {"minimum_length": 0}, [": minimum_length must be above 0"]),
        ("attachments", {"max_bytes": 0}, [": max_bytes must be above 0"]),
        ("response", {"low_hours": 0}, [": low_hours must be above 0"]),
        ("calendar", {"intervals": ["09:00-12:00", "11:00-13:00"]}, [": intervals are such as"]),
        ("calendar", {"intervals": ["9-12"]}, [": intervals are such as"]),
        ("calendar", {"closed": ["2024-02-31"]}, [": 2024-02-31 is no date"]),
        ("calendar", {"open": ["20240501"]}, [": 20240501 is no date"]),
        ("calendar", {"holidays": "china"}, [": holidays is a country"]),
        ("calendar", {"weekdays": [0]}, [": a calendar needs working time"]),
        ("calendar", {"open": ["2024-05-01"], "closed": ["2024-05-01"]}, [": 2024-05-01 is clo"]),
    ],
)  # fmt: skip
def test_a_document_with_faults_names_each(
    kind: str, document: dict[str, Any], problems: list[str]
) -> None:
    """R45: time limits are settings, and a senseless one is refused."""
    with pytest.raises(InvalidPolicy) as refused:
        read(kind, document)
    found = [f"{dotted(path)}: {what}" for path, what in refused.value.problems]
    assert len(found) == len(problems)
    for one, expected in zip(found, problems, strict=True):
        assert one.startswith(expected)


def test_dates_of_a_file_are_dates_of_a_calendar(tmp_path: Path) -> None:
    file = tmp_path / "calendar.toml"
    file.write_text('closed = [2024-12-31]\nholidays = ""\n')
    assert read_file("calendar", file) == Calendar(closed=("2024-12-31",), holidays="")


def test_a_file_that_is_no_toml_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    for content in (b"max_days = ", b"\xff"):
        file.write_bytes(content)
        with pytest.raises(UnreadableFile, match=r"x\.toml: "):
            read_file("pause", file)
    with pytest.raises(UnreadableFile, match="No such file"):
        read_file("pause", tmp_path / "none.toml")


def test_what_was_stored_loads_whatever_became_of_its_kind() -> None:
    """Missing fields have their defaults, others do no harm, and evolve never refuses."""
    assert load("response", {"high_hours": 8, "gone": 1}).high_hours == 8
    assert load("pause", {"max_days": 0}) is None
    assert load("gone", {}) is None
    assert normal("pause", {}) == {"max_days": 90}
    assert normal("pause", {"max_days": 0}) == {"max_days": 0}


def test_a_difference_is_what_a_reader_would_change() -> None:
    before, after = as_document(PauseRules()), as_document(PauseRules(max_days=60))
    lines = difference(before, after, ("in force", "file")).splitlines()
    assert lines[-2:] == ["-max_days = 90", "+max_days = 60"]
    assert difference(before, before, ("a", "b")) == ""


def test_equal_rules_have_equal_text_and_every_kind_its_place() -> None:
    first = read("follow-up", {"vague_phrases": ["b", "a"]})
    assert text(first) == text(read("follow-up", {"vague_phrases": ["a", "b"]}))
    names = {field.name for field in fields(Policies)}
    assert names == {kind.replace("-", "_") for kind in KINDS}
