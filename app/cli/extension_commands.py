"""`liftlock extensions install`, `uninstall`, `enable`, `disable`: jobs that change a site."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli import arguments, provision, session, waiting
from app.cli.app_server_commands import Wait
from app.cli.client import path
from app.cli.errors import UsageError
from app.cli.job_commands import Timeout
from app.cli.noun import Noun
from app.cli.provision import DryRun
from app.cli.session import Session

_ACCEPTED = 202

Instance = Annotated[str, typer.Argument(help="Name or id of the instance.")]
Name = Annotated[str, typer.Argument(help="Of its package, in any spelling.")]
Force = Annotated[bool, typer.Option("--force", help="Install also where this version is already.")]
WheelFile = Annotated[
    str | None, typer.Option(metavar="FILE", help="Upload this wheel and install it.")
]
#: No --url: that is where the API answers.
Archive = Annotated[
    str | None,
    typer.Option(metavar="URL", help="An archive that the hosts fetch; with --sha256."),
]
Digest = Annotated[
    str | None,
    typer.Option(metavar="HEX", help="Of the archive; alone: of a wheel uploaded before."),
]
Setting = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of the extension; repeat it."),
]
Requires = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="An extension that is enabled before it; repeat it."),
]


def register(app: Noun) -> None:
    for function in (install, uninstall, enable, disable):
        app.verb()(function)


def install(
    ctx: typer.Context,
    instance: Instance,
    package: Annotated[str, typer.Argument(help="Name of the package.")],
    version: Annotated[str, typer.Argument(help="One exact version.")],
    *,
    wheel: WheelFile = None,
    archive: Archive = None,
    sha256: Digest = None,
    setting: Setting = None,
    requires: Requires = None,
    force: Force = False,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Install a package into a site and enable it; another version takes the place of one.

    It comes from PyPI, unless a wheel or an archive is named. What serves is built anew with
    it, and stays in service when that fails.

    Examples:
      liftlock extensions install shop django-taggit 6.1.0 --set APP=taggit --wait
      liftlock extensions install shop stars 1.2.0 --wheel dist/stars-1.2.0-py3-none-any.whl
      liftlock extensions install shop stars 1.2.0 --requires django-taggit --force

    """
    here = session.of(ctx)
    if wheel and (archive or sha256):
        raise UsageError("--wheel needs no --archive and no --sha256.")
    if archive and not sha256:
        raise UsageError("--archive needs --sha256, its digest.")
    wishes = {
        "package": package,
        "version": version,
        "url": archive,
        "sha256": _uploaded(here, wheel) if wheel else sha256,
        "settings": arguments.pairs(setting or (), option="--set") or None,
        "requires": requires or None,
    }
    extension = {key: value for key, value in wishes.items() if value is not None}
    _ask(here, _order("install", instance, extension, force=force, dry_run=dry_run), wait, timeout)


def uninstall(
    ctx: typer.Context,
    instance: Instance,
    name: Name,
    *,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Disable an extension and leave it out; what depends on it is disabled first.

    Example:
      liftlock extensions uninstall shop django-taggit --wait

    """
    order = _order("uninstall", instance, {"package": name}, dry_run=dry_run)
    _ask(session.of(ctx), order, wait, timeout)


def enable(
    ctx: typer.Context,
    instance: Instance,
    name: Name,
    *,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Enable an extension that is installed, behind those it requires.

    Example:
      liftlock extensions enable shop django-taggit --wait

    """
    order = _order("enable", instance, {"package": name}, dry_run=dry_run)
    _ask(session.of(ctx), order, wait, timeout)


def disable(
    ctx: typer.Context,
    instance: Instance,
    name: Name,
    *,
    dry_run: DryRun = False,
    wait: Wait = False,
    timeout: Timeout = None,
) -> None:
    """Disable an extension, behind those that depend on it; it stays installed.

    Example:
      liftlock extensions disable shop django-taggit --wait

    """
    order = _order("disable", instance, {"package": name}, dry_run=dry_run)
    _ask(session.of(ctx), order, wait, timeout)


def _uploaded(here: Session, file: str) -> str:
    """The digest of the wheel, which Liftlock has now."""
    _, kept = here.api.upload(
        path("packages"),
        arguments.file_bytes(file),
        content_type="application/octet-stream",
        filename=Path(file).name,
    )
    return str(kept["sha256"])


def _order(
    kind: str,
    instance: str,
    extension: dict[str, Any],
    *,
    dry_run: bool,
    force: bool = False,
) -> dict[str, Any]:
    order = {"kind": kind, "instance": instance, "extension": extension, "dry_run": dry_run}
    return order | ({"force": True} if force else {})


def _ask(here: Session, order: dict[str, Any], wait: bool, timeout: float | None) -> None:
    status, job = here.api.send(path("jobs"), json=order)
    if order["dry_run"]:
        provision.print_plan(here, job, timeout)
    else:
        waiting.accepted(here, job, wait, timeout, is_new=status == _ACCEPTED)
