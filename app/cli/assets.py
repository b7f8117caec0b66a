"""`liftlock assets`: the hashed static files of each app server, and what is wrong with them."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from app.cli import session
from app.cli.client import path
from app.cli.noun import Noun
from app.cli.output import Output
from app.cli.text import cell, moment, one_line, size
from app.domain.asset_release import AssetReleaseStatus

app = Noun(
    name="assets", help="Hashed static files, a set for each app server.", no_args_is_help=True
)

_LISTED = [
    ("release", "release"),
    ("status", "status"),
    ("files", "files"),
    ("size", "size"),
    ("new", "new_files"),
    ("warnings", "warnings_total"),
    ("errors", "errors_total"),
    ("made", "made"),
]
_SHOWN = [
    ("release", "release"),
    ("id", "id"),
    ("status", "status"),
    ("revision", "revision"),
    ("app server", "app_server_id"),
    ("job", "job_id"),
    ("hash", "hash"),
    ("files", "shown_files"),
    ("new", "shown_new"),
    ("reused", "reused_files"),
    ("compressed", "copies"),
    ("browsers", "base_url"),
    ("manifest", "manifest_url"),
    ("verified", "verified_at"),
    ("made", "created_at"),
]

Instance = Annotated[str, typer.Argument(help="Name or id of the instance.")]


@app.verb("list")
def list_(
    ctx: typer.Context,
    instance: Instance,
    status: Annotated[
        AssetReleaseStatus | None, typer.Option(help="Only with this status.")
    ] = None,
) -> None:
    """List the asset releases of a site, the newest first.

    Examples:
      liftlock assets list shop
      liftlock assets list shop --status failed

    """
    here = session.of(ctx)
    found = here.api.items(path("instances", instance, "asset-releases"), status=status)
    if not here.output.json_mode:
        found = [_row(release) for release in found]
    here.output.items(found, _LISTED, "It has no such asset release.")


@app.verb()
def show(
    ctx: typer.Context,
    instance: Instance,
    release: Annotated[str, typer.Argument(help="As in the list, or its id.")],
) -> None:
    """Show an asset release: how much of it is new, and what is wrong with which files.

    Examples:
      liftlock assets show shop 8f2b6c93d1a4-3-0a6b8c11
      liftlock assets show shop 1.6-3-0a6b8c11 --json

    """
    here = session.of(ctx)
    found = here.api.get(path("instances", instance, "asset-releases", release))
    if here.output.json_mode:
        here.output.json(found)
        return
    here.output.show(_row(found), _SHOWN)
    for name in ("errors", "warnings"):
        _show_problems(here.output, name, found)


def _row(release: Mapping[str, Any]) -> dict[str, Any]:
    told, new = size(release.get("bytes")), size(release.get("new_bytes"))
    return {
        **release,
        "size": told,
        "made": moment(release.get("created_at")),
        "shown_files": f"{cell(release.get('files'))} ({told})",
        "shown_new": f"{cell(release.get('new_files'))} ({new})",
    }


def _show_problems(output: Output, name: str, release: Mapping[str, Any]) -> None:
    problems, total = release.get(name) or [], int(release.get(f"{name}_total") or 0)
    if not total:
        return
    output.line()
    more = f" (the first {len(problems)} of {total})" if total > len(problems) else ""
    output.line(f"{name.capitalize()}{more}:", style="bold")
    for problem in problems:
        output.line(f"  {_problem(problem)}")


def _problem(problem: Mapping[str, Any]) -> str:
    """As compilers write it, so that editors find the place."""
    file, line = problem.get("file"), problem.get("line")
    message = str(problem.get("message") or problem.get("code") or "?")
    for said in (f"{file}, line {line}: ", f"{file}:{line}: ", f"{file}: "):
        message = message.removeprefix(said)
    place = f"{one_line(file)}:{line}: " if file and line else f"{one_line(file)}: " if file else ""
    return f"{place}{one_line(message)}"
