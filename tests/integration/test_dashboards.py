"""The alerts and the dashboard speak of metrics and labels that are really served."""

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from adapters import metrics
from adapters.measures import DISTRIBUTIONS, TALLIES
from tests.conftest import ROOT
from tests.integration.api_client import Api

pytestmark = pytest.mark.anyio

ALERTS = ROOT / "ops" / "prometheus" / "alerts.yml"
DASHBOARD = ROOT / "ops" / "grafana" / "leadlog.json"
RUNBOOK = ROOT / "docs" / "how-to" / "runbook.md"
PAGE = ROOT / "docs" / "reference" / "metrics.md"
NAME = re.compile(r"\b(?:leadlog|process)_\w+(?=[\[{ )]|$)")
LABELS = re.compile(r"\b(\w+)\s*(?:=~|!~|!=|=)\s*\"")
GROUPED = re.compile(r"\bby \(([\w, ]+)\)")
OF_PROMETHEUS = {"job", "instance"}
"""Labels that a scrape adds, as it does the metric `up`."""
ONLY_SOMETIMES = {"leadlog_data_disk_free_ratio"}
"""Where the database is embedded."""


def expressions() -> Iterator[tuple[str, str]]:
    """Where each expression stands, and it."""
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def series(text: str) -> Mapping[str, set[str]]:
    """The names of samples and their labels."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] |= sample.labels.keys()
    return found


@pytest.fixture
async def served(api: Api) -> Mapping[str, set[str]]:
    """What an API serves where the relay has begun, and a worker that has done all there is."""
    await api.lead()
    with psycopg.connect(api.dsn, autocommit=True) as conn:
        conn.execute("UPDATE relay.checkpoint SET topic = gen_random_uuid()")
    found = dict(series((await api.get("/metrics")).text))
    for tally in TALLIES:  # as if it had done each once
        tally.add(*(f"a {label}" for label in tally.labels), amount=0)
    for distribution in DISTRIBUTIONS:
        distribution.observe(0.0, *(f"a {label}" for label in distribution.labels))
    return found | series(generate_latest(metrics._registry(metrics._Counted())).decode())


async def test_every_expression_is_about_what_is_served(served: Mapping[str, set[str]]) -> None:
    for place, expression in expressions():
        names = set(NAME.findall(expression)) - ONLY_SOMETIMES
        assert names <= served.keys(), place
        known = OF_PROMETHEUS.union(*(served[name] for name in names))
        used = set(LABELS.findall(expression))
        used |= {x.strip() for group in GROUPED.findall(expression) for x in group.split(",")}
        assert used <= known, place
        assert names or "up{" in expression or "disk" in expression, place


async def test_every_metric_is_documented_and_nothing_else(served: Mapping[str, set[str]]) -> None:
    documented = set(re.findall(r"^\| `(leadlog_\w+)`", PAGE.read_text(), re.MULTILINE))
    ours = {re.sub(r"_(bucket|count|sum)$", "", n) for n in served if n.startswith("leadlog_")}
    assert documented == ours | ONLY_SOMETIMES


def test_every_alert_has_its_page_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (\w+)$", RUNBOOK.read_text(), re.MULTILINE)
    for rule in _rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["runbook"] == f"{_page()}#{rule['alert'].lower()}"
        assert rule["alert"] in headings


def test_each_panel_has_its_place() -> None:
    taken = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not taken & cells, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def _rules() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]
    ]


def _page() -> Path:
    return RUNBOOK.relative_to(ROOT)
