"""How a job looks in JSON."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.api.documented import Responses
from app.api.job_examples import PROVISION, ended
from app.api.job_parts import (
    AppServerOfJob,
    Cancellation,
    Named,
    Progress,
    Suspension,
    Tries,
    app_server_url,
)
from app.domain import blocking
from app.domain.job import FINAL, WAITING, JobKind, JobStatus, Outcome, ServiceState
from app.services.jobs import JobView

__all__ = ["JobBody", "Named", "accepted", "app_server_url", "there"]

_LOCATION = {"Location": "Where the job is."}
_AGAIN = {"Retry-After": "Seconds until asking again makes sense; not of a job that has ended."}


class JobBody(BaseModel):
    """A job: what was asked, how far it is, and how it ended."""

    model_config = ConfigDict(title="Job", json_schema_extra={"examples": [PROVISION]})

    id: UUID
    kind: JobKind
    status: JobStatus
    instance: Named | None
    host: Named | None
    #: The one that it makes.
    app_server: AppServerOfJob | None
    #: All that it is about: that it makes, puts into service, takes out of it, or terminates.
    app_servers: list[Named]
    #: The first job of the request; app servers of one deployment go into service together.
    deployment: UUID | None
    #: The other jobs of the same request.
    others: list[UUID]
    tries: Tries | None
    #: The job that follows by itself: the next attempt, or the activation.
    next: UUID | None
    #: Why no other attempt follows one that failed, when more than one was wanted.
    given_up: str | None
    revision: str | None
    params: dict[str, Any]
    dry_run: bool
    #: Lower goes first.
    priority: int
    not_before: datetime | None
    #: By when it must have ended.
    deadline: datetime | None
    #: The job that this one repeats.
    retry_of: UUID | None
    attempt: int
    progress: Progress | None
    #: Who is in the way, each with a `hint`: what to do about it.
    blocked_by: list[dict[str, Any]]
    #: Its place, from 1, among those that wait for the same; once a worker found it blocked.
    position: int | None
    #: It fails when it has not begun by then: it waited too long for others.
    waits_until: datetime | None
    suspended: Suspension | None
    cancel: Cancellation | None
    #: {code, title, detail, hint, step, docs} of a failed job.
    error: dict[str, Any] | None
    outcome: Outcome | None
    service_state: ServiceState | None
    actor: str | None
    request_id: str | None
    links: dict[str, str]
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    duration_ms: int | None

    @classmethod
    def of(cls, view: JobView) -> Self:
        job, server = view.job, view.app_server
        address = f"/v1/jobs/{job.id}"
        links = {name: f"{address}/{name}" for name in ("events", "logs", "steps", "plan")}
        took = job.finished_at - job.started_at if job.finished_at and job.started_at else None
        return cls(
            **job.model_dump(include=set(cls.model_fields) - {"blocked_by"}),
            blocked_by=[
                {**item, "hint": blocking.hint(item, job=job.id)} for item in job.blocked_by
            ],
            # Until then it may begin at any moment: a POST answers as the GET behind it.
            position=view.position if job.status is JobStatus.BLOCKED else None,
            waits_until=job.lock_deadline if job.status in WAITING else None,
            cancel=Cancellation.of(job),
            instance=_named(job.instance_id, view.instance_name),
            host=_named(job.host_id, view.host_name),
            app_server=AppServerOfJob.of(server) if server else None,
            app_servers=_app_servers(view),
            **_of_request(job.params),
            progress=_progress(view),
            links={"self": address, **links, "stream": f"{address}/events/stream"},
            duration_ms=int(took.total_seconds() * 1000) if took else None,
        )

    def answer(self, status: int = 202) -> Response:
        """Where the job is, and while it has not ended when to ask again."""
        text = self.model_dump_json()
        return Response(text, status, self.headers, media_type="application/json")

    @property
    def headers(self) -> dict[str, str]:
        again = {} if self.status in FINAL else {"Retry-After": "1"}
        return {"Location": self.links["self"], **again}


def accepted(description: str, example: JsonDict = PROVISION) -> Responses:
    """The declared 202."""
    return _declared(202, description, example, _LOCATION | _AGAIN)


def there(description: str, example: JsonDict = PROVISION) -> Responses:
    """The declared 200 of a request for a job; the example is that of the 202."""
    return _declared(200, description, ended(example), _LOCATION)


def _declared(
    status: int, description: str, example: JsonDict, headers: Mapping[str, str]
) -> Responses:
    return {
        status: {
            "model": JobBody,
            "description": description,
            "content": {"application/json": {"example": example}},
            "headers": {
                name: {"description": text, "schema": {"type": "string"}}
                for name, text in headers.items()
            },
        }
    }


def _named(key: UUID | None, name: str | None) -> Named | None:
    return Named(id=key, name=name) if key is not None and name is not None else None


def _app_servers(view: JobView) -> list[Named]:
    made = view.app_server
    found = ((made.id, made.name),) if made else view.app_servers
    return [Named(id=key, name=name) for key, name in found]


def _of_request(params: Mapping[str, Any]) -> dict[str, Any]:
    """What a job's params say of the request that it belongs to."""
    tries = Tries(number=params["try"], of=params["tries"]) if "try" in params else None
    said = {name: params.get(name) for name in ("revision", "deployment", "next", "given_up")}
    return {**said, "others": params.get("others", []), "tries": tries}


def _progress(view: JobView) -> Progress | None:
    if view.step is None:
        return None
    number, title, _ = view.step
    plan = view.job.plan
    if not plan:
        return Progress(step=number, of=None, name=title)
    # Steps that only run after a failure are not on the way to success.
    steps = [step for step in plan if step.get("when", "always") == "always"]
    return Progress(step=number, of=len(steps if number <= len(steps) else plan), name=title)
