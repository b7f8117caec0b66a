"""Jobs that follow each other: another attempt, then the activation, until nothing follows."""

from collections import deque
from collections.abc import Mapping
from typing import Any

from app.cli import waiting
from app.cli.errors import Exit
from app.cli.session import Session

Job = Mapping[str, Any]


def until_over(session: Session, job: Job, *, timeout: float | None) -> Exit:
    """Wait for the job, those asked for with it, and all that follow; print how it ended.

    The code is that of the last, or of one that failed with nothing behind it. `timeout` is for
    all of them together. Raises what `waiting.until_over` raises.
    """
    now = session.outside.now
    deadline = None if timeout is None else now() + timeout
    pending = deque([str(job["id"]), *map(str, job.get("others") or ())])
    seen = set(pending)
    failed: Job | None = None
    while pending:
        left = None if deadline is None else max(0.0, deadline - now())
        job = waiting.until_over(session, {"id": pending.popleft()}, timeout=left)
        following = str(job["next"]) if job.get("next") else None
        if following is None and job["status"] != "succeeded":
            failed = failed or job
        if following and following not in seen:
            seen.add(following)
            pending.append(following)
        if pending:
            _tell(session, job, following or pending[0])
    return waiting.result(session.output, failed or job)


def _tell(session: Session, job: Job, following: str) -> None:
    """In one line: not the end yet."""
    error = job.get("error") or {}
    why = f": {error['title']}" if error.get("title") else ""
    style = "" if job["status"] == "succeeded" else "red"
    ended = str(job["status"]).capitalize()
    session.output.line(f"{ended}{why}; job {following} follows.", style=style)
    if error:
        session.output.line(f"  log      liftlock jobs logs {job['id']}")
