"""docs/reference/http-api.md and directory.md say what the code does."""

import re
from pathlib import Path

import pytest

from api.access import ALLOWED
from api.company_route import Verb
from api.directory import PEOPLE, TEAMS
from api.leads import VERBS
from api.privacy import ERASING, REVEAL
from commands.fields import Command
from commands.lead.entry import CaptureLead
from commands.lead.privacy import RevealContact

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
DIRECTORY = (ROOT / "docs/reference/directory.md").read_text(encoding="utf-8")
COMMANDS = [
    ("", "lead.capture", CaptureLead),
    *(("/{ref}" + verb.path, verb.action, verb.model) for verb in (*VERBS, ERASING)),
    ("/{ref}/contact:reveal", REVEAL, RevealContact),
]
CODES = re.compile(r"(?:Refusal|Problem)\(\s*(?:\d{3},\s*)?\"([a-z-]+)\"")
PARTS = ("aggregates", "commands", "projections", "adapters", "api")
NOT_ANSWERED = {"already-captured", "login-taken", "login-too-wide", "unknown-login"}
"""Answered otherwise, or by the command line alone."""


@pytest.mark.parametrize(("path", "action", "model"), COMMANDS)
def test_a_command_stands_there_with_its_fields_and_roles(
    path: str, action: str, model: type[Command]
) -> None:
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `POST /v1/leads{path}`"))
    fields, roles = row.strip("| ").split(" | ")[1:]
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    before, _, after = fields.partition(";")
    assert set(re.findall(r"\w+", before)) == required
    assert set(re.findall(r"\w+", after)) == model.model_fields.keys() - required
    assert set(roles.split(", ")) == ALLOWED[action]


@pytest.mark.parametrize("verb", [*PEOPLE, *TEAMS], ids=lambda verb: verb.path)
def test_a_command_on_the_directory_stands_there_with_its_fields(verb: Verb) -> None:
    path = verb.path.replace("{ref:path}", "{name}")
    row = next(line for line in DIRECTORY.splitlines() if line.startswith(f"| `POST {path}` |"))
    fields = re.match(r"`[^`]*`(?:; `[^`]*`)?", row.split(" | ")[1])
    assert fields
    before, _, after = fields[0].partition(";")
    required = {name for name, field in verb.model.model_fields.items() if field.is_required()}
    assert set(re.findall(r"\w+", before)) == required
    assert set(re.findall(r"\w+", after)) == verb.model.model_fields.keys() - required


def test_every_type_of_problem_stands_there() -> None:
    sources = [path for part in PARTS for path in (ROOT / part).rglob("*.py")]
    found = {code for path in sources for code in CODES.findall(path.read_text(encoding="utf-8"))}
    assert {"already-converted", "forbidden", "unknown-report"} <= found, "the pattern finds them"
    listed = set(re.findall(r"`([a-z]+(?:-[a-z]+)*)`", PAGE.partition("## Errors")[2]))
    assert found - NOT_ANSWERED <= listed
