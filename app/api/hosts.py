"""/v1/hosts: machines reached by SSH."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app import services
from app.api.access import ADMIN, READ, Admin
from app.api.body import JsonObject
from app.api.documented import BODY, GUARDED, merge_patch, problems
from app.api.etags import IfMatch, set_etag
from app.api.handles import Here
from app.api.job_view import JobBody, accepted
from app.api.pages import Page, Paged
from app.api.refs import Ref
from app.api.route import router as routes_of
from app.domain import host_key
from app.domain.host import HostStatus, Supervisor
from app.domain.host_key import Fingerprint
from app.domain.host_spec import HostSpec
from app.services.hosts import HostView

router = routes_of("hosts")

_FINGERPRINT = "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDqdFfOTd9C5gVqSEw"
_EXAMPLE: JsonDict = {
    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    "name": "web-1",
    "address": "web-1.example.org",
    "port": 22,
    "user": "deploy",
    "base_dir": "liftlock",
    "sudo": False,
    "jump_host": None,
    "supervisor": "systemd",
    "supervisor_options": {},
    "pool": None,
    "labels": {},
    "capacity": 2,
    "port_first": 20000,
    "port_last": 29999,
    "status": "ready",
    "enrolled": False,
    "host_key": None,
    "fingerprint": None,
    "pending_fingerprint": _FINGERPRINT,
    "version": 2,
    "created_at": "2026-11-21T05:00:00Z",
    "updated_at": "2026-11-21T05:00:00Z",
}


class Host(BaseModel):
    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    name: str
    address: str
    port: int
    user: str
    base_dir: str
    sudo: bool
    jump_host: str | None
    supervisor: Supervisor
    supervisor_options: dict[str, Any]
    pool: str | None
    labels: dict[str, Any]
    capacity: int
    port_first: int
    port_last: int
    status: HostStatus
    #: Whether its key is pinned; only then does Liftlock log in.
    enrolled: bool
    host_key: str | None
    fingerprint: str | None
    #: Of the key that the last enrolment read; confirm it to pin that key.
    pending_fingerprint: str | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: HostView) -> Self:
        host = view.host
        pinned = host.host_key
        return cls(
            **host.model_dump(include=set(cls.model_fields)),
            user=host.username,
            jump_host=view.jump_host,
            enrolled=pinned is not None,
            fingerprint=host_key.fingerprint(pinned) if pinned else None,
        )


class EnrolledHost(Host):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    **_EXAMPLE,
                    "enrolled": True,
                    "fingerprint": _FINGERPRINT,
                    "pending_fingerprint": None,
                    "replaced_fingerprint": None,
                }
            ]
        }
    )

    #: Of the key that was pinned before, when this one replaced it.
    replaced_fingerprint: str | None = None


class Enrollment(BaseModel):
    """Without a fingerprint: read the host's key. With it: pin the key that was read."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"fingerprint": _FINGERPRINT}]}
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
async def list_hosts(cursor: Paged, here: Here) -> Page[Host]:
    """Oldest first."""
    found = await services.hosts.list_page(here.db, after=cursor.after, limit=cursor.limit)
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
