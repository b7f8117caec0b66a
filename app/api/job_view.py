"""How a job looks in JSON."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.api.documented import Responses
from app.domain.app_server import AppServerStatus
from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from app.models import AppServer
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
    "attempt": 1,
    "progress": {"step": 4, "of": 12, "name": "Check out v1"},
    "blocked_by": [],
    "error": None,
    "outcome": None,
    "service_state": None,
    "actor": "ci",
    "request_id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12",
    "links": {
        "self": f"/v1/jobs/{_ID}",
        "events": f"/v1/jobs/{_ID}/events",
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
    attempt: int
    progress: Progress | None
    #: Who holds the locks that the job waits for.
    blocked_by: list[dict[str, Any]]
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
        links = {name: f"{address}/{name}" for name in ("events", "steps", "plan")}
        took = job.finished_at - job.started_at if job.finished_at and job.started_at else None
        return cls(
            **job.model_dump(include=set(cls.model_fields)),
            instance=_named(job.instance_id, view.instance_name),
            host=_named(job.host_id, view.host_name),
            app_server=AppServerOfJob.of(server) if server else None,
            revision=job.params.get("revision"),
            progress=_progress(view),
            links={"self": address, **links},
            duration_ms=int(took.total_seconds() * 1000) if took else None,
        )

    def answer(self) -> Response:
        """202: where the job is, and when to ask again."""
        headers = {"Location": self.links["self"], "Retry-After": "1"}
        return JSONResponse(self.model_dump(mode="json"), 202, headers)


def app_server_url(row: AppServer) -> str:
    """Where it answers on its own host: sites listen on the loopback, behind a router."""
    return f"http://127.0.0.1:{row.port}/"


def accepted(description: str) -> Responses:
    """The declared 202."""
    header = {"schema": {"type": "string"}}
    return {
        202: {
            "model": JobBody,
            "description": description,
            "headers": {"Location": header, "Retry-After": header},
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
