"""`liftlock identity`: the SSH key with which Liftlock logs in to hosts."""

from typing import Annotated, Any

import typer

from app.cli import arguments, session
from app.cli.client import path
from app.cli.errors import Exit
from app.cli.noun import Noun
from app.cli.output import Output

app = Noun(name="identity", help="The SSH key with which Liftlock logs in.", no_args_is_help=True)


@app.verb()
def show(ctx: typer.Context) -> None:
    """Print the line that a host's authorized_keys needs.

    Example:
      liftlock identity show | ssh deploy@web-1 'cat >> ~/.ssh/authorized_keys'

    """
    here = session.of(ctx)
    _print(here.output, here.api.get(path("identity")))


@app.verb("import")
def import_(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="OpenSSH private key; `-` is standard input.")],
) -> None:
    """Use a key of your own instead; the one before is kept as a second try.

    Example:
      liftlock identity import ~/.ssh/id_deploy

    """
    here = session.of(ctx)
    body = {"private_key": arguments.file_text(file)}
    _print(here.output, here.api.put(path("identity"), body))


@app.verb()
def rotate(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Make a new key; the one before is still tried until hosts know the new one.

    Example:
      liftlock identity rotate --yes

    """
    here = session.of(ctx)
    question = "Make a new key? Every host needs its line in authorized_keys."
    if not yes and not here.confirm(question, otherwise="liftlock identity rotate --yes"):
        raise typer.Exit(Exit.REFUSED)
    _print(here.output, here.api.post(path("identity", "rotate")))
    here.output.note("Add this line to authorized_keys on every host.")


def _print(output: Output, identity: dict[str, Any]) -> None:
    if output.json_mode:
        output.json(identity)
        return
    output.raw(identity["authorized_keys"])
    output.note(f"fingerprint {identity['fingerprint']}")
