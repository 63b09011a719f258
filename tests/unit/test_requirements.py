"""docs/reference/requirements.md says which test shows each requirement; this test checks it.

A row is `| number | what | tests |`. A test named there exists and names the number itself, in its
docstring or one of its ids; what is not built says `not built: <why>`.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/reference/requirements.md"
SPEC = ROOT.parent / "shared/spec/requirements.md"
ROW = re.compile(r"^\| ([RAG]\d+) \| (.+?) \| (.+?) \|$", re.M)
NUMBER = re.compile(r"\b([RAG])(\d{1,3})(?:-\1?(\d{1,3}))?\b")
ROWS = {number: cell for number, _, cell in ROW.findall(TABLE.read_text())}


def named(text: str) -> Iterator[str]:
    """The numbers in a text, those of a short range such as R104-R106 included.

    One test does not show a whole chapter: of a range above five only the ends count.
    """
    for kind, first, last in NUMBER.findall(text.replace("golden case ", "G")):
        numbers = range(int(first), int(last or first) + 1)
        yield from (f"{kind}{n}" for n in (numbers if len(numbers) <= 5 else (first, last)))


@cache
def said_by(file: Path) -> dict[str, set[str]]:
    """Test function -> the numbers that its docstring and its decorators name."""
    found = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            texts = [ast.get_docstring(node) or "", *map(ast.unparse, node.decorator_list)]
            found[node.name] = set(named(" ".join(texts)))
    return found


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_of_a_requirement_exist_and_name_it(number: str) -> None:
    if ROWS[number].startswith("not built: "):
        return
    tests = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", ROWS[number])
    assert tests, f"{number} names no test"
    for file, test in tests:
        assert number in said_by(ROOT / file)[test], f"{file}::{test} does not name {number}"


def test_every_requirement_has_a_row() -> None:
    if not SPEC.exists():
        pytest.skip("the requirements are not beside this repository: ../shared is missing")
    lines = SPEC.read_text().splitlines()
    wanted = [m[1] for line in lines if (m := re.match(r"\| ([RA]\d+) \|", line))]
    golden = SPEC.read_text().partition("## 4.")[2].partition("## 5.")[0]
    wanted += [f"G{n}" for n in re.findall(r"(?:^|\s)(\d+)\. ", golden)]
    assert len(wanted) > 150
    assert sorted(ROWS) == sorted(wanted)
