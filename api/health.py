"""Is the service alive, and is it ready to be used."""

from fastapi import APIRouter
from starlette.responses import JSONResponse

from api.service import Service
from commands.ports import Unavailable

MOST_BEHIND = 10_000


def router(service: Service) -> APIRouter:
    """Both need no token: they tell nothing of the data but how much there is."""
    routes = APIRouter(prefix="/health", tags=["operations"])

    @routes.get("/live", openapi_extra={"security": []})
    async def live() -> JSONResponse:
        """The process answers."""
        return JSONResponse({"status": "ok"})

    @routes.get(
        "/ready", openapi_extra={"security": []}, responses={503: {"description": "Why not"}}
    )
    async def ready() -> JSONResponse:
        """The database answers and no read model is far behind the log."""
        try:
            condition = await service.reads.condition()
        except Unavailable as error:
            return JSONResponse({"status": "unavailable", "problems": [str(error)]}, 503)
        end = condition["position"]
        lags = {name: end - at for name, at in condition["projections"].items()}
        found = [
            f"{name} is {lag} events behind the log: does a worker run?"
            for name, lag in lags.items()
            if lag > MOST_BEHIND
        ]
        body = {"status": "behind" if found else "ok", "position": end, "lag": lags}
        return JSONResponse({**body, "problems": found}, 503 if found else 200)

    return routes
