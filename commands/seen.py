"""Which whole numbers were seen, exactly: runs instead of numbers, so a file in order costs one."""

from array import array
from bisect import bisect_right


class Seen:
    """A growing set of 64-bit integers, 16 bytes for each run of consecutive ones."""

    def __init__(self) -> None:
        self._starts, self._ends = array("q"), array("q")

    def add(self, number: int) -> bool:
        """Add a number; False if it was there."""
        starts, ends = self._starts, self._ends
        at = bisect_right(starts, number)  # the run before it is the only one that may hold it
        if at and number <= ends[at - 1]:
            return False
        follows = bool(at) and ends[at - 1] == number - 1
        precedes = at < len(starts) and starts[at] == number + 1
        if follows and precedes:
            ends[at - 1] = ends.pop(at)
            starts.pop(at)
        elif follows:
            ends[at - 1] = number
        elif precedes:
            starts[at] = number
        else:
            starts.insert(at, number)
            ends.insert(at, number)
        return True
