"""`leadlog worker --only`: one half of the background work, or a clear no."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.assigning import Company, worker_process
from tests.integration.program import Program

pytestmark = pytest.mark.anyio


@pytest.fixture
async def company(dsn: str) -> AsyncIterator[Company]:
    company = Company(dsn)
    yield company
    await company.close()


async def test_the_halves_work_in_processes_of_their_own(company: Company) -> None:
    """One that only projects assigns nobody a lead; one that only assigns then does."""
    await company.people("a")
    [lead] = await company.capture()
    with worker_process(company.dsn, "--only", "project") as project:
        await company.someone_waits()
        assert (await company.lead(lead)).owner is None
        with worker_process(company.dsn, "--only", "process") as process:
            assert await company.assigned(1) == {"a": 1}
            process.terminate()
            assert process.wait(15) == 0
        project.terminate()
        assert project.wait(15) == 0


def test_an_unknown_duty_is_refused(dsn: str) -> None:
    leadlog = Program(dsn)
    complaint = "there is no nothing: name some of project,process"
    leadlog("worker", "--only", "project,nothing", refused=complaint)
