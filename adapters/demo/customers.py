"""Who the leads of the simulated company are, as they are entered."""

import random

from adapters.demo import company as c
from adapters.demo import words as w
from commands.lead.entry import CaptureLead


def customer(
    rng: random.Random, source: c.Source, industry: c.Industry, team: c.Team
) -> CaptureLead:
    """A customer with a need; now and then without a phone number, a title or an address."""
    name = rng.choice(w.FIRST) + rng.choice(w.SECOND) + rng.choice(w.KINDS[industry.name])
    number = rng.randrange(10_000)
    return CaptureLead(
        customer=f"{team.region}{name}",
        contact=rng.choice(w.SURNAMES) + rng.choice(("先生", "女士")),
        contact_title=rng.choice(w.TITLES) or None,
        phone=f"{rng.choice(w.MOBILE)}0000{number:04d}" if rng.random() < 0.95 else None,
        email=f"buyer{number}@example.cn" if rng.random() < 0.5 else None,
        source=source.name,
        industry=industry.name,
        region=team.region,
        customer_type=rng.choices(*c.CUSTOMER_TYPES)[0],
        campaign=rng.choice(c.CAMPAIGNS) if rng.random() < 0.4 else None,
        need=industry.need.format(n=rng.randrange(5, 300)),
        attributes={"规模": rng.choices(*c.SIZES)[0]},
    )
