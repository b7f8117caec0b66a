"""/healthz and /readyz: for whoever watches; no token needed."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict

from app import services
from app.api.documented import problems
from app.api.handles import Here
from app.api.problems import problem
from app.api.route import Route

router = APIRouter(
    tags=["health"],
    route_class=Route,
    generate_unique_id_function=lambda route: route.name,
)

_OK = services.health.OK


class Alive(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "alive"}]})

    status: str = "alive"


class Ready(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"status": "ready", "parts": {"database": "ok", "redis": "ok"}}]
        }
    )

    status: str = "ready"
    parts: dict[str, str]


@router.get("/healthz")
async def healthz() -> Alive:
    """The process answers."""
    return Alive()


@router.get("/readyz", response_model=Ready, responses=problems(503))
async def readyz(request: Request, here: Here) -> Response:
    """Postgres is reachable and migrated, and Redis answers; 503 names what does not."""
    parts = await services.health.check(here.db, here.queue)
    wrong = [f"{name}: {found}" for name, found in parts.items() if found != _OK]
    if wrong:
        detail = "; ".join(wrong) + "."
        return problem(request, code="unavailable", status=503, detail=detail, parts=parts)
    return JSONResponse(Ready(parts=parts).model_dump())
