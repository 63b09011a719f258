"""What happens to every lead of the simulated company, and when: pure, the same for a seed.

Nothing in it lies behind the end of the simulation.
"""

import random
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from zoneinfo import ZoneInfo

from adapters.demo.hours import arrival
from adapters.demo.story import Step, Times, life


def plan(seed: int, leads: int, start: datetime, end: datetime, zone: ZoneInfo) -> list[Step]:
    """All steps from `start` to `end`, in order of time."""
    rng = random.Random(seed)  # noqa: S311 - a simulation, not a secret
    times = Times(start, end, zone)
    arrivals = sorted(arrival(rng, start, end, zone) for _ in range(leads))
    steps = [
        step
        for lead, at in enumerate(arrivals)
        for step in life(random.Random(f"{seed}/{lead}"), lead, at, times)  # noqa: S311
        if step.at < end
    ]
    return sorted(steps, key=lambda step: (step.at, step.lead))


def windows(steps: Sequence[Step], length: timedelta) -> Iterator[list[Step]]:
    """The steps of each stretch of time that has some."""
    window: list[Step] = []
    for step in steps:
        if window and step.at >= window[0].at + length:
            yield window
            window = []
        window.append(step)
    if window:
        yield window


def turns(window: Sequence[Step]) -> Iterator[list[Step]]:
    """The window's steps such that each turn has at most one of a lead, in the lead's order."""
    by_lead: dict[int, list[Step]] = {}
    for step in window:
        by_lead.setdefault(step.lead, []).append(step)
    for turn in zip_longest(*by_lead.values()):
        yield [step for step in turn if step]
