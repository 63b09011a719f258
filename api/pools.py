"""The pools, and the leads in them, for those who may claim them (A32)."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from aggregates.directory.scope import opens
from api.lead_json import row_json
from api.openapi import problems
from api.problems import not_found
from api.reading import Page, Text, allowed, at_most, caught_up, decode_cursor, listed
from api.service import Service
from commands.caller import Principal


class PoolFilter(Page):
    """Which pool to look into."""

    pool: Text | None = None
    """All that are open to the caller, if not given."""


def router(service: Service) -> APIRouter:
    """The read of pools."""
    routes = APIRouter(
        prefix="/v1", tags=["pools"], responses=problems(404), default_response_class=Response
    )
    reader = Depends(allowed(service, "pool.read"))

    @routes.get("/pools")
    async def list_pools(
        query: Annotated[PoolFilter, Query()], principal: Annotated[Principal, reader]
    ) -> Response:
        """Pools open to the caller and the leads in them, the longest there first.

        Contact details are shown once a lead is claimed.
        """
        pools = await open_pools(service, principal)
        if query.pool and query.pool not in pools:
            raise not_found("there is no such pool")
        await caught_up(service, query)
        wanted = [query.pool] if query.pool else list(pools)
        after = decode_cursor(query.cursor, int) if query.cursor else 0
        limit = at_most(query.limit, service)
        position, rows = await service.reads.pooled(wanted, after, limit)
        items = [row_json(row, service.zone) for row in rows]
        shown = [pools[name] for name in wanted]
        last = rows[-1]["position"] if rows else None
        return listed(items, position, limit, last, pools=shown)

    return routes


async def open_pools(service: Service, principal: Principal) -> Mapping[str, Mapping[str, Any]]:
    """The pools open to a person, by name, with their limits."""
    register = await service.registry.current()
    scope = register.scope(principal.name, principal.role)
    return {
        pool.name: {
            "name": pool.name,
            "claims_per_day": pool.claims_per_day,
            "owned_at_most": pool.owned_at_most,
        }
        for pool in register.policies.pool.rules.pools
        if opens(pool, scope, register.people)
    }
