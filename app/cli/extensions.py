"""`liftlock extensions`: packages that are added to a site, and what each host has of them."""

from collections.abc import Mapping
from typing import Any

import typer

from app.cli import extension_commands, session
from app.cli.client import path
from app.cli.extension_commands import Instance, Name
from app.cli.noun import Noun
from app.cli.output import Output
from app.cli.text import cell, moment, plain

app = Noun(name="extensions", help="Packages that are added to a site.", no_args_is_help=True)

_LISTED = [
    ("name", "name"),
    ("version", "version"),
    ("status", "status"),
    ("serving", "serves"),
    ("hosts", "on"),
    ("changed", "changed"),
]
_SHOWN = [
    ("name", "name"),
    ("id", "id"),
    ("version", "version"),
    ("status", "status"),
    ("serving", "serves"),
    ("package", "source.package"),
    ("url", "source.url"),
    ("sha256", "source.sha256"),
    ("wheel", "source.wheel"),
    ("settings", "settings"),
    ("requires", "requires"),
    ("error", "error.title"),
    ("job", "last_job"),
    ("installed", "created_at"),
    ("changed", "updated_at"),
]
_ON_HOSTS = [
    ("host", "host.name"),
    ("has", "stamp"),
    ("status", "status"),
    ("app server", "app_server.name"),
    ("error", "error.title"),
    ("seen", "seen"),
]

extension_commands.register(app)


@app.verb("list")
def list_(ctx: typer.Context, instance: Instance) -> None:
    """List the extensions of a site: which version is wanted, which serves, what each host has.

    Example:
      liftlock extensions list shop

    """
    here = session.of(ctx)
    found = here.api.items(path("instances", instance, "extensions"))
    if not here.output.json_mode:
        found = [_row(item) for item in found]
    none = f"None yet. Install one: liftlock extensions install {instance} PACKAGE VERSION"
    here.output.items(found, _LISTED, none)


@app.verb()
def show(ctx: typer.Context, instance: Instance, name: Name) -> None:
    """Show an extension: where it comes from, what each host has, and why it failed.

    Example:
      liftlock extensions show shop django-taggit

    """
    here = session.of(ctx)
    found = here.api.get(path("instances", instance, "extensions", name))
    if here.output.json_mode:
        here.output.json(found)
        return
    here.output.show({**found, "serves": _serves(found)}, _SHOWN)
    hosts = [{**one, "seen": moment(one.get("at"))} for one in found.get("hosts") or ()]
    here.output.line()
    here.output.items(hosts, _ON_HOSTS, "No host has told of it yet.")
    _explain(here.output, found)


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    on = ", ".join(_on(one) for one in item.get("hosts") or ())
    changed = moment(item.get("updated_at"))
    return {**item, "serves": _serves(item), "on": on, "changed": changed}


def _serves(item: Mapping[str, Any]) -> str:
    """What visitors have, which may be an older release."""
    found = item.get("serving")
    if not found:
        return "-"
    return cell(found.get("version")) + ("" if found.get("enabled") else " (disabled)")


def _on(one: Mapping[str, Any]) -> str:
    name, stamp = cell((one.get("host") or {}).get("name")), cell(one.get("stamp"))
    status = one.get("status")
    return f"{name} {stamp}" + ("" if status == "installed" else f" ({cell(status)})")


def _explain(output: Output, found: Mapping[str, Any]) -> None:
    """The load error with its traceback, what hosts miss, and where the rest stands."""
    for one in found.get("hosts") or ():
        if one.get("status") == "degraded":
            _explain_host(output, one)
    if found.get("load_error"):
        output.line()
        for line in plain(found["load_error"]).splitlines():
            output.line(line)
    if found.get("error"):
        output.line(f"  log      liftlock jobs logs {found['last_job']}")


def _explain_host(output: Output, one: Mapping[str, Any]) -> None:
    error = one.get("error") or {}
    output.line()
    for line in plain(error.get("detail") or "").splitlines():
        output.line(line)
    if error.get("hint"):
        # To be pasted: a value may have blanks that count.
        output.line(f"  hint     {plain(error['hint'])}")
