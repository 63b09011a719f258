"""The commands on the company as they come in: strict, immutable, with an example that works."""

import json

import pytest
from pydantic import ValidationError

from commands.company.people import AddPerson, ChangePerson, NoteAbsence
from commands.directory import WIRING
from commands.fields import Command


@pytest.mark.parametrize("model", WIRING, ids=lambda model: model.__name__)
def test_the_example_of_a_command_is_one(model: type[Command]) -> None:
    (example,) = model.model_json_schema()["examples"]
    model.model_validate_json(json.dumps(example))
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        model.model_validate_json(json.dumps(example | {"nope": 1}))


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (AddPerson, {"name": " ", "role": "sales"}),
        (AddPerson, {"name": "x" * 101, "role": "sales"}),
        (AddPerson, {"name": "a\0", "role": "sales"}),
        (AddPerson, {"name": "a", "role": "sales", "email": "no address"}),
        (ChangePerson, {"weight": "2"}),
        (ChangePerson, {"capacity": 1.5}),
        (ChangePerson, {"capacity": 10**7}),
        (ChangePerson, {"coverage": {"regions": "华东"}}),
        (ChangePerson, {"coverage": {"regions": ["x"] * 201}}),
        (NoteAbsence, {"since": "2024-05-06T00:00:00", "until": "2024-05-10"}),
        (NoteAbsence, {"since": "2024-02-30", "until": "2024-05-10"}),
    ],
)
def test_what_has_the_wrong_shape_is_refused(
    model: type[Command], given: dict[str, object]
) -> None:
    """R30: limits on everything."""
    with pytest.raises(ValidationError):
        model.model_validate_json(json.dumps(given))
