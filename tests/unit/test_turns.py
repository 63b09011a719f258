"""Who wants the same thing gets it one after the other, whoever gives up meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from commands.turns import Turns

STEP = 10


async def _work(turns: Turns, name: str, who: str, done: list[str]) -> None:
    await turns.take(name)
    try:
        done.append(f"{who} begins")
        for _ in range(STEP):
            await asyncio.sleep(0)
        done.append(f"{who} ends")
    finally:
        turns.end(name)


def _run(scene: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(scene, timeout=60))


def test_one_follows_the_other_in_order() -> None:
    async def scene() -> None:
        turns, done = Turns(), list[str]()
        await asyncio.gather(*(_work(turns, "lead", who, done) for who in "abc"))
        assert done == [f"{who} {what}" for who in "abc" for what in ("begins", "ends")]

    _run(scene())


def test_nobody_waits_for_another_name() -> None:
    async def scene() -> None:
        turns, done = Turns(), list[str]()
        await asyncio.gather(_work(turns, "lead", "a", done), _work(turns, "mark", "b", done))
        assert done == ["a begins", "b begins", "a ends", "b ends"]

    _run(scene())


def test_who_gives_up_keeps_nobody_waiting_whenever_that_is() -> None:
    """At each turn of the loop: while a works, as a hands over to b, while b works, and behind."""

    async def scene(late: int) -> None:
        turns, done = Turns(), list[str]()
        a, b, c = (asyncio.create_task(_work(turns, "lead", who, done)) for who in "abc")
        for _ in range(late):
            await asyncio.sleep(0)
        b.cancel()
        await asyncio.gather(a, b, c, return_exceptions=True)
        whole = [line for line in done if not line.startswith("b")]
        assert whole == ["a begins", "a ends", "c begins", "c ends"]
        assert not turns, "what nobody has takes no memory"

    for late in range(3 * STEP):
        _run(scene(late))
