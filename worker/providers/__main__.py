"""`python -m worker.providers`: tries an operator's program, without a server or a job."""

import asyncio
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.domain.machine import Machine, MachineStatus, Wait, Waits
from worker.providers.checking import PREFIX, Check
from worker.providers.executable import ExecProvider
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import ProviderError, Wish
from worker.providers.sweeping import Policy

_REFUSED, _INTERRUPTED = 1, 130

app = typer.Typer(
    name="python -m worker.providers",
    help="Providers: programs that make and remove machines.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    rich_markup_mode=None,
    epilog="Exit codes: 0 all is right, 1 something is not, 2 wrong command line, 130 interrupted.",
)


@app.callback()
def _providers() -> None:
    """Keeps `check` a word of its own."""


@app.command("check")
def check(
    *,
    program: Annotated[Path, typer.Option(help="The program.")],
    arg: Annotated[list[str], typer.Option(help="A fixed argument; again for more.")] = [],  # noqa: B006
    variable: Annotated[
        list[str], typer.Option(help="A variable that the program may see; again for more.")
    ] = [],  # noqa: B006
    authorized_keys: Annotated[
        Path | None, typer.Option(help="A file of public keys that may log in.")
    ] = None,
    wait: Annotated[float, typer.Option(help="Seconds for the machine to answer SSH.")] = 3600,
    leftovers: Annotated[
        Policy, typer.Option(help="Machines of earlier, interrupted checks.")
    ] = Policy.REPORT,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the machine there.")] = False,
) -> None:
    """Make one machine, list it, remove it, and look at each answer."""
    try:
        waits = Waits(state=Wait(wait, 1))
        keys = authorized_keys.read_text() if authorized_keys else ""
    except (OSError, ValueError) as error:
        raise typer.BadParameter(str(error)) from None
    tag = f"{PREFIX}{secrets.token_hex(4)}"
    wish = Wish(name=tag, labels={"made-for": "a check"}, authorized_keys=keys)
    try:
        provider = ExecProvider.of([str(program.absolute()), *arg], variables=variable)
        tried = Check(Lifecycle(provider, _record, _show, waits), _passed, keeps=keep)
        asyncio.run(_check(tried, tag, wish, leftovers))
    except ProviderError as error:
        typer.echo(f"{error.title}: {error.detail}\n{error.hint}", err=True)
        raise typer.Exit(_REFUSED) from None
    except KeyboardInterrupt:
        typer.echo("Interrupted.", err=True)
        raise typer.Exit(_INTERRUPTED) from None


async def _check(tried: Check, tag: str, wish: Wish, leftovers: Policy) -> None:
    await tried.leftovers(leftovers)
    await tried.run(tag, wish)


def _passed(text: str) -> None:
    typer.echo(f"ok  {text}")


async def _show(line: str) -> None:
    typer.echo(f"    {line}", err=True)


async def _record(machine: Machine) -> None:
    """On standard error, where it stays when this command is killed."""
    began = " (remove it by this tag)" if machine.status is MachineStatus.PENDING else ""
    typer.echo(f"    {machine.tag}: {machine.status}{began}", err=True)


if __name__ == "__main__":
    sys.exit(app())
