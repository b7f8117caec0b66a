"""A package that somebody uploaded, put on the host."""

from dataclasses import dataclass


@dataclass(frozen=True)
class PlacePackage:
    """The file with this SHA-256, as it was uploaded; the engine looks at its bytes again."""

    sha256: str
    #: Relative to the host's base folder.
    to: str
