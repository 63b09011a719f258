"""The API on a fresh database, called in-process."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.api_client import Api, running


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with running(dsn) as api:
        yield api


@pytest.fixture(scope="module")
async def module_api(module_dsn: str) -> AsyncIterator[Api]:
    """One that the tests of a module share, for those that only read or are refused."""
    async with running(module_dsn) as api:
        yield api
