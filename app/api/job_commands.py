"""/v1/jobs/{id}/…: tell a job to stop, do it again, answer what it asks."""

from typing import Annotated

from fastapi import Body, Response
from pydantic import BaseModel, ConfigDict, Field

from app import services
from app.api.access import Deployer, require
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.job_view import JobBody, accepted
from app.api.refs import Id
from app.api.route import router as routes_of
from app.domain.job import Answer, JobKind
from app.domain.scope import Scope

router = routes_of("jobs")


class CancelOrder(BaseModel):
    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "the wrong revision"}]}
    )

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    #: Interrupt also what would rather finish; only some time after the first request.
    force: Annotated[bool, Field(strict=True)] = False


class RetryOrder(BaseModel):
    """Nothing can be changed: what is different is a new order."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{}]})


class AnswerOrder(BaseModel):
    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"answer": "done"}]})

    #: `done`: it had its effect, go on. `repeat`: it had none, do it again. `failed`: undo.
    answer: Answer


@router.post(
    "/jobs/{job_id}/cancel",
    status_code=202,
    response_model=JobBody,
    responses=accepted("The job is told to stop.") | BODY | problems(404, 409),
)
async def cancel_job(
    job_id: Id,
    here: Here,
    token: Deployer,
    body: Annotated[CancelOrder, Body(default_factory=CancelOrder)],
) -> Response:
    """Stop a job and undo what it did. One that has not begun is canceled at once.

    Until everything of it has stopped its status is `canceling`. Asking again changes nothing.
    """
    view = await services.commands.cancel(
        here.db, here.queue, job_id, actor=token.name, reason=body.reason, force=body.force
    )
    return JobBody.of(view).answer()


@router.post(
    "/jobs/{job_id}/retry",
    status_code=202,
    response_model=JobBody,
    responses=accepted("The new job is kept.") | BODY | problems(404, 409),
)
async def retry_job(
    job_id: Id,
    here: Here,
    token: Deployer,
    _: Annotated[RetryOrder, Body(default_factory=RetryOrder)],
) -> Response:
    """Ask for the same again, as a new job: for one that failed, was canceled or superseded."""
    if (await services.jobs.get(here.db, job_id)).job.kind is JobKind.ENROLL:
        require(token, Scope.ADMIN)
    view = await services.commands.retry(
        here.db, here.queue, here.vault, job_id, actor=token.name, request_id=here.request_id
    )
    return JobBody.of(view).answer()


@router.post(
    "/jobs/{job_id}/answer",
    status_code=202,
    response_model=JobBody,
    responses=accepted("The job goes on.") | BODY | problems(404, 409),
)
async def answer_job(job_id: Id, body: AnswerOrder, here: Here, token: Deployer) -> Response:
    """Say what became of a step that nobody can know of, so that the job goes on."""
    view = await services.commands.answer(
        here.db, here.queue, job_id, answer=body.answer, actor=token.name
    )
    return JobBody.of(view).answer()
