"""Waiting for a job to end: progress, the result in words, and the exit code."""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import blocked, extension_words, follow, traffic
from app.cli.errors import ApiProblem, CliError, Exit, Interrupted, Unreachable, WaitTimedOut
from app.cli.output import Output
from app.cli.progress import Progress
from app.cli.session import Session
from app.cli.text import duration, one_line, plain

EVENTS_EXPIRED = "events-expired"
EXITS = {
    "succeeded": Exit.OK,
    "failed": Exit.FAILED,
    "canceled": Exit.CANCELED,
    "superseded": Exit.CANCELED,
}


def until_over(session: Session, job: Mapping[str, Any], *, timeout: float | None) -> Any:
    """Show the job's progress until it ends; returns it as it is then.

    Raises WaitTimedOut, Unreachable or Interrupted; all say how to go on waiting.
    """
    job_id = str(job["id"])
    try:
        session.output.line(f"Job {job_id}")
        with Progress(
            session.output,
            now=session.outside.now,
            total=lambda: (follow.last_state(session, job_id).get("progress") or {}).get("of"),
            blocked=lambda: blocked.tell(session, job_id),
        ) as progress:
            for event in follow.events(session, job_id, timeout=timeout, away=progress.away):
                progress.back()
                if event is not None:
                    progress.add(event)
    except KeyboardInterrupt:
        raise Interrupted(f"The job goes on. Wait again: liftlock jobs wait {job_id}") from None
    except (WaitTimedOut, Unreachable) as error:
        error.hint = f"Wait again: liftlock jobs wait {job_id}"
        raise
    except ApiProblem as error:
        # An old job: what it told is gone, how it ended is not.
        if error.code != EVENTS_EXPIRED:
            raise
    return follow.last_state(session, job_id)


def accepted(
    session: Session,
    job: Mapping[str, Any],
    wait: bool,
    timeout: float | None,
    *,
    is_new: bool = True,
) -> None:
    """What a command that asked for a job does then: wait for its end, or say how to follow it.

    `is_new` is false for a job that waited already. Raises Exit with the job's code.
    """
    output = session.output
    if wait:
        raise typer.Exit(result(output, until_over(session, job, timeout=timeout)))
    if output.json_mode:
        output.json(job)
        return
    output.line(f"Queued job {job['id']}." if is_new else f"Job {job['id']} waits already.")
    output.line(f"  follow   liftlock jobs logs -f {job['id']}")


def result(output: Output, job: Mapping[str, Any]) -> Exit:
    """Print how the job ended; returns the exit code that says the same."""
    code = EXITS.get(str(job["status"]), Exit.FAILED)
    if output.json_mode:
        output.json(job)
    elif code is Exit.OK:
        _praise(output, job)
    else:
        _explain(output, job)
    return code


def failure(job: Mapping[str, Any]) -> CliError:
    """The job's error as the error of a command that needed it to succeed."""
    error = job.get("error") or {}
    title = str(error.get("title") or f"The job {job['status']}.")
    detail = str(error.get("detail") or "")
    found = CliError(title, detail=detail, hint=error.get("hint") or _log_command(job))
    found.code = str(error.get("code") or job["status"])
    found.exit_code = EXITS.get(str(job["status"]), Exit.FAILED)
    return found


def _praise(output: Output, job: Mapping[str, Any]) -> None:
    app_server = job.get("app_server") or {}
    instance = (job.get("instance") or {}).get("name")
    took = duration((job.get("duration_ms") or 0) / 1000)
    if job.get("dry_run"):
        output.line(f"The dry run took {took}; nothing was changed.", style="bold green")
    elif said := extension_words.done(job):
        output.line(f"Succeeded in {took}: {said}.", style="bold green")
        output.line(f"  next     liftlock extensions list {instance}")
    elif app_server:
        host = (job.get("host") or {}).get("name")
        text = f"{instance} {job.get('revision') or ''} runs on {host} as {app_server['name']}"
        output.line(f"Succeeded in {took}: {one_line(text)}.", style="bold green")
        if app_server.get("url"):
            output.line(f"  address  {app_server['url']} (as {host} sees it)")
        output.line(f"  next     liftlock instances show {instance}")
        if app_server.get("number"):
            wanted = traffic.refs(str(instance), [app_server])
            output.line(f"  serve    {traffic.activate(wanted)} --wait")
    elif said := traffic.done(job):
        output.line(f"Succeeded in {took}: {said}.", style="bold green")
    else:
        output.line(f"Succeeded in {took}.", style="bold green")


def _explain(output: Output, job: Mapping[str, Any]) -> None:
    error = job.get("error") or {}
    took = duration((job.get("duration_ms") or 0) / 1000)
    title = error.get("title") or _why(job)
    output.line(f"{str(job['status']).capitalize()} after {took}: {title}", style="bold red")
    if error.get("detail"):
        for line in plain(error["detail"]).splitlines():
            output.line(f"  {line}")
    named = (("step", "step"), ("code", "code"), ("hint", "hint"), ("docs", "docs"))
    for label, key in named:
        if error.get(key):
            output.line(f"  {label:<8} {one_line(error[key])}")
    for label, key in (("outcome", "outcome"), ("site", "service_state")):
        if job.get(key):
            output.line(f"  {label:<8} {one_line(job[key]).replace('_', ' ')}")
    output.line(f"  log      {_log_command(job)}")


def _why(job: Mapping[str, Any]) -> str:
    """In words, for a job that ended without an error."""
    order = job.get("cancel") or {}
    reason = f": {order['reason']}" if order.get("reason") else ""
    return f"{order['by']} asked for it{reason}" if order.get("by") else "No reason was given"


def _log_command(job: Mapping[str, Any]) -> str:
    return f"liftlock jobs logs {job['id']}"
