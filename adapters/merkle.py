"""The Merkle tree of RFC 6962 and RFC 9162 (section 2.1), as pure functions over SHA-256.

A tree of size n has the leaves 0..n-1. `Node(level, nth)` is the complete subtree over the leaves
nth * 2^level up to (nth + 1) * 2^level; every other subtree is a row of those. Proofs say which
ranges of leaves they need (`inclusion_ranges`, `consistency_ranges`); who has the hashes of nodes
makes them with `range_hash`. Verification needs nothing but hashes.
"""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple, Self, TypeAlias

HASH_BYTES = 32
EMPTY_ROOT = sha256().digest()
"""The root of a tree without leaves."""

Range: TypeAlias = tuple[int, int]
"""The leaves from the first number up to, and without, the second."""


class Node(NamedTuple):
    """A complete subtree: 2^level leaves, the `nth` of its level, from 0."""

    level: int
    nth: int


class BadProof(Exception):  # noqa: N818 - a verdict, not a defect
    """A proof does not show what it claims; the text says what."""


def leaf_hash(data: bytes) -> bytes:
    """The hash of a leaf (RFC 9162, 2.1.1)."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of an inner node (RFC 9162, 2.1.1)."""
    return sha256(b"\x01" + left + right).digest()


class CompactRange:
    """The complete subtrees that the first `size` leaves consist of, largest first: what a tree
    needs to grow and to tell its root, in O(log size) memory.
    """

    def __init__(self, size: int = 0, hashes: Sequence[bytes] = ()) -> None:
        assert len(hashes) == size.bit_count(), "one hash for each complete subtree"
        self.size = size
        self.hashes = list(hashes)

    @classmethod
    def over(cls, leaves: Iterable[bytes]) -> Self:
        """The tree over the hashes of leaves."""
        tree = cls()
        for leaf in leaves:
            tree.append(leaf)
        return tree

    def append(self, leaf: bytes) -> None:
        """Add a leaf, given by its hash."""
        full = self.size
        while full & 1:
            leaf = node_hash(self.hashes.pop(), leaf)
            full >>= 1
        self.hashes.append(leaf)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree so far."""
        return fold(self.hashes) if self.hashes else EMPTY_ROOT


def fold(hashes: Sequence[bytes]) -> bytes:
    """The hash over a row of complete subtrees, the largest first."""
    *others, result = hashes
    for left in reversed(others):
        result = node_hash(left, result)
    return result


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over the hashes of leaves."""
    return CompactRange.over(leaves).root()


def nodes_of(leaves: Range) -> list[Node]:
    """The complete subtrees of a range, left to right. It begins where a subtree of a tree does:
    its first leaf is a multiple of the largest power of two that is not larger than the range.
    """
    first, end = leaves
    found = []
    while first < end:
        level = (end - first).bit_length() - 1
        assert first % (1 << level) == 0, "no range of a subtree"
        found.append(Node(level, first >> level))
        first += 1 << level
    return found


def range_hash(leaves: Range, hash_of: Callable[[Node], bytes]) -> bytes:
    """The hash of the subtree over a range."""
    return fold([hash_of(node) for node in nodes_of(leaves)])


def inclusion_ranges(index: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that leaf `index` is in the tree of `size` leaves, in the
    order of RFC 9162, 2.1.3.1: from the leaf to the root.
    """
    assert 0 <= index < size, "a leaf of the tree"
    first, end, found = 0, size, []
    while end - first > 1:
        middle = first + _split(end - first)
        if index < middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first = middle
    return found[::-1]


def consistency_ranges(old: int, size: int) -> list[Range]:
    """The subtrees whose hashes prove that the tree of `size` leaves begins with that of `old`
    leaves, in the order of RFC 9162, 2.1.4.1.
    """
    assert 0 < old <= size, "the older tree is the smaller one, and not empty"
    first, end, found, whole = 0, size, [], True
    while old < end:
        middle = first + _split(end - first)
        if old <= middle:
            found.append((middle, end))
            end = middle
        else:
            found.append((first, middle))
            first, whole = middle, False
    if not whole:
        found.append((first, end))
    return found[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that a leaf is in a tree (RFC 9162, 2.1.3.2). BadProof if that is not shown."""
    if not 0 <= index < size:
        raise BadProof(f"leaf {index} is none of a tree of {size}")
    here, last, result = index, size - 1, leaf
    for other in proof:
        if last == 0:
            raise BadProof("the proof is too long")
        if here & 1 or here == last:
            result = node_hash(other, result)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            result = node_hash(result, other)
        here, last = here >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    if result != root:
        raise BadProof(f"leaf {index} is not in the tree")


def verify_consistency(
    old: int, size: int, proof: Sequence[bytes], old_root: bytes, root: bytes
) -> None:
    """Check that a tree begins with an older one (RFC 9162, 2.1.4.2). BadProof otherwise."""
    if not 0 < old <= size:
        raise BadProof(f"a tree of {size} leaves has no beginning of {old}")
    if old == size:
        if proof or old_root != root:
            raise BadProof("two trees of one size have different roots")
        return
    path = [old_root, *proof] if old.bit_count() == 1 else list(proof)
    if not path:
        raise BadProof("the proof is too short")
    here, last = old - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    older = newer = path[0]
    for other in path[1:]:
        if last == 0:
            raise BadProof("the proof is too long")
        if here & 1 or here == last:
            older, newer = node_hash(other, older), node_hash(other, newer)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            newer = node_hash(newer, other)
        here, last = here >> 1, last >> 1
    if last:
        raise BadProof("the proof is too short")
    if (older, newer) != (old_root, root):
        raise BadProof(f"the tree of {size} leaves does not begin with that of {old}")


def _split(leaves: int) -> int:
    """The largest power of two below a number of leaves above 1."""
    return 1 << ((leaves - 1).bit_length() - 1)
