"""/v1/jobs: ask for work, and read how it goes."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict

from app import services
from app.api.access import READ, Deployer, require
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.job_answer import answer
from app.api.job_order import JobOrder
from app.api.job_view import JobBody, accepted, there
from app.api.pages import Page, Paged
from app.api.preferences import Wait
from app.api.refs import Id, RefFilter
from app.api.route import router as routes_of
from app.domain.job import JobKind, JobStatus, StepStatus
from app.domain.scope import Scope
from app.services.requests import JobRequest

router = routes_of("jobs")


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
                    "tries": 1,
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
    #: More than one: it failed in a way that may pass, and was tried again.
    tries: int
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
    responses=accepted("The job is kept.")
    | there("It has ended while you waited, or it waited already.")
    | BODY
    | problems(409),
)
async def create_job(body: JobOrder, here: Here, token: Deployer, wait: Wait) -> Response:
    """Ask for work. The job is committed before the answer: nothing loses it.

    - `provision`: make a new app server of an instance, beside what serves; with `activate` it
      goes into service once it runs.
    - `activate`, `deactivate`, `terminate`: what `/v1/app-servers/{ref}/…` do.
    - `install`, `uninstall`, `enable`, `disable`: change an instance's extensions. What serves is
      built anew with them, beside what serves, and takes its place once it is checked.
    - `route`: bring the instance's router to what is wanted of it.
    - `enroll`: read a host's key; takes a token of scope admin.

    With `Prefer: wait=25` the answer comes when the job has ended (200) or the time is over (202).
    Jobs that follow by themselves (another attempt, the activation) stand in `next`.
    """
    if body.kind is JobKind.ENROLL:
        require(token, Scope.ADMIN)
    view, is_new = await services.requests.request(
        here.db,
        here.queue,
        here.vault,
        request=JobRequest(**dict(body)),
        actor=token.name,
        request_id=here.request_id,
    )
    return answer(here, view, is_new=is_new, wait=wait)


@router.get("/jobs", responses=problems(404), dependencies=READ)
async def list_jobs(
    cursor: Paged,
    here: Here,
    status: Annotated[JobStatus | None, Query(description="Only with this status.")] = None,
    kind: Annotated[JobKind | None, Query(description="Only of this kind.")] = None,
    instance: RefFilter | None = None,
) -> Page[JobBody]:
    """Newest first."""
    found = await services.jobs.list_page(
        here.db, after=cursor.after, limit=cursor.limit, status=status, kind=kind, instance=instance
    )
    return cursor.page(found, lambda view: view.job, JobBody.of)


@router.get("/jobs/{job_id}", responses=problems(404), dependencies=READ)
async def get_job(job_id: Id, response: Response, here: Here, wait: Wait) -> JobBody:
    """The job as it stands: status, progress, who is in the way, and the error when it failed.

    With `Prefer: wait=25` the answer comes once the job has ended, or the time is over.
    """
    response.headers.update(wait.headers)
    found = await services.jobs.wait_until_ended(here.db, here.wakeups, job_id, wait.seconds)
    return JobBody.of(found)


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
