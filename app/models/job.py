"""The `jobs` and `steps` tables. The job row is also the outbox and the lease."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Column, Identity, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from app.domain.job import JobKind, JobStatus, Outcome, ServiceState, StepStatus
from app.models.base import Instant, Row, Word

_OPEN = "status IN ('queued', 'blocked', 'running', 'canceling')"
#: Without `lease_until`: renewing a lease must touch no index.
_LIVE = "status IN ('running', 'canceling')"
#: Those that wait because as many run as may.
_LIMITED = "status = 'blocked' AND blocked_by @> '[{\"kind\": \"limit\"}]'"


#: None is NULL. Without this it would be JSON's own null, which no `IS NULL` finds.
_MaybeJson = JSONB(none_as_null=True)


class Job(Row, table=True):
    __tablename__ = "jobs"
    __table_args__ = (
        Index("ix_jobs_open", "priority", "sequence", postgresql_where=text(_OPEN)),
        Index("ix_jobs_host_id_live", "host_id", postgresql_where=text(_LIVE)),
        Index(
            "ix_jobs_host_id_open", "host_id", "priority", "sequence", postgresql_where=text(_OPEN)
        ),
        Index(
            "ix_jobs_instance_id_open",
            "instance_id",
            "priority",
            "sequence",
            postgresql_where=text(_OPEN),
        ),
        Index("ix_jobs_limited", "priority", "sequence", postgresql_where=text(_LIMITED)),
    )

    #: Order of the requests; an id tells time, this tells who came first.
    sequence: int | None = Field(
        default=None, sa_column=Column(BigInteger, Identity(always=True), nullable=False)
    )
    kind: JobKind = Field(sa_type=Word(JobKind))
    status: JobStatus = Field(default=JobStatus.QUEUED, sa_type=Word(JobStatus))
    instance_id: UUID | None = Field(default=None, foreign_key="instances.id", index=True)
    host_id: UUID | None = Field(default=None, foreign_key="hosts.id", index=True)
    recipe_id: UUID | None = Field(default=None, foreign_key="recipes.id")
    params: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    dry_run: bool = False
    #: Lower goes first.
    priority: int = 0
    not_before: datetime | None = Field(default=None, sa_type=Instant)
    #: Fences every write of a worker: only the newest attempt may write.
    attempt: int = 0
    #: Attempts that ended because their worker went silent; a worker that was told to stop
    #: hands over, and that is not counted.
    lost_workers: int = 0
    worker: str | None = None
    #: Set while an attempt holds the job, running or canceling; only that attempt may write.
    lease_until: datetime | None = Field(default=None, sa_type=Instant)
    #: An order to stop (`app.domain.job.Ending`): the job only undoes what it did, and ends so.
    ending: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    #: By when it must have ended.
    deadline: datetime | None = Field(default=None, sa_type=Instant)
    #: What the plan waits for, without a worker: kind, step, since, until, reason, answer.
    suspended: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    #: The job that this one repeats.
    retry_of: UUID | None = Field(default=None, foreign_key="jobs.id")
    #: Until when it waits for locks that other jobs hold.
    lock_deadline: datetime | None = Field(default=None, sa_type=Instant)
    blocked_by: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSONB)
    #: When it was last pushed to Redis.
    dispatched_at: datetime | None = Field(default=None, sa_type=Instant)
    last_seq: int = Field(default=0, sa_type=BigInteger)
    #: The steps as a person reads them, kept by the worker before anything runs.
    plan: list[dict[str, Any]] | None = Field(default=None, sa_type=_MaybeJson)
    #: What the first attempt found (data prepared, rivals running), so that every later
    #: attempt makes the same plan and can go on where the last one stopped.
    facts: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    error: dict[str, Any] | None = Field(default=None, sa_type=_MaybeJson)
    outcome: Outcome | None = Field(default=None, sa_type=Word(Outcome))
    service_state: ServiceState | None = Field(default=None, sa_type=Word(ServiceState))
    actor: str | None = None
    request_id: str | None = None
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)


class JobStep(SQLModel, table=True):
    __tablename__ = "steps"

    job_id: UUID = Field(foreign_key="jobs.id", primary_key=True)
    number: int = Field(primary_key=True)
    name: str
    title: str
    status: StepStatus = Field(default=StepStatus.PENDING, sa_type=Word(StepStatus))
    attempt: int = 0
    #: How often it was begun anew after an error that may pass.
    tries: int = Field(default=1, sa_column_kwargs={"server_default": text("1")})
    exit_code: int | None = None
    duration_ms: int | None = None
    facts: dict[str, Any] = Field(default_factory=dict, sa_type=JSONB)
    started_at: datetime | None = Field(default=None, sa_type=Instant)
    finished_at: datetime | None = Field(default=None, sa_type=Instant)
