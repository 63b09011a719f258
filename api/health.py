"""Is the service alive, and is it ready to be used."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import APIRouter
from starlette.responses import JSONResponse

from api.service import Health, Service
from commands.ports import Unavailable

LATE_SECONDS = 120.0
"""A timer or a checkpoint that is so late says that nobody looks after it."""
LITTLE_DISK = 0.1


def router(service: Service) -> APIRouter:
    """Both need no token: they tell nothing of the data but how much there is."""
    routes = APIRouter(prefix="/health", tags=["operations"])
    health = service.health

    @routes.get("/live", openapi_extra={"security": []})
    async def live() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @routes.get(
        "/ready", openapi_extra={"security": []}, responses={503: {"description": "Why not"}}
    )
    async def ready() -> JSONResponse:
        """Whether requests should come here, and what is wrong.

        503: the process ends, or the database does not answer or has another schema. What only a
        worker can mend, such as read models that are too old (`behind`), has 200: it is no better
        at any other process, and commands are still taken.
        """
        if health.draining:
            return _not("draining", "the service is ending: ask another one")
        try:
            signs = await health.signs()
        except Unavailable as error:
            return _not("unavailable", str(error))
        behind = list(_behind(signs, health))
        degraded = list(_degraded(signs, health.seal_seconds))
        status = "behind" if behind else "degraded" if degraded else "ok"
        lags = {name: found["events"] for name, found in sorted(signs["projections"].items())}
        body = {"status": status, "position": signs["position"], "lag": lags}
        return JSONResponse({**body, "problems": behind + degraded})

    return routes


def _not(status: str, problem: str) -> JSONResponse:
    return JSONResponse({"status": status, "problems": [problem]}, 503)


def _behind(signs: Mapping[str, Any], health: Health) -> Iterator[str]:
    for name, found in sorted(signs["projections"].items()):
        if found["seconds"] > health.ready_lag_seconds:
            yield (
                f"{name} lacks {found['events']} events, the oldest {found['seconds']:.0f} s old:"
                " does a worker run?"
            )


def _degraded(signs: Mapping[str, Any], seal_seconds: float) -> Iterator[str]:
    if idle := sorted(duty for duty, held in signs["leases"].items() if not held):
        yield f"no worker has {', '.join(idle)}: start `leadlog worker`"
    if parked := sorted(name for name, found in signs["projections"].items() if found["parked"]):
        yield f"events are parked in {', '.join(parked)}: see `leadlog projections list`"
    if signs["timer_overdue"] > LATE_SECONDS:
        yield f"timers are {signs['timer_overdue']:.0f} s late: see the log of `leadlog worker`"
    if signs["unsealed_seconds"] > seal_seconds + LATE_SECONDS:
        yield (
            f"{signs['unsealed']} events, the oldest {signs['unsealed_seconds']:.0f} s old, are in"
            " no checkpoint: see the log of `leadlog worker`"
        )
    if signs.get("disk_free", 1.0) < LITTLE_DISK:
        yield f"{signs['disk_free']:.0%} of the database's disk are free: make room"
