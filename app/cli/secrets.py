"""`liftlock secrets`: values that are written and never read again."""

from typing import Annotated

import typer

from app.cli import arguments, session
from app.cli.client import path

app = typer.Typer(name="secrets", help="Secrets of an instance.", no_args_is_help=True)

Instance = Annotated[str, typer.Argument(help="Name or id of the instance.")]
Name = Annotated[str, typer.Argument(help="DEPLOY_KEY is the key for a private repository.")]


@app.command(name="set")
def set_(
    ctx: typer.Context,
    instance: Instance,
    name: Name,
    file: Annotated[str, typer.Option(help="Where the value is; `-` is standard input.")] = "-",
) -> None:
    r"""Set or replace a secret, from a file or standard input (never from the command line).

    \b
    Examples:
      liftlock secrets set shop DEPLOY_KEY --file deploy_key
      pass show shop/stripe | liftlock secrets set shop STRIPE_KEY
    """
    here = session.of(ctx)
    if file == "-" and here.outside.is_interactive():
        value = typer.prompt(f"Value of {name}", hide_input=True, err=True)
    else:
        value = arguments.secret(file)
    here.api.put(path("instances", instance, "secrets", name), {"value": value})
    here.output.line(f"Set secret {name} of {instance}; the next job uses it.")


@app.command(name="list")
def list_(ctx: typer.Context, instance: Instance) -> None:
    r"""List the names of an instance's secrets; their values cannot be read.

    \b
    Example:
      liftlock secrets list shop
    """
    here = session.of(ctx)
    items = here.api.items(path("instances", instance, "secrets"))
    shown = [("name", "name"), ("updated", "updated_at")]
    here.output.items(items, shown, f"{instance} has no secrets.")


@app.command()
def delete(ctx: typer.Context, instance: Instance, name: Name) -> None:
    r"""Delete a secret.

    \b
    Example:
      liftlock secrets delete shop STRIPE_KEY
    """
    here = session.of(ctx)
    here.api.remove(path("instances", instance, "secrets", name))
    here.output.line(f"Deleted secret {name} of {instance}.")
