"""The `static` section of a recipe, and bundle files: what becomes of a site's static files."""

from typing import Annotated, Literal

from pydantic import Field

from app.domain.recipe_parts import MOST_STEPS, Folder, Part, Script, Slug

#: A file below the root of the static files, as a browser would write it: no `..`, no leading `/`.
AssetPath = Annotated[str, Field(pattern=r"^[^/\\\x00-\x1f][^\\\x00-\x1f]{0,499}$")]
Glob = Annotated[str, Field(min_length=1, max_length=200)]
Encoding = Literal["gzip", "br", "zstd"]

#: Left out when files are collected, as Django's `collectstatic` leaves them out.
IGNORED = ("CVS", ".*", "*~")


class Bundle(Part):
    """Files that are put together, in order, into one."""

    output: AssetPath
    #: Paths and patterns; what a pattern finds comes sorted.
    sources: Annotated[tuple[Glob, ...], Field(min_length=1, max_length=1_000)]
    minify: bool = True


class Compiler(Part):
    """A program that makes one file of another; `run` is no shell text."""

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
    compress: tuple[Encoding, ...] = ("gzip", "br")

    @property
    def manifest_path(self) -> str:
        """Where the site reads the manifest, below the release."""
        return self.manifest or f"{self.path}/staticfiles.json"
