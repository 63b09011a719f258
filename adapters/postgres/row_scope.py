"""The leads within a scope, in SQL: what `Scope.sees` says, over the table `leads`."""

from collections.abc import Mapping
from typing import Any

from aggregates.directory.scope import Scope

_NOBODYS = "{0}.owner IS NULL AND {0}.pool IS NULL"
WITHIN = (
    "(%(everything)s OR {0}.pool IS NULL AND {0}.shared_with @> ARRAY[%(person)s::text]"
    f" OR {_NOBODYS} AND (%(unowned)s OR {{0}}.entered_by = %(person)s)"
    " OR {0}.owner = ANY (%(owners)s) OR {0}.owner IS NOT NULL AND {0}.team = ANY (%(teams)s))"
)


def within(alias: str) -> str:
    """The condition on one row, with the placeholders of `arguments`."""
    return WITHIN.format(alias)


def arguments(scope: Scope) -> dict[str, Any]:
    """The values of the placeholders."""
    return {
        "person": scope.person,
        "everything": scope.everything,
        "unowned": scope.unowned,
        "owners": sorted(scope.owners),
        "teams": sorted(scope.teams),
    }


def branches(scope: Scope) -> Mapping[str, str]:
    """The same as a union: what is joined laterally with `leads l`, and the condition on `l` there.

    Each has an index that holds it in the order of capture, so that a page costs what it shows.
    """
    nobodys = _NOBODYS.format("l")
    return {
        "unnest(%(owners)s::text[]) AS own (name)": "l.owner = own.name",
        "unnest(%(teams)s::text[]) AS own (name)": "l.team = own.name AND l.owner IS NOT NULL",
        "(SELECT) AS shared": (
            "cardinality(l.shared_with) > 0 AND l.shared_with @> ARRAY[%(person)s::text]"
            " AND l.pool IS NULL"
        ),
        "(SELECT) AS free": (
            nobodys if scope.unowned else f"{nobodys} AND l.entered_by = %(person)s"
        ),
    }
