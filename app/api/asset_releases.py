"""/v1/instances/{ref}/asset-releases: the static files of a site, one set for each app server."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app import services
from app.api.access import READ
from app.api.documented import problems
from app.api.handles import Here
from app.api.pages import Page, Paged
from app.api.refs import AssetReleaseRef, Ref
from app.api.route import router as routes_of
from app.domain.asset_release import AssetReleaseStatus
from app.models import AssetRelease as Row

router = routes_of("asset releases")

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
_NAME = "8f2b6c93d1a4-3-0a6b8c11"
_URL = "https://static.example.org/guestbook/"
_EXAMPLE: JsonDict = {
    "id": _ID,
    "release": _NAME,
    "instance_id": _ID,
    "app_server_id": _ID,
    "job_id": _ID,
    "revision": "8f2b6c93d1a45c0a1e7d42b98f2b6c93d1a45c0a",
    "status": "verified",
    "hash": "5d41402abc4b",
    "files": 1229,
    "bytes": 52_428_800,
    "new_files": 12,
    "new_bytes": 310_112,
    "reused_files": 1217,
    "copies": 2104,
    "warnings_total": 1,
    "errors_total": 0,
    "base_url": _URL,
    "manifest_url": f"{_URL}_releases/{_NAME}/assets.json",
    "verified_at": "2026-11-21T05:00:09Z",
    "created_at": "2026-11-21T05:00:04Z",
    "updated_at": "2026-11-21T05:00:09Z",
}
_COMMENT = "//# sourceMappingURL=app.js.map"
_PROBLEM: JsonDict = {
    "code": "missing-map",
    "message": f"js/app.js, line 41: {_COMMENT} refers to js/app.js.map, which is not there; "
    "did you mean js/apps.js.map?",
    "file": "js/app.js",
    "line": 41,
    "reference": _COMMENT,
    "nearest": ["js/apps.js.map"],
}


class AssetProblem(BaseModel):
    """What is wrong with a file: an error, or a warning where it was told to be lenient."""

    code: str
    message: str
    #: Below the root of the static files.
    file: str | None = None
    #: Counts from 1.
    line: int | None = None
    #: As it stands in the file.
    reference: str | None = None
    #: Files that exist, with the nearest names.
    nearest: list[str] = []


class AssetReleaseSummary(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    #: Its name in the store.
    release: str
    instance_id: UUID
    app_server_id: UUID
    job_id: UUID
    #: The exact commit or version.
    revision: str
    status: AssetReleaseStatus
    #: Of the manifest.
    hash: str | None
    #: Hashed files, and their bytes without the compressed copies.
    files: int
    bytes: int
    #: What its last publish put: one that went on after a crash counts only what was left to put.
    new_files: int
    new_bytes: int
    reused_files: int
    #: Compressed copies.
    copies: int
    warnings_total: int
    errors_total: int
    #: Browsers find its files below it.
    base_url: str | None
    manifest_url: str | None
    #: When each of its files answered with its bytes.
    verified_at: datetime | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: Row) -> Self:
        return cls(**row.model_dump(include=set(cls.model_fields)))


class AssetRelease(AssetReleaseSummary):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{**_EXAMPLE, "warnings": [_PROBLEM], "errors": []}]}
    )

    #: The first 200 of each.
    warnings: list[AssetProblem]
    errors: list[AssetProblem]


@router.get("/instances/{ref}/asset-releases", responses=problems(404), dependencies=READ)
async def list_asset_releases(
    ref: Ref, cursor: Paged, here: Here, status: AssetReleaseStatus | None = None
) -> Page[AssetReleaseSummary]:
    """Newest first; each has its warnings and errors under its own address."""
    found = await services.asset_releases.list_page(
        here.db, ref, after=cursor.after, limit=cursor.limit, status=status
    )
    return cursor.page(found, lambda row: row, AssetReleaseSummary.of)


@router.get("/instances/{ref}/asset-releases/{release}", responses=problems(404), dependencies=READ)
async def get_asset_release(ref: Ref, release: AssetReleaseRef, here: Here) -> AssetRelease:
    """By name or id: how many files are new, and what is wrong with which of them."""
    return AssetRelease.of(await services.asset_releases.get(here.db, ref, release))
