"""`publish`, `verify`, `releases` and `collect-garbage`: releases in a store, from a terminal."""

import asyncio
import math
from collections.abc import Callable, Coroutine
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from worker.assets.cli import telling
from worker.assets.problem import AssetError, printable
from worker.assets.publishing.checking import check, hint_of
from worker.assets.publishing.garbage import Garbage, collect_garbage
from worker.assets.publishing.publish import Published, publish
from worker.assets.publishing.published import list_revisions
from worker.assets.publishing.store import open_store

T = TypeVar("T")
#: In hours; the time before that many may be none that a clock can tell.
_CENTURY = 876_000

StoreArgument = Annotated[
    str, typer.Argument(metavar="STORE", help="s3://bucket/prefix or file:///folder.")
]
Revision = Annotated[
    str, typer.Option(metavar="R", help="The release's name: a commit or a version.")
]
AtOnce = Annotated[int, typer.Option(min=1, max=256, metavar="N", help="Requests at once.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def _hours(number: float) -> float:
    if math.isfinite(number) and 0 <= number <= _CENTURY:
        return number
    raise typer.BadParameter(f"{number} is not in the range 0 to {_CENTURY}.")


def register(app: typer.Typer) -> None:
    """Mount the four commands."""
    commands: dict[str, Callable[..., None]] = {
        "publish": publish_release,
        "verify": verify_release,
        "releases": show_releases,
        "collect-garbage": remove_garbage,
    }
    for name, function in commands.items():
        app.command(name, help=telling.help_of(function))(function)


def publish_release(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="A folder that `build` made.")],
    store: StoreArgument,
    *,
    revision: Revision,
    at_once: AtOnce = 16,
    as_json: Json = False,
) -> None:
    """Publish a built folder as the release of a revision, once and for all.

    Puts what the store lacks, then the manifest. Interrupted, it has published nothing, and
    the next run continues. The same again changes nothing; other files under the same
    revision are refused. An object that is there with its size is not read: verify does that.

    S3 credentials, region and endpoint come from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY,
    AWS_SESSION_TOKEN, AWS_REGION and AWS_ENDPOINT_URL.

    Examples:
      python -m worker.assets publish dist s3://site-assets/shop --revision 8f2b6c9
      python -m worker.assets publish dist file:///srv/assets/shop --revision 1.4.2 --json

    """

    async def work() -> Published:
        place = await asyncio.to_thread(open_store, store)
        return await publish(out, place, revision, at_once=at_once, tell=telling.note)

    done = _run(work(), as_json=as_json)
    size = f"{done.new_bytes / 1e6:.1f} of {done.bytes / 1e6:.1f} MB"
    text = (
        f"release {revision} is there already: {done.files} files, nothing was put"
        if done.unchanged
        else f"published {revision}: {done.files} files, {done.new} of them new ({size})"
    )
    telling.answer({"ok": True, **done.as_json()}, text, as_json=as_json)


def verify_release(
    place: Annotated[
        str, typer.Argument(metavar="STORE|URL", help="The store, or where browsers find it.")
    ],
    *,
    revision: Revision,
    base_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Ask for the files there, with a STORE.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compare every file of a release with its manifest.

    In a store the bytes of every object are read back. At an http:// or https:// URL every
    file is asked for as a browser does: status, bytes, Cache-Control and type, and the
    compressed copies that the server offers.

    Examples:
      python -m worker.assets verify s3://site-assets/shop --revision 8f2b6c9
      python -m worker.assets verify https://static.example/shop/ --revision 8f2b6c9 --json
      python -m worker.assets verify file:///srv/assets --revision 1 --base-url https://x.example/

    """
    work = check(place, revision, base_url=base_url, tell=telling.note)
    manifest, problems = _run(work, as_json=as_json)
    if problems:
        telling.refuse(AssetError(problems, hint_of(problems)), as_json=as_json)
    files = len({asset.name for asset in manifest.files.values()})
    answer = {"ok": True, "revision": revision, "files": files}
    telling.answer(answer, f"{files} files of {revision} are as published", as_json=as_json)


def show_releases(store: StoreArgument, *, as_json: Json = False) -> None:
    """List the published releases, the newest last.

    Examples:
      python -m worker.assets releases s3://site-assets/shop
      python -m worker.assets releases file:///srv/assets/shop --json

    """

    async def work() -> list[dict[str, str]]:
        place = await asyncio.to_thread(open_store, store, make=False)
        return [
            {"revision": each.revision, "published": each.published.isoformat()}
            for each in await list_revisions(place)
        ]

    found = _run(work(), as_json=as_json)
    lines = [f"{each['published']}  {each['revision']}" for each in found]
    text = "\n".join(map(printable, lines)) or f"no releases in {store}"
    telling.answer({"ok": True, "releases": found}, text, as_json=as_json)


def remove_garbage(
    store: StoreArgument,
    *,
    keep: Annotated[
        list[str] | None, typer.Option(metavar="R", help="Keep this release; repeatable.")
    ] = None,
    keep_newest: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Keep the N newest releases.")
    ] = None,
    grace: Annotated[
        float,
        typer.Option(metavar="HOURS", callback=_hours, help="Keep everything younger."),
    ] = 24,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would go; change nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Remove releases that are not kept, and files that no kept release names.

    Without --keep and --keep-newest every release is kept, and only what interrupted
    publishes left goes. Objects that no manifest in the store has named are never touched.

    Examples:
      python -m worker.assets collect-garbage s3://site-assets/shop --keep-newest 5 --dry-run
      python -m worker.assets collect-garbage s3://site-assets/shop --keep 8f2b6c9 --keep 1.4.2

    """

    async def work() -> Garbage:
        return await collect_garbage(
            await asyncio.to_thread(open_store, store, make=False),
            keep=keep or None,
            keep_newest=keep_newest,
            grace=timedelta(hours=grace),
            dry_run=dry_run,
            tell=telling.note,
        )

    found = _run(work(), as_json=as_json)
    telling.answer({"ok": True, **found.as_json()}, found.in_words(), as_json=as_json)


def _run(work: Coroutine[Any, Any, T], *, as_json: bool) -> T:
    try:
        return asyncio.run(work)
    except AssetError as error:
        telling.refuse(error, as_json=as_json)
    except KeyboardInterrupt:
        telling.interrupted(as_json=as_json)
