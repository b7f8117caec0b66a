"""/v1/jobs: ask for work, and read how it goes."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from app import services
from app.api.access import READ, Deployer, require
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.job_order import JobOrder
from app.api.job_view import JobBody, accepted
from app.api.pages import Limit, Page, Paged
from app.api.refs import Id, RefFilter
from app.api.route import router as routes_of
from app.domain.job import JobKind, JobStatus, StepStatus
from app.domain.scope import Scope
from app.services.jobs import JobRequest

router = routes_of("jobs")


class Event(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "seq": 7,
                    "at": "2026-11-21T05:00:02Z",
                    "type": "step.output",
                    "data": {"step": "checkout", "number": 4, "text": "HEAD is now at 1f3c\n"},
                }
            ]
        }
    )

    seq: int
    at: datetime
    type: str
    data: dict[str, Any]


class Events(BaseModel):
    """Events in order; `next` is the `after` of the next request, null when these are all."""

    items: list[Event]
    next: int | None


class JobStep(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "number": 4,
                    "name": "checkout",
                    "title": "Check out v1",
                    "status": "succeeded",
                    "attempt": 1,
                    "exit_code": 0,
                    "duration_ms": 412,
                    "facts": {"commit": "1f3c"},
                    "started_at": "2026-11-21T05:00:02Z",
                    "finished_at": "2026-11-21T05:00:02Z",
                }
            ]
        }
    )

    number: int
    name: str
    title: str
    status: StepStatus
    attempt: int
    exit_code: int | None
    duration_ms: int | None
    facts: dict[str, Any]
    started_at: datetime | None
    finished_at: datetime | None


class PlannedStep(BaseModel):
    """One step of the plan; a command shows its script and plain values, never a secret."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "examples": [
                {
                    "number": 4,
                    "name": "checkout",
                    "title": "Check out v1",
                    "when": "always",
                    "action": "command",
                    "script": "git fetch …",
                    "env": {"REVISION": "v1", "DEPLOY_KEY": "[secret]"},
                    "undo": None,
                }
            ]
        },
    )

    number: int
    name: str
    title: str


@router.post(
    "/jobs",
    status_code=202,
    response_model=JobBody,
    responses=accepted("The job is kept.") | BODY | problems(409),
)
async def create_job(
    body: JobOrder,
    here: Here,
    token: Deployer,
) -> Response:
    """Ask for work. The job is committed before the answer: nothing loses it.

    Reading a host's key (`enroll`) takes a token of scope admin.
    """
    if body.kind is JobKind.ENROLL:
        require(token, Scope.ADMIN)
    job = await services.jobs.request(
        here.db,
        here.queue,
        here.vault,
        request=JobRequest(**body.model_dump()),
        actor=token.name,
        request_id=here.request_id,
    )
    return JobBody.of(job).answer()


@router.get("/jobs", responses=problems(404), dependencies=READ)
async def list_jobs(
    cursor: Paged,
    here: Here,
    status: JobStatus | None = None,
    kind: JobKind | None = None,
    instance: RefFilter | None = None,
) -> Page[JobBody]:
    """Newest first."""
    found = await services.jobs.list_page(
        here.db, after=cursor.after, limit=cursor.limit, status=status, kind=kind, instance=instance
    )
    return cursor.page(found, lambda view: view.job, JobBody.of)


@router.get("/jobs/{job_id}", responses=problems(404), dependencies=READ)
async def get_job(job_id: Id, here: Here) -> JobBody:
    """The job as it stands: status, progress, who is in the way, and the error when it failed."""
    return JobBody.of(await services.jobs.get(here.db, job_id))


@router.get("/jobs/{job_id}/events", responses=problems(404), dependencies=READ)
async def list_job_events(
    job_id: Id,
    response: Response,
    here: Here,
    after: Annotated[int, Query(ge=0, le=2**53, description="The last `seq` you have.")] = 0,
    limit: Limit = 50,
) -> Events:
    """Events numbered 1, 2, 3 … without a gap; ask again with the last number you have."""
    found = await services.jobs.events(here.db, job_id, after=after, limit=limit + 1)
    items = [Event(**event.model_dump(exclude={"job_id"})) for event in found[:limit]]
    following = items[-1].seq if len(found) > limit else None
    if following is not None:
        link = f"/v1/jobs/{job_id}/events?after={following}&limit={limit}"
        response.headers["Link"] = f'<{link}>; rel="next"'
    return Events(items=items, next=following)


@router.get("/jobs/{job_id}/steps", responses=problems(404), dependencies=READ)
async def list_job_steps(job_id: Id, here: Here) -> Page[JobStep]:
    """The steps that were begun, in order."""
    found = await services.jobs.steps(here.db, job_id)
    return Page(items=[JobStep(**step.model_dump(exclude={"job_id"})) for step in found])


@router.get("/jobs/{job_id}/plan", responses=problems(404), dependencies=READ)
async def get_job_plan(job_id: Id, here: Here) -> Page[PlannedStep]:
    """Every step with what it runs; 404 `plan-not-ready` until a worker has looked at the job."""
    found = await services.jobs.plan(here.db, job_id)
    return Page(items=[PlannedStep(**step) for step in found])
