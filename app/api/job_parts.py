"""What a job's JSON is made of: its app server, its progress, what it waits for."""

from datetime import datetime
from typing import Self
from uuid import UUID

from pydantic import BaseModel

from app.domain.app_server import AppServerStatus
from app.domain.job import Answer, EndingWhy
from app.models import AppServer, Job


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


class Tries(BaseModel):
    """Which attempt a provision is; each makes an app server of its own."""

    number: int
    of: int


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


def app_server_url(row: AppServer) -> str:
    """Where it answers: on the loopback of its host, or where a router on another finds it."""
    address = f"[{row.address}]" if ":" in row.address else row.address
    return f"http://{address}:{row.port}/"
