"""Requests made up from OpenAPI, right ones and wrong ones, against the served program (T10).

Whatever comes in, the service answers as documented: a status, a content type and a body that
OpenAPI names, never a defect, and never a contact detail but where it is revealed. References are
often ones that earlier answers gave out.
"""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import hypothesis
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode, Response
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.integration.api_client import CUSTOMER, EMAIL, PHONE
from tests.integration.test_serve import Serving, serving
from tests.seed import SEED
from tests.size import SOAK, size

CASES = size(500, 50_000)
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
REVEAL, ERASE = "POST /v1/leads/{ref}/contact:reveal", "POST /v1/leads/{ref}:erase"
FEED = "GET /v1/events"
KNOWN = ("conversion", "pause", "王芳", "官网注册", "all", "华东一组")


@pytest.fixture
def service(dsn: str, tmp_path: Path) -> Iterator[Serving]:
    with serving(dsn, tmp_path) as service:
        service.call("/v1/users", {"name": "王芳", "role": "sales", "team": "华东一组"})
        yield service


class Fuzz:
    """Sends cases and remembers what the answers name."""

    def __init__(self, service: Serving) -> None:
        self.headers = {"Authorization": f"Bearer {service.token}"}
        self.names = [*KNOWN, service.call("/v1/leads", CUSTOMER)["id"]]
        self.draw = Random(SEED)
        self.statuses: Counter[int] = Counter()
        self.faults: dict[tuple[str, int], str] = {}

    def send(self, case: Case) -> None:
        """One request; what is known takes the place of most references in the path."""
        for place, made_up in (case.path_parameters or {}).items():
            known = self.draw.random() < 0.8
            value = self.draw.choice(self.names) if known else str(made_up)
            # These come through as they are and make it another path.
            case.path_parameters[place] = re.sub("[#?/:]", "-", value)
        (case.query or {}).pop("min_position", None)  # it is waited for, and then a right 503
        if case.operation.label == FEED:
            case.query = {**(case.query or {}), "follow": "false"}  # otherwise it has no end
        answer = case.call(headers=self.headers)
        self.statuses[answer.status_code] += 1
        try:
            case.validate_response(answer, checks=CHECKS, headers=self.headers)
        except FailureGroup as found:
            fault = (case.operation.label, answer.status_code)
            self.faults.setdefault(fault, str(found.exceptions[0]) + case.as_curl_command())
        told = f"{answer.headers} {answer.text}"
        if case.operation.label != REVEAL and (PHONE in told or EMAIL in told):
            self.faults[case.operation.label, 0] = "a leak: " + case.as_curl_command()
        self._remember(answer)

    def _remember(self, answer: Response) -> None:
        if answer.status_code == 201 and isinstance(body := answer.json(), dict):
            self.names += [str(body[k]) for k in ("id", "code", "name") if body.get(k)]


@pytest.mark.timeout(0 if SOAK else 300)
def test_every_answer_is_a_documented_one(service: Serving) -> None:
    print(f"SEED={SEED}")
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    schema.config.generation.update(with_security_parameters=False)  # tokens: test_api_access.py
    operations = [found.ok() for found in schema.get_all_operations()]
    assert {REVEAL, ERASE} <= {operation.label for operation in operations}
    operations.sort(key=lambda operation: operation.label == ERASE)  # little is left behind it
    fuzz = Fuzz(service)
    each = -(-CASES // (2 * len(operations)))
    for operation in operations:
        for mode in GenerationMode:
            probe(fuzz, operation, mode, each)
    print(fuzz.statuses)
    assert not fuzz.faults, "\n\n".join(f"{at}: {what}" for at, what in fuzz.faults.items())
    assert fuzz.statuses.total() >= CASES * 0.9, fuzz.statuses
    assert not fuzz.statuses[401], "a dead token would hide everything"
    assert {200, 201, 400, 404, 422} <= fuzz.statuses.keys(), "it reaches what lies behind"


def probe(fuzz: Fuzz, operation: APIOperation, mode: GenerationMode, number: int) -> None:
    """So many cases of one kind for one operation."""

    @hypothesis.seed(SEED)
    @settings(
        max_examples=number,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[hypothesis.Phase.generate],
    )
    @hypothesis.given(operation.as_strategy(generation_mode=mode))
    def run(case: Case) -> None:
        fuzz.send(case)

    with suppress(Unsatisfiable):  # nothing can be wrong about a request without anything in it
        run()
