"""`liftlock instances`: long-lived sites."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import app_servers, arguments, session, traffic
from app.cli.client import path
from app.cli.creating import create
from app.cli.errors import Exit, UsageError
from app.cli.instance_fields import (
    Certificate,
    Key,
    Label,
    Pool,
    Provider,
    RetentionDays,
    RouterName,
    Setting,
    TargetCount,
    TlsOption,
    fields,
)
from app.cli.noun import Noun
from app.cli.output import Output

app = Noun(name="instances", help="Long-lived sites.", no_args_is_help=True)

_LISTED = [
    ("name", "name"),
    ("state", "state"),
    ("active", "active"),
    ("recipe", "recipe"),
    ("revision", "revision"),
    ("host", "host"),
    ("domain", "domain"),
    ("updated", "updated_at"),
]
_SHOWN = [
    ("name", "name"),
    ("id", "id"),
    ("state", "state"),
    ("in service", "active"),
    ("newest", "newest"),
    ("recipe", "recipe"),
    ("repository", "repository"),
    ("revision", "revision"),
    ("host", "host"),
    ("pool", "pool"),
    ("provider", "provider"),
    ("labels", "labels"),
    ("app servers wanted", "target_count"),
    ("retention days", "kept_days"),
    ("router", "router"),
    ("domain", "domain"),
    ("tls", "tls.mode"),
    ("route", "applied"),
    ("settings", "settings"),
    ("secrets", "secrets"),
    ("updated", "updated_at"),
]
Name = Annotated[str, typer.Argument(help="Its name or id.")]


app.verb()(create)


@app.verb("list")
def list_(ctx: typer.Context) -> None:
    """List the sites.

    Example:
      liftlock instances list

    """
    here = session.of(ctx)
    none = "There are no instances. Make one: liftlock instances create --help"
    found = here.api.items(path("instances"))
    if not here.output.json_mode:
        found = [_standing(item) for item in found]
    here.output.items(found, _LISTED, none)


@app.verb()
def show(ctx: typer.Context, name: Name) -> None:
    """Show one site: how it is, what is in service, its secrets' names and its app servers.

    Example:
      liftlock instances show shop

    """
    here = session.of(ctx)
    instance = here.api.get(path("instances", name))
    found = here.api.items(path("instances", name, "app-servers"))
    kept = here.api.items(path("instances", name, "secrets"))
    if here.output.json_mode:
        here.output.json({**instance, "secrets": kept, "app_servers": found})
        return
    shown = {**_standing(instance), "secrets": [item["name"] for item in kept]}
    here.output.show(shown, _SHOWN)
    here.output.line()
    app_servers.print_table(here.output, found, "It has no app server yet.")
    _say_next(here.output, instance)


@app.verb("set")
def set_(
    ctx: typer.Context,
    name: Name,
    *,
    recipe: Annotated[str | None, typer.Option(help="Another recipe or version.")] = None,
    repository: Annotated[str | None, typer.Option(help="Git URL or path.")] = None,
    revision: Annotated[str | None, typer.Option(help="What to deploy by default.")] = None,
    host: Annotated[str | None, typer.Option(help="Where it lives; '' for none.")] = None,
    pool: Pool = None,
    provider: Provider = None,
    label: Label = None,
    target_count: TargetCount = None,
    retention_days: RetentionDays = None,
    router: RouterName = None,
    domain: Annotated[str | None, typer.Option(help="Its domain name; '' for none.")] = None,
    tls: TlsOption = None,
    certificate: Certificate = None,
    key: Key = None,
    setting: Setting = None,
    unset: Annotated[
        list[str] | None, typer.Option(metavar="KEY", help="Take a setting away; repeat it.")
    ] = None,
) -> None:
    """Change a site's description; what is not named stays. Running app servers keep theirs.

    Examples:
      liftlock instances set shop --revision v2
      liftlock instances set shop --set WORKERS=4 --unset DEBUG
      liftlock instances set shop --router edge --domain shop.example --tls auto

    """
    here = session.of(ctx)
    own = {"recipe": recipe, "repository": repository, "revision": revision}
    body: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
    body |= fields(
        place=(host, pool, provider),
        route=(router, domain),
        tls=(tls, certificate, key),
        count=(target_count, retention_days),
        label=label,
    )
    settings: dict[str, Any] = dict.fromkeys(unset or ())
    settings |= arguments.pairs(setting or (), option="--set")
    if settings:
        body["settings"] = settings
    if not body:
        raise UsageError("Nothing to change was named.", hint="liftlock instances set --help")
    changed = here.api.change(path("instances", name), body)
    here.output.show(changed if here.output.json_mode else _standing(changed), _SHOWN)


@app.verb()
def delete(
    ctx: typer.Context,
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Forget a site and its secrets. Nothing on the host is touched.

    Example:
      liftlock instances delete shop --yes

    """
    here = session.of(ctx)
    again = f"liftlock instances delete {name} --yes"
    if not yes and not here.confirm(f"Forget instance {name}?", otherwise=again):
        raise typer.Exit(Exit.REFUSED)
    here.api.remove(path("instances", name), guarded=True)
    here.output.line(f"Deleted instance {name}.")


def _standing(instance: Mapping[str, Any]) -> dict[str, Any]:
    """With what serves, what is newest, and whether its router knows what is wanted of it."""
    name, route = str(instance.get("name")), instance.get("route") or {}
    newest = instance.get("newest_app_server")
    told = traffic.behind(route) if route.get("applied") != route.get("version") else "applied"
    days = instance.get("retention_days")
    return {
        **instance,
        "active": traffic.refs(name, instance.get("active_app_servers")),
        "newest": f"{name}:{newest['number']} ({newest['status']})" if newest else None,
        "applied": told if instance.get("router") else None,
        "kept_days": "never" if days is None else days,
    }


def _say_next(output: Output, instance: Mapping[str, Any]) -> None:
    route = instance.get("route") or {}
    if route.get("drift"):
        output.line(f"  {traffic.drifted(route['drift'])}")
    if route.get("failures"):
        output.line(f"  next     liftlock routers sync {instance['router']}")
    newest = instance.get("newest_app_server") or {}
    if newest.get("status") == "running" and not newest.get("is_active"):
        wanted = traffic.refs(str(instance["name"]), [newest])
        output.line(f"  next     {traffic.activate(wanted)} --wait")
