"""`liftlock machines`: what providers made, and what may be left of it."""

from typing import Annotated, Any

import typer

from app.cli import session
from app.cli.client import path
from app.cli.noun import Noun

app = Noun(name="machines", help="Machines that providers make.", no_args_is_help=True)

_LISTED = [
    ("tag", "tag"),
    ("provider", "provider"),
    ("state", "status"),
    ("age", "age"),
    ("host", "host"),
    ("instance", "instance"),
    ("address", "address"),
    ("error", "error.title"),
]
#: States in which there is no machine for certain.
_NONE = frozenset({"failed", "terminated"})


@app.callback()
def _machines() -> None:
    """Keeps `list` a word of its own."""


@app.verb("list")
def list_(
    ctx: typer.Context,
    *,
    every: Annotated[bool, typer.Option("--all", help="Also those that are gone.")] = False,
) -> None:
    """List the machines that are there, or may be: `unknown` means that nobody can tell.

    Examples:
      liftlock machines list
      liftlock machines list --all

    """
    here = session.of(ctx)
    found = [one for one in here.api.items(path("machines")) if every or _may_be_there(one)]
    here.output.items(found, _LISTED, "There are no machines of providers.")


def _may_be_there(machine: dict[str, Any]) -> bool:
    return machine["status"] not in _NONE
