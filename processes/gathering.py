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


async def each_of(work: Iterable[Awaitable[T]]) -> list[T | Exception]:
    """What came of each, or why it failed.

    That the database does not answer concerns all of them: Unavailable is raised.
    """
    places = asyncio.Semaphore(IN_FLIGHT)

    async def in_turn(one: Awaitable[T]) -> T:
        async with places:
            return await one

    results = await asyncio.gather(*map(in_turn, work), return_exceptions=True)
    return [_of_one(result) for result in results]


async def all_of(work: Iterable[Awaitable[T]], undone: str) -> list[T | None]:
    """As each_of; None = it failed, which is logged as `undone` and tried again later."""
    return [_result(result, undone) for result in await each_of(work)]


def _of_one(result: T | BaseException) -> T | Exception:
    everybodys = isinstance(result, Unavailable) and not isinstance(result, Contended)
    if isinstance(result, BaseException) and (everybodys or not isinstance(result, Exception)):
        raise result
    return result


def _result(result: T | Exception, undone: str) -> T | None:
    if not isinstance(result, Exception):
        return result
    logger.warning("%s: %r", undone, result)
    return None
