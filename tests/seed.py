"""One seed for every random test of a run: printed by each of them, repeated with SEED=<number>.

The workers of one run draw the same one: what one printed repeats all of it.
"""

import os
import random

_RUN = os.environ.get("PYTEST_XDIST_TESTRUNUID")
SEED = int(os.environ.get("SEED") or random.Random(_RUN).randrange(2**32))
