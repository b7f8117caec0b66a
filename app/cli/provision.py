"""`liftlock provision`: put a revision of an instance on a host."""

from typing import Annotated, Any

import typer

from app.cli import jobs, session, waiting
from app.cli.client import path
from app.cli.errors import Exit
from app.cli.noun import Noun
from app.cli.session import Session


def register(app: Noun) -> None:
    app.verb()(provision)


def provision(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the instance.")],
    *,
    revision: Annotated[str | None, typer.Option(help="Instead of the instance's own.")] = None,
    host: Annotated[str | None, typer.Option(help="Instead of the instance's own.")] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the plan; change nothing.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait with progress.")] = False,
    timeout: Annotated[
        float | None, typer.Option(min=0, help="With --wait: at most so many seconds.")
    ] = None,
) -> None:
    """Put a site on a host, beside what runs there.

    With --wait the exit code is the job's: 0 succeeded, 1 failed, 3 canceled or
    superseded, 4 when --timeout is over first (the job goes on).

    Examples:
      liftlock provision shop --wait
      liftlock provision shop --revision v2 --dry-run

    """
    here = session.of(ctx)
    body = {
        "kind": "provision",
        "instance": name,
        "host": host,
        "revision": revision,
        "dry_run": dry_run,
    }
    job = here.api.post(path("jobs"), body)
    if dry_run:
        _print_plan(here, job, timeout)
    elif wait:
        job = waiting.until_over(here, job, timeout=timeout)
        raise typer.Exit(waiting.result(here.output, job))
    elif here.output.json_mode:
        here.output.json(job)
    else:
        here.output.line(f"Queued job {job['id']}.")
        here.output.line(f"  follow   liftlock jobs logs -f {job['id']}")


def _print_plan(here: Session, job: dict[str, Any], timeout: float | None) -> None:
    job = waiting.until_over(here, job, timeout=timeout)
    if job["status"] != "succeeded":
        raise typer.Exit(waiting.result(here.output, job) or Exit.FAILED)
    jobs.print_plan(here.output, here.api.get(path("jobs", str(job["id"]), "plan")))
