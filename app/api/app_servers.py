"""/v1/app-servers: immutable deployments, put into service and out of it, and terminated."""

from typing import Annotated

from fastapi import Body, Response
from pydantic import BaseModel, ConfigDict, Field

from app import services
from app.api.access import READ, Deployer
from app.api.app_server_answers import ACTIVATED, DEACTIVATED, TERMINATED
from app.api.app_server_view import AppServer
from app.api.documented import problems
from app.api.handles import Handles, Here
from app.api.job_answer import answer
from app.api.job_order import AppServerRefs, Drain, Gone, GoneReason, Partial, Watch, WithData
from app.api.job_view import JobBody
from app.api.pages import Page, Paged
from app.api.preferences import Patience, Wait
from app.api.refs import AppServerRef, Ref
from app.api.route import router as routes_of
from app.domain.job import JobKind
from app.models import Token
from app.services.requests import JobRequest

router = routes_of("app-servers")


class Activation(BaseModel):
    """What goes into service with it, and how."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"drain": 30, "watch": 60}, {"app_servers": ["guestbook:4"]}]
        },
    )

    app_servers: Annotated[
        AppServerRefs,
        Field(
            description="Others that go along. None: what runs of its deployment does, unless"
            " `partial`."
        ),
    ] = ()
    partial: Partial = False
    drain: Drain = None
    watch: Watch = None


class Deactivation(BaseModel):
    """How it goes out of service, unless somebody states that it is gone already."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"drain": 30}, {"gone": True, "reason": "its data center burned down"}]
        },
    )

    drain: Drain = None
    gone: Gone = False
    reason: GoneReason = None


class Termination(BaseModel):
    """It is stopped and removed, unless somebody states that it is gone already."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{}, {"gone": True, "reason": "the machine was scrapped, ticket 4711"}]
        },
    )

    gone: Gone = False
    reason: GoneReason = None
    with_data: WithData = False


@router.get("/app-servers/{ref}", responses=problems(404), dependencies=READ)
async def get_app_server(ref: AppServerRef, here: Here) -> AppServer:
    """By its id, or as INSTANCE:NUMBER. It has no PATCH: what it was made with never changes."""
    return AppServer.of(await services.app_servers.get(here.db, ref))


@router.get("/instances/{ref}/app-servers", responses=problems(404), dependencies=READ)
async def list_app_servers(ref: Ref, cursor: Paged, here: Here) -> Page[AppServer]:
    """Newest first."""
    found = await services.app_servers.list_of_instance(
        here.db, ref, after=cursor.after, limit=cursor.limit
    )
    return cursor.page(found, lambda view: view.app_server, AppServer.of)


@router.post(
    "/app-servers/{ref}/activate",
    status_code=202,
    response_model=JobBody,
    responses=ACTIVATED,
)
async def activate_app_server(
    ref: AppServerRef,
    here: Here,
    token: Deployer,
    wait: Wait,
    body: Annotated[Activation, Body(default_factory=Activation)],
) -> Response:
    """Put it into service, and out of it what is there now; an older one that runs is the way back.

    The job asks it first, switches without losing a request, reads back, lets connections to the
    old ones end, and watches the site: when that answers wrongly, it is turned back and the job
    fails with `site-broken`. With `Prefer: wait=25` the answer comes when the job has ended (200).
    """
    request = JobRequest(
        kind=JobKind.ACTIVATE,
        app_server=await _id(here, ref),
        app_servers=body.app_servers,
        partial=body.partial,
        drain=body.drain,
        watch=body.watch,
    )
    return await _ask(here, token, wait, request)


@router.post(
    "/app-servers/{ref}/deactivate",
    status_code=202,
    response_model=JobBody,
    responses=DEACTIVATED,
)
async def deactivate_app_server(
    ref: AppServerRef,
    here: Here,
    token: Deployer,
    wait: Wait,
    body: Annotated[Deactivation, Body(default_factory=Deactivation)],
) -> Response:
    """Take it out of service; it goes on running, and others that are in service stay there.

    Without another one visitors get 503 and a page that asks them to come again. With `gone` no
    host is asked, not even that of the router, which is told by a job of its own.
    """
    request = JobRequest(
        kind=JobKind.DEACTIVATE,
        app_server=await _id(here, ref),
        drain=body.drain,
        gone=body.gone,
        reason=body.reason,
    )
    return await _ask(here, token, wait, request)


@router.post(
    "/app-servers/{ref}/terminate",
    status_code=202,
    response_model=JobBody,
    responses=TERMINATED,
)
async def terminate_app_server(
    ref: AppServerRef,
    here: Here,
    token: Deployer,
    wait: Wait,
    body: Annotated[Termination, Body(default_factory=Termination)],
) -> Response:
    """Stop it and remove its files. Done again it changes nothing; one in service is refused.

    While nobody can tell whether it is gone the job fails with `unconfirmed-gone`; ask again later.
    With `gone` nothing is stopped or removed, and no host is asked: it is recorded as terminated,
    with the reason and who gave it. The last one takes a machine that a provider made along; when
    the site's only data is on it, that needs `with_data`.
    """
    request = JobRequest(
        kind=JobKind.TERMINATE,
        app_server=await _id(here, ref),
        gone=body.gone,
        reason=body.reason,
        with_data=body.with_data,
    )
    return await _ask(here, token, wait, request)


async def _id(here: Handles, ref: str) -> str:
    """What the path names is a thing that is there or not (404), no field of a body (422)."""
    return str((await services.app_servers.get(here.db, ref)).app_server.id)


async def _ask(here: Handles, token: Token, wait: Patience, request: JobRequest) -> Response:
    view, is_new = await services.requests.request(
        here.db,
        here.queue,
        here.vault,
        request=request,
        actor=token.name,
        request_id=here.request_id,
    )
    return answer(here, view, is_new=is_new, wait=wait)
