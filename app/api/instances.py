"""/v1/instances: long-lived sites, and their secrets."""

from datetime import datetime
from typing import Annotated

from fastapi import Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app import services
from app.api.access import DEPLOY, READ, Deployer
from app.api.body import JsonObject
from app.api.documented import BODY, GUARDED, merge_patch, problems
from app.api.etags import IfMatch, set_etag
from app.api.handles import Here
from app.api.instance_view import Instance
from app.api.pages import Page, Paged
from app.api.refs import Ref, SecretName
from app.api.route import router as routes_of
from app.domain.instance_spec import InstanceSpec
from app.domain.spellings import MIN_SECRET
from app.services import providers
from app.services.job_request import Terms

router = routes_of("instances")

_MOST_SECRET_BYTES = 64 * 1024


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
    providers.check(body.provider, here.providers)
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
)
async def change_instance(
    ref: Ref,
    *,
    patch: JsonObject,
    if_match: IfMatch,
    response: Response,
    here: Here,
    token: Deployer,
) -> Instance:
    """Change fields by JSON Merge Patch: settings are merged, null takes a value away.

    Running app servers keep what they were made with. Its router is told of another domain or TLS
    at once; it has to have nothing in service to get another router.
    """
    providers.check(patch.get("provider"), here.providers)
    view = await services.instances.change(
        here.db,
        here.queue,
        here.vault,
        ref,
        patch,
        expected=if_match,
        terms=Terms(actor=token.name, request_id=here.request_id),
    )
    set_etag(response, view.instance.version)
    return Instance.of(view)


@router.delete("/instances/{ref}", status_code=204, responses=GUARDED, dependencies=DEPLOY)
async def delete_instance(ref: Ref, if_match: IfMatch, here: Here) -> None:
    """Forget a site and its secrets; it has no router and no living app server. Files stay."""
    await services.instances.delete(here.db, ref, expected=if_match)


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
