"""Events: what a job tells, numbered 1..n without a gap."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from app.domain.job import FINAL, JobStatus


class EventType(StrEnum):
    JOB_QUEUED = "job.queued"
    JOB_BLOCKED = "job.blocked"
    JOB_STARTED = "job.started"
    #: The worker that held the job went silent; the job is taken back.
    JOB_RECOVERED = "job.recovered"
    #: The worker was told to stop; the next one goes on from the same step.
    JOB_HANDED_OVER = "job.handed_over"
    #: It waits for a time, a probe or an answer; no worker is busy with it.
    JOB_SUSPENDED = "job.suspended"
    JOB_RESUMED = "job.resumed"
    #: Somebody answered what became of a step.
    JOB_ANSWERED = "job.answered"
    #: It is told to stop; says what stops when and what is undone.
    JOB_CANCELING = "job.canceling"
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    JOB_CANCELED = "job.canceled"
    #: A newer request took its place before it began.
    JOB_SUPERSEDED = "job.superseded"
    STEP_STARTED = "step.started"
    STEP_OUTPUT = "step.output"
    STEP_SUCCEEDED = "step.succeeded"
    STEP_FAILED = "step.failed"
    #: It failed in a way that may pass, and is tried again after a pause.
    STEP_RETRYING = "step.retrying"
    #: It was not needed, and not begun.
    STEP_SKIPPED = "step.skipped"
    STEP_CANCELED = "step.canceled"
    #: It may or may not have had its effect.
    STEP_UNKNOWN = "step.unknown"
    STEP_UNDONE = "step.undone"
    STEP_UNDO_FAILED = "step.undo_failed"
    APP_SERVER_CREATED = "app_server.created"
    APP_SERVER_WAITING = "app_server.waiting"
    APP_SERVER_CONFIGURING = "app_server.configuring"
    APP_SERVER_RUNNING = "app_server.running"
    APP_SERVER_FAILED = "app_server.failed"
    APP_SERVER_ERROR = "app_server.error"
    APP_SERVER_TERMINATED = "app_server.terminated"
    #: It is in service: requests reach it.
    APP_SERVER_ACTIVATED = "app_server.activated"
    #: It is out of service; its process goes on running.
    APP_SERVER_DEACTIVATED = "app_server.deactivated"
    #: Its process is stopped and its files are removed.
    APP_SERVER_CLEANED = "app_server.cleaned"
    #: The job's end has made another job: its second attempt, or the activation.
    JOB_FOLLOWED = "job.followed"
    #: It failed, and no other attempt is made, though more than one may be wanted.
    JOB_GIVEN_UP = "job.given_up"
    #: A newer request is in service, so nothing was activated.
    ACTIVATION_SKIPPED = "activation.skipped"
    #: The router is configured as wanted, and that was read back.
    ROUTE_APPLIED = "route.applied"
    #: A look found the router otherwise than it was read back; the job repairs it.
    ROUTE_DRIFTED = "route.drifted"
    #: The app server's hashed static files are in the store.
    ASSET_RELEASE_PUBLISHED = "asset_release.published"
    #: Nothing was published, or what was published does not answer as it should.
    ASSET_RELEASE_FAILED = "asset_release.failed"
    #: Each of its files answered through HTTP with its bytes.
    ASSET_RELEASE_VERIFIED = "asset_release.verified"
    #: An instance has another set of extensions from here on, or another of them enabled.
    EXTENSION_CHANGED = "extension.changed"
    #: The job that was about it failed; says how the extension stands now.
    EXTENSION_FAILED = "extension.failed"
    #: A look found some of it missing or changed where it serves; the site stays up.
    EXTENSION_DEGRADED = "extension.degraded"
    #: A look found all of it in its place again.
    EXTENSION_RECOVERED = "extension.recovered"
    HOST_KEY_READ = "host.key_read"
    #: A host of a pool takes no new app servers any more.
    HOST_QUARANTINED = "host.quarantined"
    #: The host had seen a newer token than Postgres knew: the next attempt gets one above it.
    LOCK_TOKEN_RAISED = "lock.token_raised"  # noqa: S105 (no secret)
    #: Somebody took the job's lock away, and the job ends.
    LOCK_BROKEN = "lock.broken"


#: JSON leaves these as they are, and many a reader of streams takes them for ends of lines.
_ENDS_OF_LINES = {mark: f"\\u{mark:04x}" for mark in (0x85, 0x2028, 0x2029)}


@dataclass(frozen=True, slots=True)
class StoredEvent:
    seq: int
    at: datetime
    type: str
    #: Its data as the JSON text that the store has; most readers only hand it on.
    text: str

    @property
    def data(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text)
        return loaded

    def as_json(self) -> str:
        """The same on every way out; in one line."""
        at = self.at.astimezone(UTC).isoformat().replace("+00:00", "Z")
        data = self.text if self.text.isascii() else self.text.translate(_ENDS_OF_LINES)
        return f'{{"seq":{self.seq},"at":"{at}","type":"{self.type}","data":{data}}}'


@dataclass(frozen=True, slots=True)
class Reading:
    """A job's events above a number, and how the job stood at the same moment."""

    after: int
    items: tuple[StoredEvent, ...]
    last_seq: int
    status: JobStatus

    @property
    def end(self) -> int:
        """Where the next reading begins."""
        return self.items[-1].seq if self.items else self.after

    @property
    def has_more(self) -> bool:
        return self.end < self.last_seq

    @property
    def is_over(self) -> bool:
        """Whether nothing comes behind these."""
        return self.status in FINAL and not self.has_more
