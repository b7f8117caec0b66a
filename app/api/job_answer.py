"""The answer to a request for a job: at once, or when the caller has waited for its end."""

from fastapi import Response
from fastapi.responses import JSONResponse

from app import services
from app.api.handles import Handles
from app.api.job_view import JobBody
from app.api.preferences import Patience
from app.api.route import Promise
from app.domain.job import FINAL
from app.services.jobs import JobView


def answer(here: Handles, view: JobView, *, is_new: bool, wait: Patience) -> Response:
    """202 for a new job, 200 for one that was there or that ended while the caller waited."""
    body, status = JobBody.of(view), 202 if is_new else 200
    if not wait.seconds:
        return body.answer(status)

    async def kept() -> Response:
        found = await services.jobs.wait_until_ended(
            here.db, here.wakeups, view.job.id, wait.seconds
        )
        late = JobBody.of(found)
        headers = {**late.headers, **wait.headers}
        code = 200 if late.status in FINAL else status
        return JSONResponse(late.model_dump(mode="json"), code, headers)

    return Promise(body.model_dump(mode="json"), status, body.headers, kept=kept)
