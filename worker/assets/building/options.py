"""What a build is told."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from app.domain.asset_release import IGNORED
from worker.assets.manifest import ENDINGS
from worker.assets.problem import AssetError, Problem

if TYPE_CHECKING:
    # Costs a third of a small build to import, and most builds have no bundles.
    from app.domain.recipe_static import Bundles

BASE_URL = "/static/"


def usable_cpus() -> int:
    """Those that this process may use, which are fewer in a container."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True)
class Options:
    #: Whether a reference to a missing file is a warning; it then stays as it is.
    lenient: bool = False
    #: Whether imports of JavaScript are followed, and not only its source maps.
    js_modules: bool = True
    #: What templates put before a file: a reference that begins with it is followed.
    base_url: str = BASE_URL
    bundles: "Bundles | None" = None
    #: The names of the bundles to make; empty: all.
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = IGNORED
    #: Paths that must be there: those that templates name.
    required: tuple[str, ...] = ()
    #: Whether the files are left out under the names that templates have for them.
    hashed_only: bool = False
    #: Content codings: gzip, br, zstd.
    compress: tuple[str, ...] = ()
    #: Processes that work at the same time.
    jobs: int = field(default_factory=usable_cpus)
    #: Where results of compilers are kept from build to build.
    cache: Path | None = None
    #: Whether nothing is made: everything is read, named and judged.
    dry_run: bool = False

    def check(self) -> None:
        """Raises AssetError for what cannot be wanted."""
        if unknown := [coding for coding in self.compress if coding not in ENDINGS]:
            message = f"cannot compress with {', '.join(unknown)}; there are {', '.join(ENDINGS)}"
            raise AssetError([Problem("bad-option", message)])
        if self.base_url == BASE_URL:
            return
        from worker.assets.store_url import BASE_URL_HINT, base_url_problem  # noqa: PLC0415  (rarely needed)

        # The URL itself is not repeated: it may hold a secret.
        if problem := base_url_problem(self.base_url):
            raise AssetError([Problem("bad-base-url", f"The base URL {problem}")], BASE_URL_HINT)
        if not self.base_url.endswith("/"):
            message = f"the base URL {self.base_url} must end with /"
            raise AssetError([Problem("bad-base-url", message)], BASE_URL_HINT)
