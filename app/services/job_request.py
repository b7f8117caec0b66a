"""What a caller wants done, and on what terms."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.domain.extension_spec import ExtensionSpec
from app.domain.job import JobKind, OnConflict
from app.models import Job


@dataclass(frozen=True)
class JobRequest:
    """`instance` and `host` are names or ids; app servers are ids or `INSTANCE:NUMBER`."""

    kind: JobKind
    instance: str | None = None
    host: str | None = None
    revision: str | None = None
    #: Whether the new app servers go into service by themselves, once all of them run.
    activate: bool = False
    #: How many app servers are tried at most; None: two with `activate`, else one.
    attempts: int | None = None
    #: Those to put into service. One alone brings the running ones of its deployment along.
    app_servers: tuple[str, ...] = ()
    #: Exactly these, though the instance wants more.
    partial: bool = False
    #: Seconds for requests under way, and to watch the site after a switch; None: the usual ones.
    drain: float | None = None
    watch: float | None = None
    #: The one to take out of service, or to terminate; or to put into service before the others.
    app_server: str | None = None
    #: Somebody states that this one is gone, and how they know: no host is asked.
    gone: bool = False
    reason: str | None = None
    #: Its machine is removed although the site's only data goes with it.
    with_data: bool = False
    #: The one to install, to remove, to enable or to disable.
    extension: ExtensionSpec | None = None
    #: Also where everything is so already.
    force: bool = False
    dry_run: bool = False
    priority: int = 0
    not_before: datetime | None = None
    deadline: datetime | None = None
    on_conflict: OnConflict = OnConflict.QUEUE
    retry_of: UUID | None = None


@dataclass(frozen=True)
class Terms:
    """What every job has, whatever it does: who asked for it, and when it is done."""

    actor: str | None
    request_id: str | None = None
    priority: int = 0
    #: Not in the past.
    not_before: datetime | None = None
    deadline: datetime | None = None
    dry_run: bool = False
    retry_of: UUID | None = None

    @classmethod
    def after(cls, job: Job, *, retry_of: UUID | None = None) -> "Terms":
        """Of a job that follows another one by itself."""
        return cls(job.actor, job.request_id, job.priority, None, job.deadline, retry_of=retry_of)
