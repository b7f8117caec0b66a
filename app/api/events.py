"""/v1/jobs/{id}/events: what a job tells, by number: at once, with patience, or as it comes."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import Header, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from app import services
from app.api.access import READ, Reader
from app.api.documented import Responses, problems
from app.api.etags import IfNoneMatch, etag
from app.api.handles import Handles, Here
from app.api.live import Live
from app.api.preferences import Wait
from app.api.refs import Id
from app.api.route import router as routes_of
from app.domain.event import Reading
from app.services.streams import Stream

router = routes_of("jobs")

After = Annotated[int, Query(ge=0, le=2**53, description="The last `seq` you have.")]
LastEventId = Annotated[
    str | None,
    Header(description="The last `id` you have; an `EventSource` sends it by itself."),
]

_EXAMPLE = (
    'retry: 1000\n\nid: 1\ndata: {"seq":1,"at":"2026-11-21T05:00:00.5Z","type":"job.queued",'
    '"data":{"kind":"provision"}}\n\n: still here\n\nevent: end\ndata: {"status":"succeeded"}\n\n'
)
_TEXT_HEADER = {"schema": {"type": "string"}}
_ANSWERS: Responses = {
    200: {"headers": {"ETag": _TEXT_HEADER, "Preference-Applied": _TEXT_HEADER}},
    304: {"description": "No event since the one that If-None-Match names."},
}
#: One message of the stream, as its reader sees it.
_MESSAGE = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "pattern": "^[0-9]+$"},
        "event": {"type": "string", "enum": ["message", "end"]},
        "data": {"type": "string"},
    },
}
_STREAM: Responses = {
    200: {
        "description": "Server-sent events.",
        "content": {"text/event-stream": {"schema": _MESSAGE, "example": _EXAMPLE}},
    }
}


class Wanted(BaseModel):
    """Which events."""

    after: int = Field(0, ge=0, le=2**53, description="The last `seq` you have.")
    limit: int = Field(50, ge=1, le=500, description="Most events of one answer.")


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


@router.get(
    "/jobs/{job_id}/events",
    response_model=Events,
    responses=_ANSWERS | problems(404, 410),
    dependencies=READ,
)
async def list_job_events(
    job_id: Id, here: Here, wait: Wait, known: IfNoneMatch, wanted: Annotated[Wanted, Query()]
) -> Response:
    """Events numbered 1, 2, 3 … without a gap; ask again with the last number you have.

    With `Prefer: wait=25` the answer comes as soon as there is an event behind `after`, or the
    job is over, or the time is. The ETag is the number of the job's last event.
    """
    found = await services.events.wait(
        here.db,
        here.wakeups,
        job_id,
        after=wanted.after,
        limit=wanted.limit,
        known=known.newest,
        seconds=wait.seconds,
    )
    headers = {"ETag": etag(found.last_seq), **wait.headers}
    if known.has(found.last_seq):
        return Response(status_code=304, headers=headers)
    return _page(found, f"/v1/jobs/{job_id}/events?limit={wanted.limit}", headers)


@router.get(
    "/jobs/{job_id}/events/stream",
    response_class=Response,
    responses=_STREAM | problems(404, 410),
)
async def stream_job_events(
    job_id: Id, here: Here, token: Reader, last_event_id: LastEventId = None, after: After = 0
) -> Response:
    """The same events as they come (server-sent events), from the first one or behind `after`.

    The `id` is the `seq` and `data` is the event; the type stands inside, so `onmessage` has
    them all. After the last event of a job comes `event: end` with its status: close then.
    A stream that stops without it goes on where you were: send `Last-Event-ID`, or `after`.
    """
    if last_event_id is not None and last_event_id.isdecimal():
        after = int(last_event_id[:18])
    here.streams.require_room()
    await services.events.read(here.db, job_id, after=after, limit=1)
    return Live(
        here.streams.open(job_id, token.id),
        lambda stream: _server_sent(here, stream, job_id, after),
        media_type="text/event-stream",
        may_stop=True,
    )


def _page(found: Reading, address: str, headers: dict[str, str]) -> Response:
    following = "null"
    if found.has_more:
        following = str(found.end)
        headers["Link"] = f'<{address}&after={following}>; rel="next"'
    items = ",".join(event.as_json() for event in found.items)
    body = f'{{"items":[{items}],"next":{following}}}'
    return Response(body, headers=headers, media_type="application/json")


async def _server_sent(
    here: Handles, stream: Stream, job_id: UUID, after: int
) -> AsyncGenerator[bytes, None]:
    yield b"retry: 1000\n\n"
    async with aclosing(services.events.follow(here.db, stream, job_id, after=after)) as readings:
        async for found in readings:
            yield _messages(found) if found else b": still here\n\n"


def _messages(found: Reading) -> bytes:
    parts = [f"id: {event.seq}\ndata: {event.as_json()}\n\n" for event in found.items]
    if found.is_over:
        parts.append(f"event: end\ndata: {json.dumps({'status': found.status})}\n\n")
    return "".join(parts).encode()
