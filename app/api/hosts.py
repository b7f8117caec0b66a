"""/v1/hosts: machines reached by SSH."""

from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from app import services
from app.api.access import ADMIN, READ, Admin
from app.api.body import JsonObject
from app.api.documented import BODY, GUARDED, merge_patch, problems
from app.api.etags import IfMatch, set_etag
from app.api.handles import Here
from app.api.host_view import FINGERPRINT, EnrolledHost, Host
from app.api.job_view import JobBody, accepted
from app.api.pages import Page, Paged
from app.api.refs import Ref
from app.api.route import router as routes_of
from app.domain.host_key import Fingerprint
from app.domain.host_spec import HostSpec
from app.domain.naming import Name

router = routes_of("hosts")


class Enrollment(BaseModel):
    """Without a fingerprint: read the host's key. With it: pin the key that was read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"fingerprint": FINGERPRINT}]}
    )

    fingerprint: Fingerprint | None = None


@router.post("/hosts", status_code=201, responses=BODY | problems(409), dependencies=ADMIN)
async def create_host(body: HostSpec, response: Response, here: Here) -> Host:
    """Register a host. It takes jobs once its key is pinned: see `enroll`."""
    view = await services.hosts.create(here.db, body)
    response.headers["Location"] = f"/v1/hosts/{view.host.id}"
    set_etag(response, view.host.version)
    return Host.of(view)


@router.get("/hosts", dependencies=READ)
async def list_hosts(
    cursor: Paged,
    here: Here,
    pool: Annotated[Name | None, Query(description="Only those of this pool.")] = None,
) -> Page[Host]:
    """Oldest first."""
    found = await services.hosts.list_page(
        here.db, after=cursor.after, limit=cursor.limit, pool=pool
    )
    return cursor.page(found, lambda view: view.host, Host.of)


@router.get("/hosts/{ref}", responses=problems(404), dependencies=READ)
async def get_host(ref: Ref, response: Response, here: Here) -> Host:
    """By name or id, with its fingerprints; the ETag is what a change needs in If-Match."""
    view = await services.hosts.get(here.db, ref)
    set_etag(response, view.host.version)
    return Host.of(view)


@router.patch(
    "/hosts/{ref}",
    responses=BODY | GUARDED,
    openapi_extra=merge_patch(HostSpec, {"capacity": 4, "pool": None}),
    dependencies=ADMIN,
)
async def change_host(
    ref: Ref, patch: JsonObject, if_match: IfMatch, response: Response, here: Here
) -> Host:
    """Change fields by JSON Merge Patch: objects are merged, null takes a value away."""
    view = await services.hosts.change(here.db, ref, patch, expected=if_match)
    set_etag(response, view.host.version)
    return Host.of(view)


@router.delete("/hosts/{ref}", status_code=204, responses=GUARDED, dependencies=ADMIN)
async def delete_host(ref: Ref, if_match: IfMatch, here: Here) -> None:
    """Forget a host that nothing is on any more. Nothing happens on the machine."""
    await services.hosts.delete(here.db, ref, expected=if_match)


@router.post(
    "/hosts/{ref}/enroll",
    response_model=EnrolledHost,
    responses=accepted("A job reads the key.") | BODY | problems(404, 409),
)
async def enroll_host(
    ref: Ref,
    body: Enrollment,
    response: Response,
    here: Here,
    token: Admin,
) -> Any:
    """Read the host's key (202, a job), or pin the key that was read (200)."""
    if body.fingerprint is not None:
        view = await services.hosts.confirm_key(here.db, ref, body.fingerprint)
        set_etag(response, view.host.version)
        replaced = view.replaced_fingerprint
        return EnrolledHost.of(view).model_copy(update={"replaced_fingerprint": replaced})
    job = await services.hosts.read_key(
        here.db, here.queue, here.vault, ref, actor=token.name, request_id=here.request_id
    )
    return JobBody.of(job).answer()
