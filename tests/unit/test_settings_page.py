"""docs/reference/settings.md has every setting as the program knows it.

`python -m tests.unit.test_settings_page` writes its table anew.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from textwrap import dedent
from typing import Any

from pydantic_settings import BaseSettings

from adapters.settings import PREFIX, Settings
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "reference" / "settings.md"
ROW = re.compile(r"^\| `LEADLOG_.*\n", re.MULTILINE)
DEFAULTS = {"data_dir": "`~/.local/share/leadlog`, for root `/var/lib/leadlog`"}


def described(kind: type[Any]) -> Iterator[tuple[str, str]]:
    """The fields of a class in order, with what stands below them."""
    (body,) = ast.parse(dedent(inspect.getsource(kind))).body
    assert isinstance(body, ast.ClassDef)
    for statement, below in zip(body.body, [*body.body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = ""
            if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant):
                text = inspect.cleandoc(str(below.value.value)).replace("\n", " ").strip()
            yield statement.target.id, text.replace("|", "\\|")


def rows() -> Iterator[str]:
    """A line for each setting: its name, its default, what it is."""
    kinds = [kind for kind in Settings.__mro__ if issubclass(kind, BaseSettings)]
    texts = {name: text for kind in kinds if kind is not BaseSettings
             for name, text in described(kind)}  # fmt: skip
    fields = Settings.model_fields
    assert texts.keys() == fields.keys()
    for name, text in texts.items():
        shown = DEFAULTS.get(name) or _shown(fields[name].get_default())
        yield f"| `{PREFIX}{name.upper()}` | {shown} | {text} |\n"


def _shown(default: object) -> str:
    if default in (None, ()):
        return "–"
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def test_every_setting_is_on_the_page() -> None:
    assert "".join(ROW.findall(PAGE.read_text())) == "".join(rows()), __doc__


if __name__ == "__main__":
    head, *_, tail = ROW.split(PAGE.read_text())
    PAGE.write_text(head + "".join(rows()) + tail)
