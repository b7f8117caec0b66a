"""Which files of a host are fetched: those that the build would take."""

from collections.abc import Sequence
from dataclasses import replace

from worker.assets.manifest import is_reserved
from worker.assets.tree import ignores
from worker.remote.host import Listing


def select(listing: Listing, ignore: Sequence[str]) -> Listing:
    """Without what the recipe ignores, and what stands where the manifests go."""
    is_ignored = ignores(ignore)
    files = tuple(file for file in listing.files if not is_ignored(file.path))
    reserved = {file.path for file in files if is_reserved(file.path)}
    told = [f"{path}: this is where a manifest of the release goes" for path in sorted(reserved)]
    return replace(
        listing,
        files=tuple(file for file in files if file.path not in reserved),
        left_out=(*listing.left_out, *told),
    )
