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
    JOB_SUCCEEDED = "job.succeeded"
    JOB_FAILED = "job.failed"
    STEP_STARTED = "step.started"
    STEP_OUTPUT = "step.output"
    STEP_SUCCEEDED = "step.succeeded"
    STEP_FAILED = "step.failed"
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
