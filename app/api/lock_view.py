"""How a lock looks in JSON: who has it, how that is, who waits, and what to do."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from pydantic.config import JsonDict

from app.domain.job import JobKind, JobStatus

_ID = "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"
_EXAMPLE: JsonDict = {
    "name": "instance:shop",
    "token": 7,
    "message": None,
    "actor": "ci",
    "since": "2026-11-21T05:00:01Z",
    "holder": {
        "job": _ID,
        "kind": "provision",
        "actor": "ci",
        "why": "provision of shop to v2",
        "status": "running",
        "attempt": 1,
        "worker": "web-3:4711",
        "since": "2026-11-21T05:00:01Z",
        "heard_at": "2026-11-21T05:03:18Z",
        "lease_until": "2026-11-21T05:03:33Z",
        "alive": True,
        "step": "Install the requirements",
        "step_since": "2026-11-21T05:00:09Z",
        "last_line": "Collecting django",
    },
    "waiting": [
        {
            "job": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c12",
            "kind": "provision",
            "actor": "ann",
            "since": "2026-11-21T05:01:00Z",
            "position": 1,
        }
    ],
    "safe_to_break": False,
    "advice": f"Its worker is alive. To stop it: liftlock jobs cancel {_ID}",
}
_MANUAL: JsonDict = {
    "name": "manual:all",
    "token": 3,
    "message": "No deploys today: inventory.",
    "actor": "ann",
    "since": "2026-11-21T05:00:00Z",
    "holder": None,
    "waiting": [],
    "safe_to_break": True,
    "advice": "Lift it when its reason is over: liftlock locks break manual:all",
}


class LockHolder(BaseModel):
    """The job that has a lock, and how it is."""

    model_config = ConfigDict(from_attributes=True)

    job: UUID
    kind: JobKind
    actor: str
    why: str
    status: JobStatus
    attempt: int
    #: Host and process; null while no worker has the job.
    worker: str | None
    since: datetime
    #: When its worker last said that it lives.
    heard_at: datetime | None
    lease_until: datetime | None
    alive: bool
    #: The step that was begun last, and when.
    step: str | None
    step_since: datetime | None
    #: The last line that the host said.
    last_line: str | None


class LockWaiter(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    job: UUID
    kind: JobKind
    actor: str
    since: datetime
    #: From 1.
    position: int


class Lock(BaseModel):
    """Who holds it, since when, whether that is alive, who waits, and what to do."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_extra={"examples": [_EXAMPLE, _MANUAL]}
    )

    name: str
    #: Grows with every holder; breaking the lock names it.
    token: int
    #: Of a lock that a person placed; null when a job holds it.
    message: str | None
    actor: str
    since: datetime
    holder: LockHolder | None
    waiting: list[LockWaiter]
    #: Whether nobody works under it any more.
    safe_to_break: bool
    advice: str


class Broken(BaseModel):
    """What was done."""

    model_config = ConfigDict(
        from_attributes=True,
        json_schema_extra={
            "examples": [
                {
                    "name": "instance:shop",
                    "token": 7,
                    "job": _ID,
                    "was_alive": False,
                    "advice": "The next job begins at once. What the old one left: liftlock jobs"
                    f" show {_ID}",
                }
            ]
        },
    )

    name: str
    #: The token that it had.
    token: int
    #: The job that it was taken from, ended as `failed`; null for a lock of a person.
    job: UUID | None
    was_alive: bool
    advice: str
