"""/v1/instances: long-lived sites, their secrets and their app servers."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app import services
from app.api.access import DEPLOY, READ
from app.api.body import JsonObject
from app.api.documented import BODY, GUARDED, merge_patch, problems
from app.api.etags import IfMatch, set_etag
from app.api.handles import Here
from app.api.job_view import Named, app_server_url
from app.api.pages import Page, Paged
from app.api.refs import Ref, SecretName
from app.api.route import router as routes_of
from app.domain.app_server import AppServerStatus
from app.domain.instance_spec import InstanceSpec
from app.domain.spellings import MIN_SECRET
from app.services.instances import AppServerView, InstanceView

router = routes_of("instances")

_MOST_SECRET_BYTES = 64 * 1024
_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"


class Instance(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "name": "guestbook",
                    "recipe": "django@1",
                    "repository": "https://git.example.org/guestbook.git",
                    "revision": "v1",
                    "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
                    "domain": None,
                    "host": "web-1",
                    "prepared_at": None,
                    "participants_created": [],
                    "version": 1,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:00:00Z",
                }
            ]
        }
    )

    id: UUID
    name: str
    #: name@version: pinned when it was set.
    recipe: str
    repository: str
    revision: str
    settings: dict[str, Any]
    domain: str | None
    host: str | None
    prepared_at: datetime | None
    participants_created: list[str]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: InstanceView) -> Self:
        values = view.instance.model_dump(include=set(cls.model_fields))
        return cls(**values, recipe=view.recipe, host=view.host)


class AppServer(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": _ID,
                    "job_id": _ID,
                    "number": 1,
                    "name": "AppServer 1",
                    "revision": "v1",
                    "commit": "1f3c5d7e",
                    "release": "apps/guestbook/releases/v1-1",
                    "status": "running",
                    "is_active": False,
                    "port": 20000,
                    "url": "http://127.0.0.1:20000/",
                    "host": {"id": _ID, "name": "web-1"},
                    "recipe": "django@1",
                    "asset_release": "1f3c5d7e-1-0a6b8c11",
                    "settings": {"DJANGO_SETTINGS_MODULE": "guestbook.settings"},
                    "error": None,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:00:00Z",
                }
            ]
        }
    )

    id: UUID
    job_id: UUID
    number: int
    name: str
    revision: str
    commit: str | None
    release: str
    status: AppServerStatus
    is_active: bool
    port: int
    #: As seen on its host.
    url: str
    host: Named
    recipe: str | None
    #: Its static files, by the name of their release.
    asset_release: str | None
    #: What it was made with; never changed.
    settings: dict[str, Any]
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: AppServerView) -> Self:
        row = view.app_server
        return cls(
            **row.model_dump(include=set(cls.model_fields)),
            url=app_server_url(row),
            host=Named(id=row.host_id, name=view.host or ""),
            recipe=view.recipe,
            asset_release=view.asset_release,
        )


def _fits(value: str) -> str:
    if len(value.encode()) > _MOST_SECRET_BYTES:
        raise ValueError(f"a secret has at most {_MOST_SECRET_BYTES} bytes")
    return value


class SecretValue(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"value": "correct horse battery"}]}
    )

    #: Shorter ones could not be kept out of logs without blanking ordinary words.
    value: Annotated[str, AfterValidator(_fits), Field(min_length=MIN_SECRET)]


class Secret(BaseModel):
    """Its name; the value is never shown."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"name": "DATABASE_PASSWORD", "updated_at": "2026-11-21T05:00:00Z"}]
        }
    )

    name: str
    updated_at: datetime


@router.post("/instances", status_code=201, responses=BODY | problems(409), dependencies=DEPLOY)
async def create_instance(body: InstanceSpec, response: Response, here: Here) -> Instance:
    """Describe a site; secrets that its recipe generates are made now. Nothing runs yet."""
    view = await services.instances.create(here.db, here.vault, body)
    response.headers["Location"] = f"/v1/instances/{view.instance.id}"
    set_etag(response, view.instance.version)
    return Instance.of(view)


@router.get("/instances", dependencies=READ)
async def list_instances(cursor: Paged, here: Here) -> Page[Instance]:
    """Oldest first."""
    found = await services.instances.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda view: view.instance, Instance.of)


@router.get("/instances/{ref}", responses=problems(404), dependencies=READ)
async def get_instance(ref: Ref, response: Response, here: Here) -> Instance:
    """By name or id; the ETag is what a change needs in If-Match."""
    view = await services.instances.get(here.db, ref)
    set_etag(response, view.instance.version)
    return Instance.of(view)


@router.patch(
    "/instances/{ref}",
    responses=BODY | GUARDED,
    openapi_extra=merge_patch(InstanceSpec, {"revision": "v2", "settings": {"DEBUG": None}}),
    dependencies=DEPLOY,
)
async def change_instance(
    ref: Ref, patch: JsonObject, if_match: IfMatch, response: Response, here: Here
) -> Instance:
    """Change fields by JSON Merge Patch: settings are merged, null takes a value away."""
    view = await services.instances.change(here.db, here.vault, ref, patch, expected=if_match)
    set_etag(response, view.instance.version)
    return Instance.of(view)


@router.delete("/instances/{ref}", status_code=204, responses=GUARDED, dependencies=DEPLOY)
async def delete_instance(ref: Ref, if_match: IfMatch, here: Here) -> None:
    """Forget a site and its secrets. Its files on the host stay."""
    await services.instances.delete(here.db, ref, expected=if_match)


@router.get("/instances/{ref}/app-servers", responses=problems(404), dependencies=READ)
async def list_app_servers(ref: Ref, cursor: Paged, here: Here) -> Page[AppServer]:
    """Newest first."""
    found = await services.instances.app_servers(
        here.db, ref, after=cursor.after, limit=cursor.limit
    )
    return cursor.page(found, lambda view: view.app_server, AppServer.of)


@router.get("/instances/{ref}/secrets", responses=problems(404), dependencies=READ)
async def list_secrets(ref: Ref, here: Here) -> Page[Secret]:
    """Names only."""
    found = await services.secrets.list_names(here.db, instance=ref)
    return Page(items=[Secret(name=name, updated_at=at) for name, at in found])


@router.put("/instances/{ref}/secrets/{name}", responses=BODY | problems(404), dependencies=DEPLOY)
async def put_secret(ref: Ref, name: SecretName, body: SecretValue, here: Here) -> Secret:
    """Set or replace a secret; `DEPLOY_KEY` opens the repository."""
    at = await services.secrets.put(here.db, here.vault, instance=ref, name=name, value=body.value)
    return Secret(name=name, updated_at=at)


@router.delete(
    "/instances/{ref}/secrets/{name}", status_code=204, responses=problems(404), dependencies=DEPLOY
)
async def delete_secret(ref: Ref, name: SecretName, here: Here) -> None:
    """The running app servers keep the value they were started with."""
    await services.secrets.delete(here.db, instance=ref, name=name)
