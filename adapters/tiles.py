"""The Merkle tree as tiles of 256 hashes, after C2SP's tlog-tiles: pure arithmetic, no storage.

Tile `nth` of level n holds the hashes of the subtrees over 256^n leaves, from the
(256 * nth)-th on. Only the last tile of a level may have fewer than 256. So an event costs 32
bytes and an eighth of one, and a proof needs about two tiles of each level.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from adapters.merkle import EMPTY_ROOT, HASH_BYTES, CompactRange, Node, fold, node_hash, root_of

HEIGHT = 8
WIDTH = 1 << HEIGHT


class Place(NamedTuple):
    """Where a tile is."""

    level: int
    nth: int


class Tile(NamedTuple):
    """A tile and its hashes, one behind the other."""

    place: Place
    hashes: bytes


def tails_of(size: int) -> list[tuple[Place, int]]:
    """The unfinished tiles of a tree, and how many hashes of each belong to it."""
    found, level = [], 0
    while over := size >> HEIGHT * level:
        if over % WIDTH:
            found.append((Place(level, over >> HEIGHT), over % WIDTH))
        level += 1
    return found


class Growth:
    """A tree that grows by the hashes of leaves, and hands out the tiles that this fills.

    `tails` are the unfinished tiles of the tree of `size` leaves, by level.
    """

    def __init__(self, size: int = 0, tails: Mapping[int, bytes] | None = None) -> None:
        given = tails or {}
        wanted = {place.level: number for place, number in tails_of(size)}
        assert {level: len(h) // HASH_BYTES for level, h in given.items()} == wanted, "the tails"
        self.size = size
        self._tails = {level: split(hashes) for level, hashes in given.items()}
        self._changed: set[int] = set()

    def append(self, leaf: bytes) -> Iterator[Tile]:
        """Add the hash of a leaf; the tiles that are full by it."""
        self.size += 1
        level = 0
        while True:
            tail = self._tails.setdefault(level, [])
            tail.append(leaf)
            self._changed.add(level)
            if len(tail) < WIDTH:
                return
            index = (self.size >> HEIGHT * (level + 1)) - 1
            yield Tile(Place(level, index), b"".join(tail))
            leaf = root_of(tail)
            self._tails[level] = []
            level += 1

    def unfinished(self) -> list[Tile]:
        """The tiles that have changed and are not full; from now on they count as unchanged."""
        places = {place.level: place for place, _ in tails_of(self.size)}
        changed, self._changed = self._changed, set()
        return [
            Tile(places[level], b"".join(self._tails[level]))
            for level in sorted(changed)
            if self._tails[level]
        ]

    def root(self) -> bytes:
        """The root of the tree."""
        hashes: list[bytes] = []
        for level in sorted(self._tails, reverse=True):
            hashes += CompactRange.over(self._tails[level]).hashes
        return fold(hashes) if hashes else EMPTY_ROOT


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile, each for itself."""
    return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]


def tile_of(node: Node) -> Place:
    """The tile that a node's hash stands in, or is made of."""
    return Place(node.level // HEIGHT, (node.nth << node.level % HEIGHT) >> HEIGHT)


def node_hashes(nodes: Iterable[Node], tiles: Mapping[Place, bytes]) -> Callable[[Node], bytes]:
    """The hashes of nodes by the tiles that they are in. KeyError when one is missing or short."""
    found: dict[Node, bytes] = {}
    inner: dict[Place, list[list[bytes]]] = {}
    for node in set(nodes):
        place, height = tile_of(node), node.level % HEIGHT
        if place not in inner:
            inner[place] = _by_height(tiles[place])
        try:
            found[node] = inner[place][height][node.nth % (WIDTH >> height)]
        except IndexError:
            raise KeyError(node) from None
    return found.__getitem__


def _by_height(tile: bytes) -> list[list[bytes]]:
    """The hashes of all complete subtrees in a tile, by height: made once for all its nodes."""
    rows = [split(tile)]
    for _ in range(HEIGHT - 1):
        pairs = zip(rows[-1][::2], rows[-1][1::2], strict=False)  # an odd one has no partner yet
        rows.append([node_hash(left, right) for left, right in pairs])
    return rows
