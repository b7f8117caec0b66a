"""`liftlock provision`: put a revision of an instance on a host."""

from typing import Annotated, Any

import typer

from app.cli import chain, jobs, session, times, waiting
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.job_commands import Timeout, Wait
from app.cli.noun import Noun
from app.cli.session import Session
from app.domain.job import OnConflict

_ACCEPTED = 202

Activate = Annotated[bool, typer.Option("--activate", help="Put it into service once it runs.")]
Attempts = Annotated[
    int | None,
    typer.Option(min=1, max=10, help="App servers tried at most [1; with --activate 2]."),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan; change nothing.")]
Priority = Annotated[int | None, typer.Option(min=-100, max=100, help="Lower goes first [0].")]
NotBefore = Annotated[str | None, typer.Option(metavar="TIME", help="Begin then, or later.")]
Deadline = Annotated[
    str | None, typer.Option(metavar="TIME", help="Stop and undo it when it still runs then.")
]
Within = Annotated[
    str | None, typer.Option(metavar="SPAN", help="The same, from now on: 90s, 1h30m.")
]
OnConflictOption = Annotated[
    OnConflict | None, typer.Option(help="When the same is asked for already [queue].")
]


def register(app: Noun) -> None:
    app.verb()(provision)


def provision(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the instance.")],
    *,
    revision: Annotated[str | None, typer.Option(help="Instead of the instance's own.")] = None,
    host: Annotated[str | None, typer.Option(help="Instead of the instance's own.")] = None,
    activate: Activate = False,
    attempts: Attempts = None,
    dry_run: DryRun = False,
    priority: Priority = None,
    not_before: NotBefore = None,
    deadline: Deadline = None,
    within: Within = None,
    on_conflict: OnConflictOption = None,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Put a site on a host, beside what runs there.

    With --wait it waits for the jobs that follow, too; the exit code is that of the last:
    0 succeeded, 1 failed, 3 canceled or superseded, 4 when --timeout is over first.

    Examples:
      liftlock provision shop --revision v2 --activate --attempts 3 --wait
      liftlock provision shop --revision v2 --dry-run
      liftlock provision shop --not-before 2026-11-21T22:00:00Z --on-conflict supersede

    """
    here = session.of(ctx)
    wishes = {
        "kind": "provision",
        "instance": name,
        "host": host,
        "revision": revision,
        "dry_run": dry_run,
        "activate": activate or None,
        "attempts": attempts,
        "priority": priority,
        "not_before": times.moment(not_before, option="--not-before") if not_before else None,
        "deadline": _deadline(deadline, within),
        "on_conflict": on_conflict.value if on_conflict else None,
    }
    body = {key: value for key, value in wishes.items() if value is not None}
    status, job = here.api.send(path("jobs"), json=body)
    if dry_run:
        print_plan(here, job, timeout)
    elif wait:
        raise typer.Exit(chain.until_over(here, job, timeout=timeout))
    else:
        waiting.accepted(here, job, wait, timeout, is_new=status == _ACCEPTED)


def _deadline(deadline: str | None, within: str | None) -> str | None:
    if deadline and within:
        raise UsageError("Give --deadline or --within, not both.")
    if within:
        return times.from_now(within, option="--within")
    return times.moment(deadline, option="--deadline") if deadline else None


def print_plan(here: Session, job: dict[str, Any], timeout: float | None) -> None:
    """Of a dry run, once it has ended; raises Exit with its code when that failed."""
    job = waiting.until_over(here, job, timeout=timeout)
    if job["status"] != "succeeded":
        raise typer.Exit(waiting.result(here.output, job) or Exit.FAILED)
    jobs.print_plan(here.output, here.api.get(path("jobs", str(job["id"]), "plan")))
