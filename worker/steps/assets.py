"""The step values of an asset release."""

from dataclasses import dataclass
from uuid import UUID

from app.domain.asset_release import AssetPlace
from app.domain.recipe_static import Static


@dataclass(frozen=True)
class ReleaseAssets:
    """Fetch the tree from the host, build it on the worker, publish it; safe to repeat."""

    #: The collected files, and the folder that links in it may lead into, below the base folder.
    tree: str
    release_dir: str
    static: Static
    place: AssetPlace
    #: Those of the app server: with the fact `commit` they are the release's name.
    number: int
    app_server: UUID


@dataclass(frozen=True)
class PlaceManifest:
    """Put `staticfiles.json` of the published release on the host, at `to`."""

    place: AssetPlace
    number: int
    app_server: UUID
    to: str
    #: The folder that it must stay in, whatever links there are.
    release_dir: str


@dataclass(frozen=True)
class VerifyAssets:
    """Ask for every file of the release through HTTP and compare its bytes."""

    place: AssetPlace
    number: int
    app_server: UUID
