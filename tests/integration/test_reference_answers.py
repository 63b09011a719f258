"""Every figure of two real data sets against answers computed in pandas and DuckDB."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LEADLOG = f"{sys.executable} -m adapters.cli"


@pytest.mark.timeout(400)
def test_every_cell_agrees(shared: Path) -> None:
    """Imports each data set and compares every report; the check's own edge cases come first."""
    sets = [shared / "data" / name for name in ("maven_crm", "edtech")]
    done = subprocess.run(
        [sys.executable, shared / "checks" / "reports.py", *sets],
        env=os.environ | {"LEADLOG": LEADLOG},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("cells agree") == 3
