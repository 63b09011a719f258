"""What callers of a batcher share: one piece of work for those who come together."""

import asyncio
from collections.abc import Sequence

from adapters.postgres.batcher import Batcher


class _Work:
    """Notes the batches that it gets; each takes some turns of the event loop."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []

    async def __call__(self, batch: Sequence[int]) -> list[int | Exception]:
        self.batches.append(list(batch))
        for _ in range(10):
            await asyncio.sleep(0)
        return list(batch)


async def _late(turns: int, batcher: Batcher[int, int], item: int) -> int:
    for _ in range(turns):
        await asyncio.sleep(0)
    return await batcher(item)


def _batches(*turns: int, max_batch: int = 64) -> list[list[int]]:
    """The batches of callers who come so many turns of the loop after the start."""
    work = _Work()

    async def called() -> list[int]:
        batcher: Batcher[int, int] = Batcher(work, max_batch=max_batch)
        return await asyncio.gather(*(_late(late, batcher, n) for n, late in enumerate(turns)))

    assert asyncio.run(called()) == list(range(len(turns)))
    return work.batches


def test_who_comes_a_turn_of_the_loop_later_is_not_left_behind() -> None:
    assert _batches(0, 1, 2, 3) == [[0, 1, 2, 3]]


def test_nobody_waits_for_who_may_come_some_day() -> None:
    assert _batches(0, 6) == [[0], [1]]


def test_a_full_batch_waits_for_nobody() -> None:
    assert _batches(0, 0, 1, max_batch=2) == [[0, 1], [2]]


def test_a_stream_of_callers_does_not_keep_the_first_one_waiting_for_ever() -> None:
    batches = _batches(*range(20), max_batch=8)
    assert [len(batch) for batch in batches] == [8, 8, 4]
