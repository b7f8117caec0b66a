"""Whether the store or what stands before it is to blame for other bytes; and what helps then."""

from collections.abc import Sequence
from dataclasses import dataclass

from worker.assets.manifest import Manifest
from worker.assets.problem import AssetError, Problem
from worker.assets.publishing.conflicts import removal
from worker.assets.publishing.inspecting import inspect
from worker.assets.publishing.store import Store

#: So many files are compared: each is read back whole.
_MOST = 20


@dataclass(frozen=True)
class Damage:
    """Objects of a store that are not as they were published."""

    problems: Sequence[Problem]
    #: Commands to paste, which remove them: what is not there is published again.
    removal: str


async def damage_of(problems: Sequence[Problem], manifest: Manifest, store: Store) -> Damage | None:
    """Of the files that came altered; None when it is not the store that altered them."""
    names = [problem.file for problem in problems if problem.code == "altered"][:_MOST]
    files = {path: asset for path, asset in manifest.files.items() if asset.name in names}
    if not files:
        return None
    try:
        looked = await inspect(Manifest(files), store, tell=lambda _: None)
    except AssetError:  # it does not answer: what is wrong is told without
        return None
    found = [problem for problem in looked if problem.code == "damaged-object"]
    commands = [removal(store, problem.file) for problem in found if problem.file]
    return Damage(found, "; ".join(commands)) if found else None
