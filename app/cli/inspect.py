"""`liftlock inspect`: look at what serves a site."""

from typing import Annotated

import typer

from app.cli import session, waiting
from app.cli.client import path
from app.cli.job_commands import Timeout, Wait
from app.cli.noun import Noun

_ACCEPTED = 202


def register(app: Noun) -> None:
    app.verb()(inspect)


def inspect(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Name or id of the instance.")],
    *,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Look whether all that serves a site is still in its place; nothing is changed.

    The files of every enabled extension are compared with its package. What is missing stands
    with the extension, and in the job's events.

    Examples:
      liftlock inspect shop --wait
      liftlock extensions list shop

    """
    here = session.of(ctx)
    status, job = here.api.send(path("jobs"), json={"kind": "inspect", "instance": name})
    waiting.accepted(here, job, wait, timeout, is_new=status == _ACCEPTED)
