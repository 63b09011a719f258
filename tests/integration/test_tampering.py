"""T11: a row of a copy is changed behind the triggers' back; the verifier names its position."""

from collections.abc import Iterator
from random import Random

import pytest

from adapters.embedded import Cluster
from tests.integration.tampered import (
    EVENTS,
    SIZES,
    UNCOVERED,
    Covered,
    change_state,
    change_stream,
    change_time,
    change_topic,
    change_version,
    check,
    copied,
    covered_log,
    delete,
    delete_and_close_up,
    double,
    endless_time,
    flip_state,
    insert,
    swap,
    swap_contents,
    tamper,
    truncate,
)
from tests.proving import GoVerifier, build_verifier, stored
from tests.seed import SEED
from tests.size import size

ROUNDS = size(60, 2_000)
HOW = (
    flip_state, change_state, change_topic, change_time, endless_time, change_version,
    change_stream, delete, delete_and_close_up, insert, double, swap, swap_contents, truncate,
)  # fmt: skip


@pytest.fixture(scope="module")
def go(tmp_path_factory: pytest.TempPathFactory) -> GoVerifier:
    return build_verifier(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def original(
    cluster: Cluster, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Covered]:
    with covered_log(cluster, template, tmp_path_factory.mktemp("keys")) as log:
        yield log


@pytest.fixture
def copy(cluster: Cluster, original: Covered) -> Iterator[str]:
    with copied(cluster, original.name) as name:
        yield cluster.dsn(name)


def position_of(rng: Random) -> int:
    """Anywhere, and often where checkpoints and tiles begin and end."""
    edges = [n + d for n in SIZES for d in (-1, 0, 1) if 1 <= n + d <= EVENTS]
    return rng.choice([rng.choice(edges), rng.randint(1, EVENTS)])


@pytest.mark.parametrize("number", range(ROUNDS))
def test_the_verifier_names_the_position_and_go_agrees(
    cluster: Cluster, original: Covered, go: GoVerifier, number: int
) -> None:
    print(f"SEED={SEED}")
    rng = Random(SEED + number)
    how, position = HOW[number % len(HOW)], position_of(rng)
    with copied(cluster, original.name) as name:
        dsn = cluster.dsn(name)
        tamper(dsn, how, position, rng)
        expected = position
        if how is swap_contents:
            expected = first_difference(cluster.dsn(original.name), dsn)
        fault = check(dsn).fault
        assert fault
        if how is double:  # the second row at the position may be either one
            assert fault.position == position, (how, position, str(fault))
            return
        assert fault.position == expected, (how, expected, str(fault))
        assert go_names(go, original, dsn) == expected


def first_difference(one: str, other: str) -> int:
    pairs = zip(stored(one), stored(other), strict=True)
    return next(a.position for a, b in pairs if a != b)


def go_names(go: GoVerifier, original: Covered, dsn: str) -> int:
    """The first position of which Go says that no such event is in the signed tree."""
    rows = {event.position: event for event in stored(dsn)}
    requests = [
        {
            "leaf": rows[position].leaf() if position in rows else b"",
            "index": position - 1, "size": EVENTS, "root": original.root, "proof": proof,
        }
        for position, proof in enumerate(original.proofs, 1)
    ]  # fmt: skip
    return go.verdicts(requests).index(False) + 1


def test_an_untouched_copy_verifies(copy: str, original: Covered, go: GoVerifier) -> None:
    checked = check(copy)
    assert checked.fault is None
    assert (checked.events, checked.covered) == (EVENTS + UNCOVERED, EVENTS)
    assert checked.checkpoints == len(SIZES)
    with pytest.raises(ValueError, match="not in list"):
        go_names(go, original, copy)


def test_an_event_behind_the_last_checkpoint_is_checked_for_order(copy: str) -> None:
    """Until a checkpoint covers it, order and readability are all that can be told."""
    tamper(copy, delete, EVENTS + 3, Random(1))
    assert "position 643 is missing" in str(check(copy).fault)
