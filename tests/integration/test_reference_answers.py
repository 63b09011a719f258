"""Every figure of two real data sets against answers computed in pandas and DuckDB."""

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests import forked


@pytest.mark.timeout(400)
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the check leaves closing to Python
def test_every_cell_agrees(
    shared: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Imports each data set and compares every report; the check's own edge cases come first."""
    checks = _loaded(shared / "checks" / "reports.py")
    monkeypatch.setattr(checks, "CLI", ["leadlog"])
    monkeypatch.setattr(subprocess, "run", _run)
    agrees = [checks.edge()]
    agrees += [checks.check(shared / "data" / name) for name in ("maven_crm", "edtech")]
    said = capsys.readouterr().out
    assert all(agrees), said
    assert said.count("cells agree") == 3


def _loaded(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location("reference_checks", path)
    assert spec and spec.loader
    checks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(checks)
    return checks


def _run(line: list[str], *, env: dict[str, str], **_: bool) -> "subprocess.CompletedProcess[str]":
    """The check's commands, some seventy of them, without the imports of each."""
    return forked.run(*line[1:], environment=env)
