"""`liftlock jobs`: what was asked for, and what became of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli import blocked, follow, session, waiting
from app.cli.client import path
from app.cli.errors import CliError, Exit, Interrupted
from app.cli.logs import Log
from app.cli.noun import Noun
from app.cli.output import Output
from app.cli.session import Session
from app.cli.text import cell, duration, plain
from app.cli.wording import blockers
from app.domain.job import JobKind, JobStatus

app = Noun(name="jobs", help="What was asked for, and what became of it.", no_args_is_help=True)

_LISTED = [
    ("id", "id"),
    ("kind", "kind"),
    ("instance", "instance.name"),
    ("host", "host.name"),
    ("revision", "revision"),
    ("status", "status"),
    ("created", "created_at"),
]
_SHOWN = [
    ("id", "id"),
    ("kind", "kind"),
    ("status", "status"),
    ("instance", "instance.name"),
    ("host", "host.name"),
    ("revision", "revision"),
    ("app servers", "about"),
    ("address", "app_server.url"),
    ("dry run", "dry_run"),
    ("priority", "priority"),
    ("not before", "not_before"),
    ("deadline", "deadline"),
    ("repeats", "retry_of"),
    ("followed by", "next"),
    ("given up", "given_up"),
    ("attempt", "attempt"),
    ("blocked by", "blocked_by"),
    ("waits for", "suspended"),
    ("told to stop", "cancel"),
    ("outcome", "outcome"),
    ("site", "service_state"),
    ("asked by", "actor"),
    ("created", "created_at"),
    ("started", "started_at"),
    ("finished", "finished_at"),
]
_STEPS = [
    ("step", "number"),
    ("what", "title"),
    ("status", "status"),
    ("exit", "exit_code"),
    ("took", "took"),
]

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, or `last` for the newest.")]


@app.verb("list")
def list_(
    ctx: typer.Context,
    status: Annotated[JobStatus | None, typer.Option(help="Only with this status.")] = None,
    kind: Annotated[JobKind | None, typer.Option(help="Only of this kind.")] = None,
    instance: Annotated[str | None, typer.Option(help="Only of this instance.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many.")] = 20,
) -> None:
    """List jobs, newest first.

    Examples:
      liftlock jobs list
      liftlock jobs list --instance shop --status failed -n 5

    """
    here = session.of(ctx)
    wanted = {"status": status, "kind": kind, "instance": instance}
    found = here.api.items(path("jobs"), limit=limit, **wanted)
    if not here.output.json_mode:
        found = [_marked(job) for job in found]
    here.output.items(found, _LISTED, "There are no such jobs.")


@app.verb()
def show(ctx: typer.Context, job_id: JobId = "last") -> None:
    """Show a job with its steps, who is in its way, or why it failed, and what to type next.

    Examples:
      liftlock jobs show last
      liftlock jobs show 0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11 --json

    """
    here = session.of(ctx)
    job = follow.resolve(here.api, job_id)
    if here.output.json_mode:
        here.output.json(job)
        return
    in_the_way = blockers(job["blocked_by"]) if job.get("blocked_by") else None
    about = [item["name"] for item in job.get("app_servers") or ()]
    here.output.show({**job, "blocked_by": in_the_way, "about": about}, _SHOWN)
    _print_blocked(here, blocked.lines(here, job))
    steps = here.api.get(path("jobs", str(job["id"]), "steps"))["items"]
    if steps:
        here.output.line()
        here.output.items([_timed(step) for step in steps], _STEPS, "")
    if job["status"] in follow.FINAL_STATUSES:
        here.output.line()
        waiting.result(here.output, job)


@app.verb()
def logs(
    ctx: typer.Context,
    job_id: JobId = "last",
    follow_on: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on until the job ends.")
    ] = False,
    after: Annotated[int, typer.Option(min=0, help="Only events above this number.")] = 0,
    timestamps: Annotated[bool, typer.Option("--timestamps", "-t", help="Show when.")] = False,
) -> None:
    """Print what a job did and what the host said. With --json: one event on each line.

    Examples:
      liftlock jobs logs last -f
      liftlock jobs logs last --json | jq -r 'select(.type == "step.output").data.text'

    """
    here = session.of(ctx)
    found = str(follow.resolve(here.api, job_id)["id"])
    log = Log(here.output, timestamps=timestamps)
    if not follow_on:
        for event in follow.stored(here.api, found, after=after):
            log.add(event)
        log.flush()
        return
    _follow(here, found, log, after=after)


@app.verb()
def plan(ctx: typer.Context, job_id: JobId = "last") -> None:
    """Print the steps of a job with their commands; there as soon as a worker has planned it.

    Examples:
      liftlock jobs plan last
      liftlock provision shop --dry-run      (plans without doing anything)

    """
    here = session.of(ctx)
    job = follow.resolve(here.api, job_id)
    print_plan(here.output, here.api.get(path("jobs", str(job["id"]), "plan")))


@app.verb()
def wait(
    ctx: typer.Context,
    job_id: JobId = "last",
    timeout: Annotated[float | None, typer.Option(min=0, help="At most so many seconds.")] = None,
) -> None:
    """Wait until a job ends, with progress; the exit code is the job's.

    Example:
      liftlock jobs wait last --timeout 600

    """
    here = session.of(ctx)
    job = waiting.until_over(here, follow.resolve(here.api, job_id), timeout=timeout)
    raise typer.Exit(waiting.result(here.output, job))


def print_plan(output: Output, plan: Any) -> None:
    """The steps, numbered, each with what it runs."""
    if output.json_mode:
        output.json(plan)
        return
    for step in _steps_of(plan):
        output.line(f"{step.get('number', '?')}. {plain(step.get('title'))}", style="bold")
        for name in ("env", "paths", "secrets", "timeout"):
            if step.get(name):
                output.line(f"   {name:<8} {cell(step[name])}")
        for line in plain(step.get("script") or "").rstrip("\n").splitlines():
            output.line(f"   | {line}")
        if step.get("undo"):
            output.line(f"   undo     {_undo(step['undo'])}")


def _follow(here: Session, job_id: str, log: Log, *, after: int) -> None:
    try:
        for event in follow.events(here, job_id, after=after, away=here.output.note):
            if event is None:
                log.flush()
            else:
                log.add(event)
                if event["type"] == "job.blocked":
                    blocked.tell(here, job_id)
    except KeyboardInterrupt:
        log.flush()
        raise Interrupted("") from None
    except CliError:
        log.flush()
        raise
    code = waiting.EXITS.get(str(follow.last_state(here, job_id)["status"]), Exit.FAILED)
    raise typer.Exit(code)


def _print_blocked(here: Session, told: Sequence[str]) -> None:
    if told:
        here.output.line()
        here.output.line("In the way", style="bold")
    for line in told:
        here.output.line(line)


def _steps_of(plan: Any) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = plan["items"] if isinstance(plan, dict) else plan
    return found


def _undo(undo: Any) -> str:
    if isinstance(undo, Mapping):
        return cell(undo.get("script") or undo.get("action") or dict(undo))
    return cell(undo)


def _marked(job: Mapping[str, Any]) -> dict[str, Any]:
    """A dry run must not look like work that was done."""
    return {**job, "kind": f"{job['kind']} (dry run)" if job.get("dry_run") else job["kind"]}


def _timed(step: Mapping[str, Any]) -> dict[str, Any]:
    took = step.get("duration_ms")
    return {**step, "took": duration(took / 1000) if took is not None else None}
