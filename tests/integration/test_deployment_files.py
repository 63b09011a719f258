"""What a deployment is made of cannot be run in a test; what it relies on can be checked."""

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from adapters.cli import COMMANDS, app
from adapters.settings import PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
SYSTEMD = ROOT / "ops" / "systemd"
SETTINGS = {PREFIX + name.upper() for name in Settings.model_fields}
OF_COMPOSE = {
    "LEADLOG_DB_PASSWORD",
    "LEADLOG_GRAFANA_PASSWORD",
    "LEADLOG_MASTER_KEY_PATH",
    "LEADLOG_SITE",
}
"""What the file .env has beside settings of leadlog."""
OURS = ("migrate", "api-1", "api-2", "worker-1", "worker-2", "reader")


def _compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8")))


SERVICES: Mapping[str, Any] = _compose()["services"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_pinned_bounded_and_has_few_rights(name: str) -> None:
    service = SERVICES[name]
    _, _, tag = service["image"].partition(":")
    assert re.match(r"v?\d+\.\d+", tag), service["image"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["mem_limit"]
    assert service.get("read_only") or name == "kafka"
    assert service["restart"] == ("no" if name == "migrate" else "unless-stopped")
    assert "privileged" not in service


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - {"migrate", "api-1", "api-2"}))
def test_a_service_says_whether_it_is_well(name: str) -> None:
    """The API's check is that of the image."""
    assert SERVICES[name]["healthcheck"]["test"][0] == "CMD"


def test_only_the_proxy_is_reached_from_outside() -> None:
    ports = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert ports.pop("proxy") == ["80:80", "443:443"]
    assert all(port.startswith("127.0.0.1:") for given in ports.values() for port in given)
    for name in ("postgres", "reader-postgres", "kafka", "prometheus"):
        assert SERVICES[name]["networks"] == ["back"]
    assert _compose()["networks"]["back"] == {"internal": True}


@pytest.mark.parametrize("name", OURS)
def test_settings_and_commands_are_ones_the_program_knows(name: str) -> None:
    service = SERVICES[name]
    given = {key for key in service["environment"] if key.startswith(PREFIX)}
    assert given <= SETTINGS, given - SETTINGS
    _check_call(service["command"])


@pytest.mark.parametrize("name", OURS)
def test_settings_make_sense(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in [key for key in os.environ if key.startswith("LEADLOG_")]:
        monkeypatch.delenv(key)
    for key, value in SERVICES[name]["environment"].items():
        monkeypatch.setenv(key, re.sub(r"\$\{\w+(:-|:\?)?([^}]*)\}", r"\2", value))
    settings = Settings.load()
    assert settings.database and "PASSWORD" not in settings.database.upper()
    assert settings.erasure_list_path.is_relative_to("/var/lib/leadlog")


@pytest.mark.parametrize("name", OURS)
def test_processes_share_their_keys_and_wait_for_the_schema(name: str) -> None:
    service = SERVICES[name]
    assert service["secrets"] == ["master_key"]
    assert "leadlog-data:/var/lib/leadlog" in service["volumes"]
    waits = service["depends_on"]
    if name != "migrate":
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
    assert "service_healthy" in {wait["condition"] for wait in waits.values()}


def test_who_signs_has_the_key_and_who_answers_has_not() -> None:
    has = {
        name
        for name in OURS
        for volume in SERVICES[name]["volumes"]
        if volume.startswith("leadlog-signing:")
    }
    assert has == {"worker-1", "worker-2"}


def test_what_is_mounted_exists() -> None:
    compose = _compose()
    for service in SERVICES.values():
        for volume in service.get("volumes", ()):
            source, target, *mode = volume.split(":")
            assert target.startswith("/")
            if source.startswith("."):
                assert mode == ["ro"]
                assert (ROOT / source).exists(), source
            else:
                assert source in compose["volumes"]
        assert set(service.get("networks", ())) <= set(compose["networks"])
    used = re.findall(r"\$\{(LEADLOG_\w+)", (ROOT / "compose.yaml").read_text(encoding="utf-8"))
    assert set(used) <= SETTINGS | OF_COMPOSE


def test_the_proxy_reaches_the_services_that_trust_it() -> None:
    caddy = (ROOT / "ops" / "proxy" / "Caddyfile").read_text(encoding="utf-8")
    (upstreams,) = re.findall(r"reverse_proxy (.+) \{", caddy)
    apis = [name for name in SERVICES if name.startswith("api-")]
    assert upstreams.split() == [f"{name}:8000" for name in apis]
    address = SERVICES["proxy"]["networks"]["front"]["ipv4_address"]
    for name in apis:
        environment = SERVICES[name]["environment"]
        assert environment["LEADLOG_TRUSTED_PROXIES"] == address
        assert environment["LEADLOG_METRICS_OPEN"] == "true"
        assert float(environment["LEADLOG_UNREADY_SECONDS"]) > 2 * _seconds(caddy)
    assert "path /metrics" in caddy
    compressed = re.findall(r"header Content-Type (\S+)", caddy)
    assert compressed and not any("event-stream" in kind for kind in compressed)
    assert caddy.count("{") == caddy.count("}")


def test_prometheus_asks_processes_that_are_there() -> None:
    file = ROOT / "ops" / "prometheus" / "prometheus.yml"
    targets = [
        target
        for job in _yaml(file)["scrape_configs"]
        for group in job.get("static_configs", ())
        for target in group["targets"]
    ]
    assert {"api-1:8000", "api-2:8000", "worker-1:9100", "worker-2:9100"} <= set(targets)
    for target in targets:
        host, _, port = target.partition(":")
        assert host in SERVICES or host == "localhost", target
        if host.startswith("worker-"):
            assert SERVICES[host]["environment"]["LEADLOG_WORKER_METRICS"] == port


def test_grafana_finds_dashboards_and_their_source() -> None:
    provisioning = ROOT / "ops" / "grafana-provisioning"
    (provider,) = _yaml(provisioning / "dashboards" / "leadlog.yml")["providers"]
    mounted = {v.split(":")[1]: v.split(":")[0] for v in SERVICES["grafana"]["volumes"]}
    assert list((ROOT / mounted[provider["options"]["path"]]).glob("*.json"))
    (source,) = _yaml(provisioning / "datasources" / "prometheus.yml")["datasources"]
    host, _, port = source["url"].removeprefix("http://").partition(":")
    assert host in SERVICES and port == "9090"
    for board in (ROOT / "ops" / "grafana").glob("*.json"):
        assert set(re.findall(r'"uid": *"(\w+)"', board.read_text())) >= {source["uid"]}


def test_each_alert_leads_to_a_section_of_the_runbook() -> None:
    (group,) = _yaml(ROOT / "ops" / "prometheus" / "alerts.yml")["groups"]
    runbook = "docs/how-to/runbook.md"
    sections = re.findall(r"^## (\w+)$", (ROOT / runbook).read_text(encoding="utf-8"), re.MULTILINE)
    assert sections == [rule["alert"] for rule in group["rules"]]
    for rule in group["rules"]:
        assert rule["annotations"]["runbook"] == f"{runbook}#{rule['alert'].lower()}"


def test_the_image_holds_what_runs_and_nothing_more() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    bases = re.findall(r"^FROM (\S+)", dockerfile, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+\.\d+-slim", base) for base in bases), bases
    final = dockerfile.rpartition("\nFROM ")[2]
    assert "\nUSER 10001\n" in final and "\nHEALTHCHECK " in final
    assert "pip" not in final and "COPY ." not in final
    _check_call(yaml.safe_load(final.rpartition("CMD ")[2]))
    allowed = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= allowed
    assert {"requirements.lock", "requirements.runtime.lock", "pyproject.toml"} <= allowed


def test_what_runs_is_locked_as_it_is_tested() -> None:
    tested, running = (_locked(name) for name in ("requirements.lock", "requirements.runtime.lock"))
    assert running.items() <= tested.items()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = {_name(one) for one in project["dependencies"]}
    for_developers = {_name(one) for one in project["optional-dependencies"]["dev"]}
    assert wanted <= running.keys()
    assert for_developers & running.keys() <= wanted | {"packaging", "pyyaml"}


@pytest.mark.parametrize("unit", sorted(SYSTEMD.glob("*.service")), ids=lambda path: path.name)
def test_a_unit_runs_a_command_as_nobody_special(unit: Path) -> None:
    call = _values(unit, "ExecStart")
    assert len(call) == 1
    _check_call(call[0].removeprefix("/opt/leadlog/bin/").replace("%i", "8001").split())
    common = SYSTEMD / "leadlog-.service.d" / "common.conf"
    assert unit.name.startswith("leadlog-"), "or the drop-in is not for it"
    assert _values(common, "User") == ["leadlog"]
    for name, value in (("NoNewPrivileges", "yes"), ("ProtectSystem", "strict")):
        assert _values(common, name) == [value]
    named = re.findall(r"LEADLOG_\w+(?==)", unit.read_text() + common.read_text())
    assert set(named) <= SETTINGS
    credentials = {value.partition(":")[0] for value in _values(common, "LoadCredential")}
    used = set(re.findall(r"%d/(\S+)", "\n".join(_values(common, "Environment"))))
    assert used == credentials


def test_a_migration_ends_nothing_that_runs() -> None:
    """Units that require another are stopped and restarted with it; what remains runs no more."""
    for unit in SYSTEMD.glob("*@.service"):
        lines = unit.read_text(encoding="utf-8").splitlines()
        assert not [line for line in lines if line.startswith(("Requires=", "BindsTo="))], unit
        assert any(line.startswith("Wants=") and "leadlog-migrate" in line for line in lines), unit
    assert "RemainAfterExit" not in (SYSTEMD / "leadlog-migrate.service").read_text("utf-8")


def test_the_target_wants_instances_of_units_that_exist() -> None:
    for name in _values(SYSTEMD / "leadlog.target", "Wants")[0].split():
        assert (SYSTEMD / re.sub("@.*[.]", "@.", name)).exists(), name


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
def test_systemd_understands_the_units() -> None:
    units = [*SYSTEMD.glob("*.service"), *SYSTEMD.glob("*.target")]
    call = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    said = subprocess.run(call, capture_output=True, text=True, check=False).stderr
    absent = "Command /opt/leadlog/bin/leadlog is not executable: No such file or directory"
    assert [line for line in said.splitlines() if absent not in line] == []


def _check_call(call: list[str]) -> None:
    """Whether a command line is one of the program's, options included."""
    program, name, *options = call
    assert program == "leadlog"
    import_module(f"adapters.cli.{COMMANDS[name]}")
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    command.make_context(name, list(options))


def _seconds(caddy: str) -> float:
    """How often the proxy looks whether a service is ready."""
    return float(re.findall(r"health_interval (\d+)s", caddy)[0])


def _yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _locked(name: str) -> dict[str, str]:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert "--hash=sha256:" in text
    return dict(re.findall(r"^([a-z0-9.-]+)(?:\[\S+\])?==(\S+)", text, re.MULTILINE))


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert found
    return found[0].lower()


def _values(unit: Path, key: str) -> list[str]:
    """What a unit says under a key, each time that it does."""
    lines = unit.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix(f"{key}=") for line in lines if line.startswith(f"{key}=")]
