"""The `static` section of a recipe, and bundle files: what becomes of a site's static files."""

import shlex
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field

from app.domain.asset_release import IGNORED
from app.domain.recipe_parts import MOST_STEPS, Folder, Part, Script, Slug
from app.domain.recipe_source import Path

#: A file below the root of the static files, as a browser would write it: no `..`, no leading `/`.
#: Its ending says whether styles or scripts are put together.
AssetPath = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f][^\\\x00-\x1f]{0,495}\.(css|js)$")]
#: The same for any file. A space or a line's end at its own end would be lost in a list of lines.
Required = Annotated[
    str, Field(pattern=r"^[^/\\\s]([^\\\x00-\x1f\x85\u2028\u2029]{0,497}[^/\\\s])?$")
]
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Encoding = Literal["gzip", "br", "zstd"]


class Bundle(Part):
    """Files that are put together, in order, into one."""

    output: AssetPath
    #: Paths and patterns; what a pattern finds comes sorted. `*` stays in a folder, `**` does not.
    sources: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=1_000)]
    minify: bool = True


class Compiler(Part):
    """A program that makes one file of another; `run` is no shell text."""

    #: `*` goes through folders here; a pattern without `/` may fit the bare file name.
    match: Glob
    #: Words of a command; `{in}` and `{out}` stand for the two files.
    run: Annotated[str, Field(min_length=1, max_length=1_000)]
    #: The ending of what it makes, as `.css`.
    extension: Annotated[str, Field(pattern=r"^\.[A-Za-z0-9.]{1,20}$")]


class Bundles(Part):
    """A bundle file: `python -m worker.assets build --bundles FILE`."""

    bundles: dict[Slug, Bundle] = Field(default_factory=dict, max_length=MOST_STEPS)
    compilers: Annotated[tuple[Compiler, ...], Field(max_length=MOST_STEPS)] = ()


class Static(Bundles):
    collect: Script | None = None
    #: The folder below the release that must be there afterwards.
    path: Folder | None = None
    #: Whether its files are published as an immutable asset release.
    publish: bool = False
    #: A setting of type bool that says so instead.
    publish_setting: str | None = None
    #: Where the manifest goes, below the release; by default `staticfiles.json` in `path`.
    manifest: Folder | None = None
    #: Whether a reference to a missing file is a warning.
    lenient: bool = False
    js_modules: bool = True
    ignore: tuple[Glob, ...] = IGNORED
    #: Files that must be there, as templates name them.
    require: Annotated[tuple[Required, ...], Field(max_length=10_000)] = ()
    compress: tuple[Encoding, ...] = ("gzip", "br")

    @property
    def manifest_path(self) -> str:
        """Where the site reads the manifest, below the release."""
        return self.manifest or f"{self.path}/staticfiles.json"


def contradictions(wanted: Bundles) -> Iterator[tuple[Path, str]]:
    """What the types cannot say: places in the section, and sentences."""
    if isinstance(wanted, Static) and wanted.compilers and wanted.path is None:
        yield ("compilers",), "compilers need `path`: the folder of the files that they read"
    makers: dict[str, str] = {}
    for name, bundle in wanted.bundles.items():
        place = ("bundles", name, "output")
        if any(part in {"", ".", ".."} for part in bundle.output.split("/")):
            yield place, "the file must stay below the root: no `.`, `..` or empty part"
        other = makers.setdefault(bundle.output, name)
        if other != name:
            yield place, f"the bundle `{other}` makes `{bundle.output}` already"
    for number, compiler in enumerate(wanted.compilers):
        if problem := _command_problem(compiler.run):
            yield ("compilers", number, "run"), problem


def _command_problem(run: str) -> str | None:
    try:
        words = shlex.split(run)
    except ValueError as error:
        return f"not a command line: {error}"
    missing = [mark for mark in ("{in}", "{out}") if not any(mark in word for word in words)]
    if missing:
        return f"the command does not name {' and '.join(missing)}"
    if "{in}" in words[0] or "{out}" in words[0]:
        return "the command begins with a file; it begins with a program"
    return None
