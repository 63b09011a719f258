"""The API on a fresh database, called in-process."""

from collections.abc import AsyncIterator

import pytest

from tests.integration.api_client import Api, running


@pytest.fixture
def anyio_backend() -> str:
    """The service runs on asyncio."""
    return "asyncio"


@pytest.fixture
async def api(dsn: str) -> AsyncIterator[Api]:
    async with running(dsn) as api:
        yield api
