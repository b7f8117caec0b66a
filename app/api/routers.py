"""/v1/routers: programs that pass requests on to active app servers."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from app import services
from app.api.access import ADMIN, READ, Admin, Deployer
from app.api.body import JsonObject
from app.api.documented import BODY, GUARDED, conflicts, merge_patch, problems
from app.api.etags import IfMatch, set_etag
from app.api.handles import Here
from app.api.instance_view import Drift
from app.api.pages import Page, Paged
from app.api.refs import Ref
from app.api.route import router as routes_of
from app.domain.router import CAPABILITIES, RouterKind, TlsMode
from app.domain.router_spec import RouterSpec
from app.services.job_request import Terms
from app.services.routers import RouterView

router = routes_of("routers")

_TAKEN = conflicts(
    "already-exists", at="/v1/routers", detail="There is already a router named 'edge'."
)
_USED = conflicts(
    "in-use",
    at="/v1/routers/edge",
    detail="Router edge stays while instances have it: guestbook.",
    hint="Take it away from them first: liftlock instances set guestbook --router ''",
)

_SWITCHED_OFF = "Looks are switched off: LIFTLOCK_ROUTER_LOOK_SECONDS is 0."

Gone = Annotated[
    bool, Query(description="It is gone for good: what it should have forgotten is let be.")
]


class DriftOfInstance(Drift):
    instance: str


class Router(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
                    "name": "edge",
                    "kind": "nginx",
                    "host": "web-1",
                    "options": {},
                    "tls_modes": ["files", "off"],
                    "holds": False,
                    "looked_at": "2026-11-21T06:00:00Z",
                    "look_error": None,
                    "drifts": [
                        {
                            "instance": "guestbook",
                            "at": "2026-11-21T06:00:00Z",
                            "found": "found: 127.0.0.1:8101, wanted: 127.0.0.1:8102",
                            "repaired_at": "2026-11-21T06:00:03Z",
                        }
                    ],
                    "behind": [],
                    "forgetting": [],
                    "version": 1,
                    "created_at": "2026-11-21T05:00:00Z",
                    "updated_at": "2026-11-21T05:00:00Z",
                }
            ]
        }
    )

    id: UUID
    name: str
    kind: RouterKind
    #: Where its program runs.
    host: str
    #: With the defaults of its kind.
    options: dict[str, Any]
    #: Which `tls` instances may ask of it.
    tls_modes: list[TlsMode]
    #: Whether it can hold requests back while no app server answers.
    holds: bool
    #: When it was read back last, for everything that no job was about.
    looked_at: datetime | None
    #: Why it could not be asked then; None: it could.
    look_error: str | None
    #: The last time that it was not as wanted, of each instance that has it.
    drifts: list[DriftOfInstance]
    #: Instances for which it is not as wanted now; each tells when that is tried next.
    behind: list[str]
    #: Instances that have another router now, or none, and that it has not forgotten yet.
    forgetting: list[str]
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, view: RouterView) -> Self:
        able = CAPABILITIES[view.router.kind]
        values = view.router.model_dump(include=set(cls.model_fields))
        return cls(
            **values,
            **vars(view.standing),
            host=view.host,
            tls_modes=sorted(able.tls),
            holds=able.holds,
        )


class Synced(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"jobs": ["0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12"], "no_look": None}]
        }
    )

    #: Those that were made now; what differs from what is wanted is looked for besides.
    jobs: list[UUID]
    #: Why nobody looks at it next; None: a worker does, within seconds.
    no_look: str | None


@router.post("/routers", status_code=201, responses=BODY | _TAKEN, dependencies=ADMIN)
async def create_router(body: RouterSpec, response: Response, here: Here) -> Router:
    """Register a router that runs on a host. Nothing happens there until an instance has it."""
    view = await services.routers.create(here.db, body)
    response.headers["Location"] = f"/v1/routers/{view.router.id}"
    set_etag(response, view.router.version)
    return Router.of(view)


@router.get("/routers", dependencies=READ)
async def list_routers(cursor: Paged, here: Here) -> Page[Router]:
    """Oldest first."""
    found = await services.routers.list_page(here.db, after=cursor.after, limit=cursor.limit)
    return cursor.page(found, lambda view: view.router, Router.of)


@router.get("/routers/{ref}", responses=problems(404), dependencies=READ)
async def get_router(ref: Ref, response: Response, here: Here) -> Router:
    """By name or id, with what it can do; the ETag is what a change needs in If-Match."""
    view = await services.routers.get(here.db, ref)
    set_etag(response, view.router.version)
    return Router.of(view)


@router.patch(
    "/routers/{ref}",
    responses=BODY | GUARDED | _USED,
    openapi_extra=merge_patch(RouterSpec, {"name": "edge-2"}),
    dependencies=ADMIN,
)
async def change_router(
    ref: Ref, patch: JsonObject, if_match: IfMatch, response: Response, here: Here
) -> Router:
    """Change fields by JSON Merge Patch; other options are told to it for each of its instances.

    Its kind and its host stay while an instance has it.
    """
    view = await services.routers.change(here.db, ref, patch, expected=if_match)
    set_etag(response, view.router.version)
    return Router.of(view)


@router.delete("/routers/{ref}", status_code=204, responses=GUARDED | _USED)
async def delete_router(
    ref: Ref, if_match: IfMatch, here: Here, token: Admin, *, gone: Gone = False
) -> None:
    """Forget a router that no instance has any more. Nothing happens on its host."""
    by = token.name if gone else None
    await services.routers.delete(here.db, ref, expected=if_match, gone_by=by)


@router.post("/routers/{ref}/sync", status_code=202, responses=problems(404))
async def sync_router(ref: Ref, here: Here, token: Deployer) -> Synced:
    """Tell it at once what it is behind with, whatever failed before, and look at it next.

    Both happen by themselves as well, a while later. What was found then stands at the router.
    """
    terms = Terms(token.name, request_id=here.request_id)
    jobs = await services.dirty_routes.sync(here.db, here.queue, ref, terms)
    why = await services.router_looks.why_none(here.db, ref) if here.looks else _SWITCHED_OFF
    return Synced(jobs=jobs, no_look=why)
