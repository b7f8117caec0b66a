"""/v1/instances/{ref}/extensions: packages that are added to a site; jobs alone change them."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app import services
from app.api.access import READ
from app.api.documented import problems
from app.api.handles import Here
from app.api.job_parts import Named
from app.api.pages import Page, PagedByName
from app.api.refs import ExtensionName, Ref
from app.api.route import router as routes_of
from app.domain.extension import ExtensionStatus
from app.domain.extension_host import ExtensionHostStatus
from app.services.extensions import ExtensionView
from app.services.extensions import HostOfExtension as OnHost

router = routes_of("extensions")

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
_EXAMPLE: JsonDict = {
    "id": _ID,
    "name": "guestbook-stars",
    "version": "1.2.0",
    "status": "enabled",
    "source": {
        "package": "guestbook_stars",
        "version": "1.2.0",
        "url": None,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "wheel": "guestbook_stars-1.2.0-py3-none-any.whl",
    },
    "settings": {"APP": "guestbook_stars"},
    "requires": ["django-taggit"],
    "hosts": [
        {
            "host": {"id": _ID, "name": "web-1"},
            "stamp": "1.2.0",
            "status": "installed",
            "error": None,
            "app_server": {"id": _ID, "name": "AppServer 3"},
            "at": "2026-11-22T05:00:09Z",
        }
    ],
    "serving": {"version": "1.2.0", "enabled": True},
    "load_error": None,
    "error": None,
    "last_job": _ID,
    "created_at": "2026-11-22T05:00:00Z",
    "updated_at": "2026-11-22T05:00:09Z",
}


class ExtensionSource(BaseModel):
    """PyPI; or an archive with its digest; or, with a digest and no `url`, an uploaded wheel."""

    #: As it was asked for.
    package: str
    version: str
    url: str | None = None
    sha256: str | None = None
    #: The file's name, of an uploaded wheel.
    wheel: str | None = None


class HostOfExtension(BaseModel):
    """What the last job found of it on one host."""

    host: Named
    #: The version that stands in the release; null: none can be read.
    stamp: str | None
    status: ExtensionHostStatus
    error: dict[str, Any] | None
    #: Whose release it was looked for in.
    app_server: Named | None
    #: When.
    at: datetime

    @classmethod
    def of(cls, found: OnHost) -> Self:
        row = found.row
        server = None
        if row.app_server_id is not None and found.app_server is not None:
            server = Named(id=row.app_server_id, name=found.app_server)
        return cls(
            **row.model_dump(include={"stamp", "status", "error", "at"}),
            host=Named(id=row.host_id, name=found.host),
            app_server=server,
        )


class Serving(BaseModel):
    """What visitors have of it now."""

    version: str
    enabled: bool


class Extension(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    #: Of its package, normalized (PEP 503).
    name: str
    #: The one that is wanted.
    version: str
    #: `failed`: the last job that was about it; `load_error` and `error` say why.
    status: ExtensionStatus
    source: ExtensionSource
    settings: dict[str, Any]
    #: Extensions that are enabled before it.
    requires: list[str]
    hosts: list[HostOfExtension]
    #: In what serves, which may be an older release than the last job's; null: nothing of it.
    serving: Serving | None
    #: A message, an empty line, and the traceback.
    load_error: str | None
    #: As of a failed job.
    error: dict[str, Any] | None
    #: The newest job that was about it.
    last_job: UUID
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: ExtensionView) -> Self:
        row = view.extension
        return cls(
            **row.model_dump(include=set(cls.model_fields)),
            serving=Serving.model_validate(view.serving, from_attributes=True)
            if view.serving
            else None,
            hosts=[HostOfExtension.of(found) for found in view.hosts],
            last_job=row.last_job_id,
        )


@router.get("/instances/{ref}/extensions", responses=problems(404), dependencies=READ)
async def list_extensions(ref: Ref, cursor: PagedByName, here: Here) -> Page[Extension]:
    """By name. `POST /v1/jobs` installs, uninstalls, enables and disables them."""
    found = await services.extensions.list_page(
        here.db, ref, after=cursor.after, limit=cursor.limit
    )
    return cursor.page(found, lambda view: view.extension.name, Extension.of)


@router.get("/instances/{ref}/extensions/{name}", responses=problems(404), dependencies=READ)
async def get_extension(ref: Ref, name: ExtensionName, here: Here) -> Extension:
    """What is wanted of it, what each host has, and why it failed."""
    return Extension.of(await services.extensions.get(here.db, ref, name))
