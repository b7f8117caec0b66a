"""`liftlock secrets`: values that are written and never read again."""

from typing import Annotated

import typer

from app.cli import arguments, session
from app.cli.client import path
from app.cli.noun import Noun

app = Noun(name="secrets", help="Secrets of an instance.", no_args_is_help=True)

Instance = Annotated[str, typer.Argument(help="Name or id of the instance.")]
Name = Annotated[str, typer.Argument(help="DEPLOY_KEY is the key for a private repository.")]


@app.verb("set")
def set_(
    ctx: typer.Context,
    instance: Instance,
    name: Name,
    file: Annotated[str, typer.Option(help="Where the value is; `-` is standard input.")] = "-",
) -> None:
    """Set or replace a secret, from a file or standard input (never from the command line).

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


@app.verb("list")
def list_(ctx: typer.Context, instance: Instance) -> None:
    """List the names of an instance's secrets; their values cannot be read.

    Example:
      liftlock secrets list shop

    """
    here = session.of(ctx)
    items = here.api.items(path("instances", instance, "secrets"))
    shown = [("name", "name"), ("updated", "updated_at")]
    here.output.items(items, shown, f"{instance} has no secrets.")


@app.verb()
def delete(ctx: typer.Context, instance: Instance, name: Name) -> None:
    """Delete a secret.

    Example:
      liftlock secrets delete shop STRIPE_KEY

    """
    here = session.of(ctx)
    here.api.remove(path("instances", instance, "secrets", name))
    here.output.line(f"Deleted secret {name} of {instance}.")
