"""/v1/jobs/{id}/logs: what a job's commands printed, as text for people and grep."""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Annotated
from uuid import UUID

from fastapi import Query, Response
from pydantic import BaseModel, Field

from app import services
from app.api.access import Reader
from app.api.documented import Responses, problems
from app.api.handles import Handles, Here
from app.api.live import Live
from app.api.refs import Id
from app.api.route import router as routes_of
from app.domain.event import EventType, Reading, StoredEvent
from app.services.streams import Stream

router = routes_of("jobs")


class Wanted(BaseModel):
    """Which part of the log."""

    step: int | None = Field(None, ge=1, le=100_000, description="Only of the step numbered so.")
    follow: bool = Field(default=False, description="Go on until the job has ended.")


_EXAMPLE = "[1] Check the host\ndisk ok\n[2] Check out v1\nHEAD is now at 1f3c\n"
_TEXT: Responses = {
    200: {
        "description": "The log.",
        "content": {"text/plain": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


@router.get("/jobs/{job_id}/logs", response_class=Response, responses=_TEXT | problems(404, 410))
async def get_job_logs(
    job_id: Id, here: Here, token: Reader, wanted: Annotated[Wanted, Query()]
) -> Response:
    """What the commands printed, a line with number and title before each step.

    A transfer that breaks was not the whole log: ask again.
    """
    here.streams.require_room()
    await services.events.read(here.db, job_id, after=0, limit=1)
    return Live(
        here.streams.open(job_id, token.id),
        lambda stream: _text(_readings(here, stream, job_id, follow=wanted.follow), wanted.step),
        media_type="text/plain",
        may_stop=False,
    )


def _readings(
    here: Handles, stream: Stream, job_id: UUID, *, follow: bool
) -> AsyncGenerator[Reading | None, None]:
    if follow:
        return services.events.follow(here.db, stream, job_id, after=0)
    return services.events.stored(here.db, stream, job_id)


async def _text(
    readings: AsyncGenerator[Reading | None, None], step: int | None
) -> AsyncGenerator[bytes, None]:
    log = _Log(step)
    async with aclosing(readings):
        async for found in readings:
            text = "".join(log.lines(event) for event in found.items) if found else ""
            if text:
                # Half a character may stand in an event: the other half is in no other.
                yield text.encode(errors="replace")


class _Log:
    """Output as it came; a step begins on a line of its own."""

    def __init__(self, step: int | None) -> None:
        self._step = step
        self._is_within_line = False

    def lines(self, event: StoredEvent) -> str:
        if event.type not in {EventType.STEP_STARTED, EventType.STEP_OUTPUT}:
            return ""
        data = event.data
        if self._step not in {None, data.get("number")}:
            return ""
        if event.type == EventType.STEP_OUTPUT:
            text = str(data.get("text", ""))
        else:
            line_break = "\n" if self._is_within_line else ""
            text = f"{line_break}[{data.get('number')}] {data.get('title')}\n"
        if text:
            self._is_within_line = not text.endswith("\n")
        return text
