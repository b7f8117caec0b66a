"""`liftlock app-servers`: deployments of a site, put into service and out of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from app.cli import app_server_commands, holding, session
from app.cli.client import path
from app.cli.noun import Noun
from app.cli.output import Output

app = Noun(
    name="app-servers", help="Deployments of a site: in service or beside.", no_args_is_help=True
)

_LISTED = [
    ("app server", "ref"),
    ("active", "mark"),
    ("state", "status"),
    ("age", "age"),
    ("revision", "revision"),
    ("host", "host.name"),
    ("url", "url"),
    ("error", "error.title"),
]
_SHOWN = [
    ("app server", "ref"),
    ("id", "id"),
    ("active", "mark"),
    ("state", "status"),
    ("revision", "revision"),
    ("commit", "commit"),
    ("recipe", "recipe"),
    ("host", "host.name"),
    ("url", "url"),
    ("release", "release"),
    ("settings", "settings"),
    ("extensions", "contains"),
    ("asset release", "asset_release"),
    ("job", "job_id"),
    ("deployment", "deployment"),
    ("error", "error.title"),
    ("created", "created_at"),
    ("activated", "activated_at"),
    ("deactivated", "deactivated_at"),
    ("cleaned", "cleaned_at"),
]
#: In service.
_MARK = "✓"


app_server_commands.register(app)


@app.verb("list")
def list_(
    ctx: typer.Context,
    instance: Annotated[str, typer.Argument(help="Name or id of the instance.")],
) -> None:
    """List the app servers of a site, newest first; those in service have a mark.

    Example:
      liftlock app-servers list shop

    """
    here = session.of(ctx)
    found = here.api.items(path("instances", instance, "app-servers"))
    print_table(here.output, found, f"None yet. Make one: liftlock provision {instance}")


@app.verb()
def show(ctx: typer.Context, ref: app_server_commands.Ref) -> None:
    """Show one app server, and the command that makes sense next.

    Example:
      liftlock app-servers show shop:2

    """
    here = session.of(ctx)
    found = here.api.get(path("app-servers", ref))
    here.output.show(found if here.output.json_mode else _row(found), _SHOWN)
    if (found.get("error") or {}).get("code") == "unconfirmed-gone":
        here.output.line(f"  repeat   liftlock app-servers terminate {_ref(found)} --wait")
    elif found.get("is_active"):
        here.output.line(f"  stop     liftlock app-servers deactivate {_ref(found)}")
    elif found.get("status") == "running":
        here.output.line(f"  serve    liftlock app-servers activate {_ref(found)} --wait")


def print_table(output: Output, found: Sequence[Mapping[str, Any]], none: str) -> None:
    output.items(found if output.json_mode else [_row(item) for item in found], _LISTED, none)


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    """With what a person looks for first."""
    mark = _MARK if item.get("is_active") else ""
    age = holding.age(item["created_at"]) if item.get("created_at") else ""
    return {**item, "ref": _ref(item), "mark": mark, "age": age, "contains": _contains(item)}


def _contains(item: Mapping[str, Any]) -> list[str]:
    """The extensions of its release."""
    return [
        f"{one['name']} {one['version']}" + ("" if one.get("enabled") else " (disabled)")
        for one in item.get("extensions") or ()
    ]


def _ref(item: Mapping[str, Any]) -> str:
    instance = (item.get("instance") or {}).get("name")
    return (
        f"{instance}:{item['number']}" if instance and item.get("number") else str(item.get("id"))
    )
