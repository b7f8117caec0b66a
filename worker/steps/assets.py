"""The step values of an asset release."""

from dataclasses import dataclass

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
    #: The app server's number: with the fact `commit` it is the release's name.
    number: int


@dataclass(frozen=True)
class PlaceManifest:
    """Put `staticfiles.json` of the published release on the host, at `to`."""

    place: AssetPlace
    number: int
    to: str


@dataclass(frozen=True)
class VerifyAssets:
    """Ask for every file of the release through HTTP and compare its bytes."""

    place: AssetPlace
    number: int
