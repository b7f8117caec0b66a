"""Errors a caller may see, as a tree; the class docstring is the default sentence.

ServiceError
├── Unauthorized 401        ├── Forbidden 403       ├── NotFound 404
├── Conflict 409            │   ├── AlreadyExists   ├── InUse      ├── AlreadyWaiting
│                           │   ├── TooEarly        ├── InProgress
│                           │   ├── ManualLock      └── HolderAlive
├── Stale 412               ├── IfMatchMissing 428  ├── Invalid 422
├── PlanNotReady 404        ├── Unavailable 503     ├── LostOwnership (worker only)
└── EventsExpired 410
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID


@dataclass(frozen=True)
class FieldError:
    """What is wrong at one place of a request body; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str
    #: Of a document that came as text; counts from 1.
    line: int | None = None


class ServiceError(Exception):
    """Something went wrong."""

    status = 500
    code = "internal-error"

    def __init__(
        self, detail: str | None = None, *, hint: str | None = None, code: str | None = None
    ) -> None:
        self.detail = detail or self.__doc__ or ""
        self.hint = hint
        self.code = code or type(self).code
        super().__init__(self.detail)


class Unauthorized(ServiceError):
    """A token is needed: send `Authorization: Bearer <token>`."""

    status = 401
    code = "unauthorized"


class Forbidden(ServiceError):
    """The token's scope is too small."""

    status = 403
    code = "forbidden"


class NotFound(ServiceError):
    """There is no such thing."""

    status = 404
    code = "not-found"


class PlanNotReady(ServiceError):
    """No worker has looked at this job yet; its plan appears when one does."""

    status = 404
    code = "plan-not-ready"


class EventsExpired(ServiceError):
    """The events of this job were removed: the time for which they are kept is over."""

    status = 410
    code = "events-expired"


class Conflict(ServiceError):
    """The request does not fit the present state."""

    status = 409
    code = "conflict"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already-exists"


class InUse(Conflict):
    """Something still depends on it."""

    code = "in-use"


class AlreadyWaiting(Conflict):
    """The same is asked for already."""

    code = "already-waiting"

    def __init__(self, detail: str, *, hint: str, job: UUID) -> None:
        super().__init__(detail, hint=hint)
        self.job = job


class TooEarly(Conflict):
    """It is too early for that."""

    code = "too-early"

    def __init__(self, detail: str, *, hint: str, retry_after: int) -> None:
        super().__init__(detail, hint=hint)
        #: Seconds.
        self.retry_after = retry_after


class InProgress(Conflict):
    """A request with this Idempotency-Key is being answered now."""

    code = "idempotency-in-progress"


class ManualLock(Conflict):
    """Somebody has locked it by hand."""

    code = "manual-lock"

    def __init__(
        self, detail: str, *, hint: str, lock: str, message: str, actor: str, since: datetime
    ) -> None:
        super().__init__(detail, hint=hint)
        self.lock, self.message, self.actor, self.since = lock, message, actor, since


class HolderAlive(Conflict):
    """A worker is busy with the job that holds the lock."""

    code = "holder-alive"

    def __init__(
        self, detail: str, *, hint: str, job: UUID, holder: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(detail, hint=hint)
        self.job = job
        #: What else is known of it: worker, heard_at, step, last_line.
        self.holder = holder or {}


class Stale(ServiceError):
    """Somebody changed it in the meantime: read it again and repeat the change."""

    status = 412
    code = "stale"


class IfMatchMissing(ServiceError):
    """Send `If-Match` with the ETag of the version you are changing."""

    status = 428
    code = "if-match-missing"


class Invalid(ServiceError):
    """The request is not valid."""

    status = 422
    code = "invalid-request"

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: tuple[FieldError, ...] = (),
        hint: str | None = None,
        code: str | None = None,
    ) -> None:
        super().__init__(detail, hint=hint, code=code)
        self.errors = errors


class Unavailable(ServiceError):
    """A part that Liftlock needs does not answer."""

    status = 503
    code = "unavailable"


class LostOwnership(ServiceError):
    """Another attempt owns this job now; nothing was written."""

    status = 409
    code = "lost-ownership"
