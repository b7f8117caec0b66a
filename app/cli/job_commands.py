"""`liftlock jobs cancel`, `retry` and `answer`: what a job that exists is told."""

from typing import Annotated

import typer

from app.cli import follow, session, waiting
from app.cli.client import path
from app.cli.errors import Exit
from app.cli.noun import Noun
from app.cli.session import Session
from app.domain.job import Answer

JobId = Annotated[str, typer.Argument(metavar="ID", help="A job's id, or `last` for the newest.")]
Wait = Annotated[bool, typer.Option("--wait", "-w", help="Wait with progress.")]
Timeout = Annotated[float | None, typer.Option(min=0, help="With --wait: at most so many seconds.")]


def register(app: Noun) -> None:
    for function in (cancel, retry, answer):
        app.verb()(function)


def cancel(
    ctx: typer.Context,
    job_id: JobId,
    *,
    reason: Annotated[str | None, typer.Option(help="Why; it is kept with the job.")] = None,
    force: Annotated[
        bool,
        typer.Option("--force", help="Interrupt also what would rather finish; 30 s later."),
    ] = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Stop a job and undo what it did. One that has not begun is canceled at once.

    With --wait it shows what happens until the job has ended; the exit code is then 0
    when it was canceled, and 1 when it ended in another way.

    Examples:
      liftlock jobs cancel last --reason "the wrong revision" --wait
      liftlock jobs cancel 0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11 --force

    """
    here = session.of(ctx)
    found = str(follow.resolve(here.api, job_id)["id"])
    body = {"force": force} | ({"reason": reason} if reason is not None else {})
    job = here.api.post(path("jobs", found, "cancel"), body)
    if wait:
        job = waiting.until_over(here, job, timeout=timeout)
        waiting.result(here.output, job)
        raise typer.Exit(Exit.OK if job["status"] == "canceled" else Exit.FAILED)
    if here.output.json_mode:
        here.output.json(job)
    elif job["status"] == "canceled":
        here.output.line(f"Job {found} is canceled.")
    else:
        here.output.line(f"Job {found} was told to stop.")
        here.output.line(f"  follow   liftlock jobs wait {found}")
        if not force:
            here.output.line(f"  force    liftlock jobs cancel {found} --force (in 30 s)")


def retry(
    ctx: typer.Context, job_id: JobId, *, wait: Wait = False, timeout: Timeout = None
) -> None:
    """Ask for the same again, as a new job: for one that failed, was canceled or superseded.

    Example:
      liftlock jobs retry last --wait

    """
    here = session.of(ctx)
    found = str(follow.resolve(here.api, job_id)["id"])
    waiting.accepted(here, here.api.post(path("jobs", found, "retry")), wait, timeout)


def answer(
    ctx: typer.Context,
    job_id: JobId,
    answer: Annotated[
        Answer, typer.Argument(help="It had its effect; it had none, do it again; undo it all.")
    ],
) -> None:
    """Say what became of a step that nobody can know of, so that its job goes on.

    `done`: the step had its effect, go on with the next. `repeat`: it had none, do it
    again. `failed`: undo what was done and end the job.

    Example:
      liftlock jobs answer last repeat

    """
    here = session.of(ctx)
    found = str(follow.resolve(here.api, job_id)["id"])
    job = here.api.post(path("jobs", found, "answer"), {"answer": answer.value})
    _goes_on(here, job, found)


def _goes_on(here: Session, job: object, job_id: str) -> None:
    if here.output.json_mode:
        here.output.json(job)
        return
    here.output.line(f"Job {job_id} goes on.")
    here.output.line(f"  follow   liftlock jobs wait {job_id}")
