"""Many commands at once, of which one that fails holds up no other."""

import asyncio
import logging
from collections.abc import Awaitable, Iterable
from typing import TypeVar

from commands.loop import Contended
from commands.ports import Unavailable

T = TypeVar("T")
IN_FLIGHT = 128

logger = logging.getLogger("leadlog.processes")


async def all_of(work: Iterable[Awaitable[T]], undone: str) -> list[T | None]:
    """What came of each; None = it failed, which is logged as `undone` and tried again later.

    That the database does not answer concerns all of them: Unavailable is raised.
    """
    places = asyncio.Semaphore(IN_FLIGHT)

    async def in_turn(one: Awaitable[T]) -> T:
        async with places:
            return await one

    results = await asyncio.gather(*map(in_turn, work), return_exceptions=True)
    return [_result(result, undone) for result in results]


def _result(result: T | BaseException, undone: str) -> T | None:
    if not isinstance(result, BaseException):
        return result
    everybodys = isinstance(result, Unavailable) and not isinstance(result, Contended)
    if everybodys or not isinstance(result, Exception):
        raise result
    logger.warning("%s: %r", undone, result)
    return None
