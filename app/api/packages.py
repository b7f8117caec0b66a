"""/v1/packages: wheels that people upload, for extensions that are on no index."""

from datetime import datetime
from typing import Annotated, Self

from fastapi import Query, Request, Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app import services
from app.api.access import DEPLOY, READ, Deployer
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.pages import Page, PagedByName
from app.api.refs import PackageHash
from app.api.route import router as routes_of
from app.domain.wheel import FILENAME, LONGEST_FILENAME, MOST_BYTES
from app.models import Package as Row
from app.store.packages import place

router = routes_of("packages")

_NAME = "guestbook_stars-1.2.0-py3-none-any.whl"
_EXAMPLE: JsonDict = {
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "filename": _NAME,
    "name": "guestbook-stars",
    "version": "1.2.0",
    "size": 21_406,
    "created_at": "2026-11-22T05:00:00Z",
    "actor": "deployer",
}
_WHEEL = {
    "schema": {"type": "string", "format": "binary", "maxLength": MOST_BYTES},
    "example": "PK…",
}
_UPLOAD = {"requestBody": {"required": True, "content": {"application/octet-stream": _WHEEL}}}
_LOCATION = {"Location": {"description": "Where it is.", "schema": {"type": "string"}}}


class Package(BaseModel):
    """A wheel; its content goes to the hosts that need it, and nowhere else."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    sha256: str
    filename: str
    #: Normalized (PEP 503).
    name: str
    version: str
    #: Bytes.
    size: int
    created_at: datetime
    #: Who uploaded it.
    actor: str | None

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(**{name: getattr(row, name) for name in cls.model_fields})


@router.post(
    "/packages",
    status_code=201,
    openapi_extra=_UPLOAD,
    responses=BODY
    | {
        200: {
            "model": Package,
            "description": "It is there already.",
            "headers": _LOCATION,
        },
        201: {"model": Package, "description": "It is kept.", "headers": _LOCATION},
    },
)
async def upload_package(
    request: Request,
    response: Response,
    here: Here,
    token: Deployer,
    filename: Annotated[
        str,
        Query(
            pattern=FILENAME,
            max_length=LONGEST_FILENAME,
            description="As the build called it (PEP 427).",
            examples=[_NAME],
        ),
    ],
) -> Package:
    """Upload a wheel of at most 50 MB (201); 200 when one with the same bytes is there already.

    An `install` then names its `sha256`. What is no wheel of that name is refused.
    """
    row, is_new = await services.packages.upload(
        here.db, filename=filename, content=await request.body(), actor=token.name
    )
    response.headers["Location"] = f"/v1/packages/{row.sha256}"
    response.status_code = 201 if is_new else 200
    return Package.of(row)


@router.get("/packages", dependencies=READ)
async def list_packages(cursor: PagedByName, here: Here) -> Page[Package]:
    """By name."""
    found = await services.packages.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, place, Package.of)


@router.get("/packages/{sha256}", responses=problems(404), dependencies=READ)
async def get_package(sha256: PackageHash, here: Here) -> Package:
    """What it is; its content is not shown."""
    return Package.of(await services.packages.get(here.db, sha256))


@router.delete(
    "/packages/{sha256}", status_code=204, responses=problems(404, 409), dependencies=DEPLOY
)
async def delete_package(sha256: PackageHash, here: Here) -> None:
    """Remove it; 409 while an extension, an app server in service or an open job needs it."""
    await services.packages.remove(here.db, sha256)
