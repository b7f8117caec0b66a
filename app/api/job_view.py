"""How a job looks in JSON."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import Response
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.api.documented import Responses
from app.domain import blocking
from app.domain.app_server import AppServerStatus
from app.domain.job import (
    FINAL,
    WAITING,
    Answer,
    EndingWhy,
    JobKind,
    JobStatus,
    Outcome,
    ServiceState,
)
from app.models import AppServer, Job
from app.services.jobs import JobView

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
_EXAMPLE: JsonDict = {
    "id": _ID,
    "kind": "provision",
    "status": "running",
    "instance": {"id": _ID, "name": "guestbook"},
    "host": {"id": _ID, "name": "web-1"},
    "app_server": {
        "id": _ID,
        "name": "AppServer 1",
        "number": 1,
        "status": "configuring",
        "port": 20000,
        "release": "apps/guestbook/releases/v1-1",
        "commit": "5f2c1b7e9a3d4c6b8e0f1a2b3c4d5e6f7a8b9c0d",
        "url": "http://127.0.0.1:20000/",
    },
    "revision": "v1",
    "params": {"instance": "guestbook", "revision": "v1"},
    "dry_run": False,
    "priority": 0,
    "not_before": None,
    "deadline": None,
    "retry_of": None,
    "attempt": 1,
    "progress": {"step": 4, "of": 12, "name": "Check out v1"},
    "blocked_by": [],
    "position": None,
    "waits_until": None,
    "suspended": None,
    "cancel": None,
    "error": None,
    "outcome": None,
    "service_state": None,
    "actor": "ci",
    "request_id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12",
    "links": {
        "self": f"/v1/jobs/{_ID}",
        "events": f"/v1/jobs/{_ID}/events",
        "stream": f"/v1/jobs/{_ID}/events/stream",
        "logs": f"/v1/jobs/{_ID}/logs",
        "steps": f"/v1/jobs/{_ID}/steps",
        "plan": f"/v1/jobs/{_ID}/plan",
    },
    "created_at": "2026-11-21T05:00:00Z",
    "started_at": "2026-11-21T05:00:01Z",
    "finished_at": None,
    "duration_ms": None,
}


class Named(BaseModel):
    id: UUID
    name: str


class AppServerOfJob(BaseModel):
    id: UUID
    name: str
    number: int
    status: AppServerStatus
    port: int
    release: str
    #: What the revision meant; null until the checkout knows.
    commit: str | None
    #: As seen on its host.
    url: str

    @classmethod
    def of(cls, row: AppServer) -> Self:
        values = row.model_dump(include=set(cls.model_fields))
        return cls(**values, url=app_server_url(row))


class Progress(BaseModel):
    step: int
    #: How many steps there are; null until the job is planned.
    of: int | None
    #: What the step is called.
    name: str


class Suspension(BaseModel):
    """What a job waits for without a worker; its site is reserved meanwhile."""

    #: `time`, `probe` or `question`.
    kind: str
    step: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    #: What somebody said of the step, once it was asked and answered.
    answer: Answer | None = None


class Cancellation(BaseModel):
    """Who wants the job to stop; what it did is undone first."""

    requested_at: datetime
    by: str | None
    reason: str | None
    force: bool

    @classmethod
    def of(cls, job: Job) -> Self | None:
        """None unless the job's order to stop is a cancel."""
        ending = job.ending
        if ending is None or ending["why"] != EndingWhy.CANCELED:
            return None
        said = {name: ending.get(name) for name in ("by", "reason")}
        return cls(requested_at=ending["at"], force=ending.get("force", False), **said)


class JobBody(BaseModel):
    """A job: what was asked, how far it is, and how it ended."""

    model_config = ConfigDict(title="Job", json_schema_extra={"examples": [_EXAMPLE]})

    id: UUID
    kind: JobKind
    status: JobStatus
    instance: Named | None
    host: Named | None
    app_server: AppServerOfJob | None
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
            revision=job.params.get("revision"),
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


def app_server_url(row: AppServer) -> str:
    """Where it answers on its own host: sites listen on the loopback, behind a router."""
    return f"http://127.0.0.1:{row.port}/"


def accepted(description: str) -> Responses:
    """The declared 202."""
    return _declared(202, description, "Location", "Retry-After")


def there(description: str) -> Responses:
    """The declared 200 of a request for a job."""
    return _declared(200, description, "Location")


def _declared(status: int, description: str, *headers: str) -> Responses:
    header = {"schema": {"type": "string"}}
    return {
        status: {
            "model": JobBody,
            "description": description,
            "headers": dict.fromkeys(headers, header),
        }
    }


def _named(key: UUID | None, name: str | None) -> Named | None:
    return Named(id=key, name=name) if key is not None and name is not None else None


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
