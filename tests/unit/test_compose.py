"""compose.yaml cannot be run in a test; what a reader relies on in it can be checked."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["postgres", "kafka", "api", "worker"])
def test_every_service_has_a_pinned_image_and_a_health_check(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    image, _, tag = service["image"].partition(":")
    assert image
    assert tag
    assert tag != "latest"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


def test_only_the_api_is_published_and_on_loopback(compose: dict[str, Any]) -> None:
    published = {n: s["ports"] for n, s in compose["services"].items() if "ports" in s}
    assert published == {"api": ["127.0.0.1:8000:8000"]}


@pytest.mark.parametrize("name", ["api", "worker"])
def test_settings_are_ones_the_program_knows(compose: dict[str, Any], name: str) -> None:
    environment = compose["services"][name]["environment"]
    known = {PREFIX + field.upper() for field in Settings.model_fields}
    assert set(environment) <= known
    assert environment["LEADLOG_DATABASE"].endswith("@postgres:5432/leadlog")


def test_the_service_waits_for_a_healthy_database(compose: dict[str, Any]) -> None:
    for name in ("api", "worker"):
        wait = compose["services"][name]["depends_on"]["postgres"]
        assert wait == {"condition": "service_healthy"}


def test_named_volumes_are_declared(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            assert volume.partition(":")[0] in compose["volumes"]


def test_every_command_exists(compose: dict[str, Any]) -> None:
    groups = (ROOT / "adapters" / "cli").glob("*.py")
    source = "".join(path.read_text(encoding="utf-8") for path in groups)
    for name in ("api", "worker"):
        program, command = compose["services"][name]["command"][:2]
        assert program == "leadlog"
        assert f"def {command}(" in source
