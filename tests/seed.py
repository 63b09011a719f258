"""One seed for every random test of a run: printed by each of them, repeated with SEED=<number>."""

import os
import random

SEED = int(os.environ.get("SEED") or random.SystemRandom().randrange(2**32))
