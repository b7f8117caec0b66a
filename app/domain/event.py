"""Events: what a job tells, numbered 1..n without a gap."""

from enum import StrEnum


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
    HOST_KEY_READ = "host.key_read"
