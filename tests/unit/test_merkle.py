"""The Merkle tree against RFC 6962's own recursive definitions, written here once more."""

import random
from collections.abc import Sequence
from hashlib import sha256

import pytest

from adapters.merkle import (
    EMPTY_ROOT,
    BadProof,
    CompactRange,
    Node,
    consistency_ranges,
    inclusion_ranges,
    leaf_hash,
    nodes_of,
    range_hash,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from adapters.tiles import Growth, Place, node_hashes, tails_of, tile_of
from tests.seed import SEED
from tests.size import size

SIZES = [*range(1, 71), *random.Random(SEED).sample(range(71, 5_000), size(3, 60))]


def mth(leaves: Sequence[bytes]) -> bytes:
    """Merkle Tree Hash (RFC 6962, 2.1), of leaves' data."""
    if not leaves:
        return sha256().digest()
    if len(leaves) == 1:
        return sha256(b"\0" + leaves[0]).digest()
    k = largest(len(leaves))
    return sha256(b"\1" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """Merkle audit path (RFC 6962, 2.1.1)."""
    if len(leaves) == 1:
        return []
    k = largest(len(leaves))
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """Merkle consistency proof (RFC 6962, 2.1.2)."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = largest(len(leaves))
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def largest(n: int) -> int:
    """The largest power of two smaller than n."""
    k = 1
    while k * 2 < n:
        k *= 2
    return k


def leaves_of(n: int) -> list[bytes]:
    return [f"线索 {i}".encode() for i in range(n)]


def grown(n: int, start: int = 0) -> tuple[Growth, dict[Place, bytes]]:
    """A tree of n leaves, made in two spells, the second from the tiles of the first."""
    tiles: dict[Place, bytes] = {}
    growth = Growth()
    for number, leaf in enumerate(leaves_of(n)):
        if number == start:
            tiles |= dict(growth.unfinished())
            tails = {p.level: tiles[p][: 32 * count] for p, count in tails_of(number)}
            growth = Growth(number, tails)
        tiles |= dict(growth.append(leaf_hash(leaf)))
    return growth, tiles | dict(growth.unfinished())


def test_an_empty_tree_and_the_vectors_of_certificate_transparency() -> None:
    """The inputs and roots that Google's certificate-transparency tests use."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
    inputs.append("606162636465666768696a6b6c6d6e6f")
    roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ]
    data = [bytes.fromhex(text) for text in inputs]
    assert EMPTY_ROOT.hex() == roots[0]
    assert [root_of(map(leaf_hash, data[:n])).hex() for n in range(9)] == roots


@pytest.mark.parametrize("n", SIZES)
def test_root_tiles_and_proofs_are_those_of_the_definition(n: int) -> None:
    print(f"SEED={SEED}")
    rng = random.Random(SEED + n)
    leaves = leaves_of(n)
    root = mth(leaves)
    growth, tiles = grown(n, rng.randrange(n))
    assert root_of(map(leaf_hash, leaves)) == growth.root() == root
    assert sum(len(t) for p, t in tiles.items() if p.level == 0) == 32 * n

    def hashes(ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        nodes = [node for r in ranges for node in nodes_of(r)]
        hash_of = node_hashes(nodes, {tile_of(node): tiles[tile_of(node)] for node in nodes})
        return [range_hash(r, hash_of) for r in ranges]

    assert hashes([(0, n)]) == [root]
    for m in range(n) if n <= 70 else rng.sample(range(n), 5):
        proof = hashes(inclusion_ranges(m, n))
        assert proof == path(m, leaves)
        verify_inclusion(leaf_hash(leaves[m]), m, n, proof, root)
        older = hashes(consistency_ranges(m + 1, n))
        assert older == subproof(m + 1, leaves)
        verify_consistency(m + 1, n, older, mth(leaves[: m + 1]), root)


@pytest.mark.parametrize("n", range(1, 40))
def test_no_other_proof_verifies(n: int) -> None:
    """Neither one that is changed, cut, longer or swapped, nor one for another place."""
    rng = random.Random(SEED + n)
    leaves = leaves_of(n)
    root = mth(leaves)
    for m in range(n):
        leaf, proof = leaf_hash(leaves[m]), path(m, leaves)
        for wrong in _wrong(proof, rng):
            with pytest.raises(BadProof):
                verify_inclusion(leaf, m, n, wrong, root)
        for other in {(m + 1, n), (m - 1, n), (m, n - 1), (m ^ 1, n)} - {(m, n)}:
            if other[0] != m:
                with pytest.raises(BadProof):
                    verify_inclusion(leaf, *other, proof, root)
        with pytest.raises(BadProof):
            verify_inclusion(leaf_hash(b"?"), m, n, proof, root)
        proof, old = subproof(m + 1, leaves), mth(leaves[: m + 1])
        for wrong in _wrong(proof, rng):
            with pytest.raises(BadProof):
                verify_consistency(m + 1, n, wrong, old, root)
        for roots in ((leaf_hash(b"?"), root), (old, leaf_hash(b"?"))):
            with pytest.raises(BadProof):
                verify_consistency(m + 1, n, proof, *roots)
    for sizes in ((0, n), (n + 1, n)):
        with pytest.raises(BadProof):
            verify_consistency(*sizes, [], root, root)


def test_a_proof_of_a_smaller_tree_is_none_of_a_larger_one() -> None:
    """Though it leads to the root that is given with it."""
    first, second = leaf_hash(b"1"), leaf_hash(b"2")
    root = root_of([first, second])
    with pytest.raises(BadProof, match="too short"):
        verify_inclusion(first, 0, 3, [second], root)
    with pytest.raises(BadProof, match="too short"):
        verify_consistency(1, 3, [second], first, root)


def _wrong(proof: list[bytes], rng: random.Random) -> list[list[bytes]]:
    found = [[*proof, leaf_hash(b"more")]]
    if proof:
        at = rng.randrange(len(proof))
        found += [proof[:at] + proof[at + 1 :], [*proof[:at], leaf_hash(b"?"), *proof[at + 1 :]]]
    if len(proof) > 1:
        found.append([proof[1], proof[0], *proof[2:]])
    return found


def test_a_compact_range_goes_on_from_its_hashes() -> None:
    hashes = [leaf_hash(leaf) for leaf in leaves_of(300)]
    half = CompactRange.over(hashes[:173])
    again = CompactRange(half.size, half.hashes)
    for leaf in hashes[173:]:
        again.append(leaf)
    assert again.root() == root_of(hashes)


def test_a_tile_that_is_missing_or_short_is_noticed() -> None:
    _, tiles = grown(300)
    node = Node(3, 20)
    with pytest.raises(KeyError):
        node_hashes([node], {})
    short = {tile_of(node): tiles[tile_of(node)][: 32 * 166]}
    with pytest.raises(KeyError):
        node_hashes([node], short)
