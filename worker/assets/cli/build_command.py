"""`build`: its options, and what it tells people and programs."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from app.domain.asset_release import IGNORED
from worker.assets.building.build import build
from worker.assets.building.options import BASE_URL, Options, usable_cpus
from worker.assets.building.parent import end_with
from worker.assets.building.report import Built
from worker.assets.cli import ending, telling
from worker.assets.manifest import ENDINGS
from worker.assets.problem import AssetError, Problem

if TYPE_CHECKING:
    from app.domain.recipe_static import Bundles

SUMMARY = "Collect static files, give them names with hashes, and rewrite references."
_EXAMPLES = f"""\
examples:
  python -m worker.assets build static dist
  python -m worker.assets build site/static vendor dist --lenient --compress gzip,br
  python -m worker.assets build static dist --bundles bundles.yaml --json
  python -m worker.assets build static dist --require css/site.css --dry-run

A file in several SRC comes from the first. OUT is made whole beside its place and moved there;
an earlier build in it is replaced, anything else is left alone. Left out by default: {
    " ".join(IGNORED)
}

exit codes: 0 done, 1 refused (every problem is told, OUT is as it was), 2 wrong command line,
130 interrupted, 143 ended by SIGTERM
"""


def run(arguments: Sequence[str]) -> int:
    """Returns the exit code."""
    parser = _parser()
    parser.as_json = "--json" in arguments
    asked = parser.parse_args(arguments)
    if asked.parent:
        end_with(asked.parent)
    try:
        if asked.only and not asked.bundles:
            parser.error("--only names bundles, so it needs --bundles FILE")
        with ending.raised():
            built = build(asked.sources, asked.out, _options(asked), tell=telling.note)
    except AssetError as error:
        telling.tell(error, as_json=asked.json)
        return telling.REFUSED
    except KeyboardInterrupt as error:
        message = f"interrupted; {asked.out} is as it was, or finished"
        telling.tell(AssetError([Problem("interrupted", message)]), as_json=asked.json)
        return error.exit_code if isinstance(error, ending.Ended) else telling.INTERRUPTED
    _report(built, asked)
    return telling.DONE


class _Parser(argparse.ArgumentParser):
    """A program that asked for JSON gets it for a wrong command line too."""

    as_json = False

    def error(self, message: str) -> NoReturn:
        if not self.as_json:
            super().error(message)
        telling.refuse_usage(message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="python -m worker.assets build",
        description=SUMMARY,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("sources", metavar="SRC", nargs="+", type=Path, help="folders with static files")
    add("out", metavar="OUT", type=Path, help="the folder to make")
    add("--lenient", action="store_true", help="a reference to a missing file is a warning")
    add(
        "--js-modules",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="follow import, export-from, new URL() and workers, not only source maps",
    )
    add("--base-url", default=BASE_URL, metavar="URL", help=f"of the files; {BASE_URL} by default")
    add("--bundles", type=Path, metavar="FILE", help="bundles and compilers, in YAML or JSON")
    add("--only", action="append", default=[], metavar="NAME", help="make this bundle alone")
    add("--ignore", action="append", default=[], metavar="GLOB", help="leave out, repeatable")
    add("--no-default-ignore", action="store_true", help=f"take {' '.join(IGNORED)} too")
    add("--require", action="append", default=[], metavar="PATH", help="refuse to build without it")
    add("--require-from", type=Path, metavar="FILE", help="a file with such paths, one on a line")
    add("--dry-run", action="store_true", help="judge everything and make nothing")
    add("--hashed-only", action="store_true", help="no files under their plain names")
    add("--compress", default="", metavar="CODINGS", help=f"copies: {','.join(ENDINGS)}")
    add("--jobs", type=_at_least_one, default=usable_cpus(), metavar="N", help="processes")
    add("--cache", type=Path, metavar="DIR", help="keeps what compilers made")
    add("--parent", type=int, help=argparse.SUPPRESS)
    add("--json", action="store_true", help="one JSON object on standard output")
    return parser


def _options(asked: argparse.Namespace) -> Options:
    return Options(
        lenient=asked.lenient,
        js_modules=asked.js_modules,
        base_url=asked.base_url,
        bundles=_bundles(asked.bundles) if asked.bundles else None,
        only=tuple(asked.only),
        ignore=(*(() if asked.no_default_ignore else IGNORED), *asked.ignore),
        required=(*asked.require, *_lines(asked.require_from)),
        dry_run=asked.dry_run,
        hashed_only=asked.hashed_only,
        compress=tuple(word for word in asked.compress.split(",") if word),
        jobs=asked.jobs,
        cache=asked.cache,
    )


def _lines(file: Path | None) -> list[str]:
    if file is None:
        return []
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError([Problem("bad-option", f"{file}: cannot be read: {error}")]) from error
    return [line.strip() for line in lines if line.strip()]


def _bundles(file: Path) -> "Bundles":
    from app.domain.bundle_file import parse  # noqa: PLC0415  (loads pydantic)
    from app.domain.recipe_source import InvalidRecipe  # noqa: PLC0415  (as above)

    try:
        return parse(file.read_text(encoding="utf-8"))
    except InvalidRecipe as error:
        problems = [Problem("bad-bundles", f"{file}: {item}") for item in error.errors]
        raise AssetError(problems) from error
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError([Problem("bad-bundles", f"{file}: cannot be read: {error}")]) from error


def _at_least_one(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _report(built: Built, asked: argparse.Namespace) -> None:
    if not asked.json:
        telling.warn(built.warnings)
    state = "unchanged" if built.unchanged else "would be built" if asked.dry_run else "built"
    copies = f", {built.copies} compressed copies" if built.copies else ""
    text = (
        f"{built.directory}: {state}, {built.files} files of {built.bytes / 1e6:.1f} MB{copies}, "
        f"{len(built.warnings)} warnings, hash {built.manifest.hash}, {built.seconds:.1f} s"
    )
    document = {"ok": True, "dry_run": asked.dry_run, **built.as_json()}
    telling.answer(document, text, as_json=asked.json)
