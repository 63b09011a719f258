"""Whom a pool is open to (A32): one rule for those who look and those who take."""

import pytest

from aggregates.directory.scope import opens, scope_of
from aggregates.directory.state import Person
from aggregates.policy.ownership import PoolRules

PEOPLE = {
    "chen": Person(name="chen", role="sales", team="east"),
    "li": Person(name="li", role="sales", team="south"),
    "boss": Person(name="boss", role="admin"),
}
FOR_ALL, EAST_ONLY = PoolRules(name="公海"), PoolRules(name="east", teams=("east",))


@pytest.mark.parametrize(
    ("name", "role", "east"),
    [("chen", "sales", True), ("li", "sales", False), ("boss", "admin", True),
     ("nobody", "sales", False)],
)  # fmt: skip
def test_a_pool_is_open_to_its_teams_and_to_administrators(
    name: str, role: str, *, east: bool
) -> None:
    scope = scope_of(name, role, PEOPLE, {})
    assert opens(FOR_ALL, scope, PEOPLE)
    assert opens(EAST_ONLY, scope, PEOPLE) is east
