"""`liftlock recipes`: how kinds of applications are built, started and checked."""

from typing import Annotated

import typer

from app.cli import arguments, session
from app.cli.client import path
from app.cli.noun import Noun

app = Noun(
    name="recipes", help="How kinds of applications are built and run.", no_args_is_help=True
)

_CREATED = 201
_LISTED = [
    ("name", "name"),
    ("version", "version"),
    ("description", "description"),
    ("created", "created_at"),
]


@app.verb()
def push(
    ctx: typer.Context,
    file: Annotated[str, typer.Argument(help="A YAML or JSON file; `-` is standard input.")],
) -> None:
    """Store a recipe. The same document again is no new version.

    Examples:
      liftlock recipes push recipes/django.yaml
      sed s/900/1800/ django.yaml | liftlock recipes push -

    """
    here = session.of(ctx)
    # YAML holds all of JSON, and its parser names the line of an error.
    content = arguments.file_bytes(file)
    status, made = here.api.upload(path("recipes"), content, content_type="application/yaml")
    if here.output.json_mode:
        here.output.json(made)
        return
    stored = f"Recipe {made['name']} is version {made['version']}"
    here.output.line(f"{stored}." if status == _CREATED else f"{stored} already; unchanged.")


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List the newest version of each recipe.

    Example:
      liftlock recipes list

    """
    here = session.of(ctx)
    none = "There are no recipes. Store one: liftlock recipes push FILE"
    here.output.items(here.api.items(path("recipes")), _LISTED, none)


@app.verb()
def show(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="Its name, or name@version.")],
) -> None:
    """Print a recipe as it was pushed.

    Examples:
      liftlock recipes show django
      liftlock recipes show django@2 > django.yaml

    """
    here = session.of(ctx)
    base, _, number = name.partition("@")
    parts = ("recipes", base, "versions", number) if number else ("recipes", base)
    recipe = here.api.get(path(*parts))
    if here.output.json_mode:
        here.output.json(recipe)
    else:
        here.output.raw(str(recipe["source"]).rstrip("\n"))
