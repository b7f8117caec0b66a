"""`liftlock routers`: programs that pass requests on to active app servers."""

from typing import Annotated, Any

import typer

from app.cli import arguments, session, traffic
from app.cli.client import path
from app.cli.errors import Exit, UsageError
from app.cli.noun import Noun
from app.cli.text import one_line
from app.domain.router import RouterKind

app = Noun(name="routers", help="What passes requests on to sites.", no_args_is_help=True)

_LISTED = [
    ("name", "name"),
    ("kind", "kind"),
    ("host", "host"),
    ("tls", "tls_modes"),
    ("behind", "behind"),
    ("forgetting", "forgetting"),
    ("looked at", "looked_at"),
]
_SHOWN = [
    ("name", "name"),
    ("id", "id"),
    ("kind", "kind"),
    ("host", "host"),
    ("options", "options"),
    ("tls", "tls_modes"),
    ("holds requests", "holds"),
    ("looked at", "looked_at"),
    ("could not look", "look_error"),
    ("behind for", "behind"),
    ("has to forget", "forgetting"),
    ("updated", "updated_at"),
]

Name = Annotated[str, typer.Argument(help="Its name or id.")]
Option = Annotated[
    list[str] | None,
    typer.Option(
        "--option", metavar="KEY=VALUE", help="One of its kind's (docs/routers.md); repeat it."
    ),
]


@app.verb()
def add(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="What to call it.")],
    *,
    kind: Annotated[RouterKind, typer.Option(help="Which program it is.")],
    host: Annotated[str, typer.Option(help="The host it runs on.")],
    option: Option = None,
) -> None:
    """Register a router that runs on a host. Nothing happens there until an instance has it.

    Examples:
      liftlock routers add edge --kind caddy --host web-1
      liftlock routers add front --kind nginx --host lb-1 --option http_port=8080

    """
    here = session.of(ctx)
    body = {"name": name, "kind": kind, "host": host, "options": _options(option)}
    made = here.api.post(path("routers"), body)
    if here.output.json_mode:
        here.output.json(made)
        return
    here.output.line(f"Added router {made['name']} ({made['kind']} on {made['host']}).")
    here.output.line(f"  next     liftlock instances set NAME --router {made['name']}")


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List the routers.

    Example:
      liftlock routers list

    """
    here = session.of(ctx)
    none = "There are no routers. Add one: liftlock routers add NAME --kind caddy --host HOST"
    here.output.items(here.api.items(path("routers")), _LISTED, none)


@app.verb()
def show(ctx: typer.Context, name: Name) -> None:
    """Show one router: its options, what it can do, and whether it does what is wanted of it.

    Example:
      liftlock routers show edge

    """
    here = session.of(ctx)
    router = here.api.get(path("routers", name))
    here.output.show(router, _SHOWN)
    for drift in router.get("drifts") or ():
        here.output.line(f"  {traffic.drifted(drift)}")
    if router.get("behind") or router.get("forgetting"):
        here.output.line(f"  next     liftlock routers sync {router['name']}")


@app.verb()
def sync(ctx: typer.Context, name: Name) -> None:
    """Tell a router at once what it is behind with, and look whether the rest is as wanted.

    Both happen by themselves as well: this is for whoever has just mended it.

    Example:
      liftlock routers sync edge

    """
    here = session.of(ctx)
    found = here.api.post(path("routers", name, "sync"))
    if here.output.json_mode:
        here.output.json(found)
        return
    why = found.get("no_look")
    if why:
        here.output.line(f"Router {name} is not looked at. {one_line(why)}")
    else:
        here.output.line(f"Router {name} is looked at next.")
    for job in found["jobs"]:
        here.output.line(f"  job      liftlock jobs logs -f {job}")


@app.verb("set")
def set_(
    ctx: typer.Context,
    name: Name,
    *,
    rename: Annotated[str | None, typer.Option("--name", help="Call it so.")] = None,
    kind: Annotated[RouterKind | None, typer.Option(help="Which program it is.")] = None,
    host: Annotated[str | None, typer.Option(help="The host it runs on.")] = None,
    option: Option = None,
    unset: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="Give an option its default again; repeat it."),
    ] = None,
) -> None:
    """Change a router. What is not named stays; kind and host stay while an instance has it.

    Examples:
      liftlock routers set front --option https_port=8443
      liftlock routers set front --unset https_port

    """
    here = session.of(ctx)
    own = {"name": rename, "kind": kind, "host": host}
    body: dict[str, Any] = {key: value for key, value in own.items() if value is not None}
    if option or unset:
        body["options"] = {**dict.fromkeys(unset or ()), **_options(option)}
    if not body:
        raise UsageError("Nothing to change was named.", hint="liftlock routers set --help")
    here.output.show(here.api.change(path("routers", name), body), _SHOWN)


@app.verb()
def delete(
    ctx: typer.Context,
    name: Name,
    gone: Annotated[
        bool, typer.Option("--gone", help="Though it has routes to forget: it never comes back.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a router that no instance has. Nothing on its host is touched.

    Example:
      liftlock routers delete edge --yes

    """
    here = session.of(ctx)
    again = f"liftlock routers delete {name}{' --gone' if gone else ''} --yes"
    if not yes and not here.confirm(f"Forget router {name}?", otherwise=again):
        raise typer.Exit(Exit.REFUSED)
    here.api.remove(path("routers", name), guarded=True, gone="true" if gone else None)
    here.output.line(f"Deleted router {name}.")


def _options(words: list[str] | None) -> dict[str, Any]:
    """Ports and seconds are numbers, all else is text."""
    found = arguments.pairs(words or (), option="--option")
    return {
        key: int(value) if key.endswith(("_port", "hold")) and value.isdecimal() else value
        for key, value in found.items()
    }
