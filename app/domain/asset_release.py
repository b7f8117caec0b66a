"""Asset releases: an immutable set of hashed static files, tied to a revision."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # Not at run time: the build's command line, whose start counts, reads this module.
    from uuid import UUID

#: Left out when files are collected, as Django's `collectstatic` leaves them out.
IGNORED = ("CVS", ".*", "*~")

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_HASH = re.compile(r"[0-9a-f]{40,64}")
#: So many digits of a commit's hash, and so many characters of a version.
_COMMIT, _VERSION = 12, 40
#: The last digits of a UUIDv7 are random ones.
_RANDOM = 8


class AssetReleaseStatus(StrEnum):
    PUBLISHED = "published"
    #: Every file of the manifest answered through HTTP with its bytes.
    VERIFIED = "verified"
    #: The last try published nothing new; `errors` say which file and why.
    FAILED = "failed"


@dataclass(frozen=True)
class AssetPlace:
    """Where a worker publishes, and where browsers find it. Neither has a secret in it."""

    #: `s3://bucket/prefix` or `file:///folder`; who may write there, the environment says.
    store: str
    #: What a browser puts before a hashed name; ends with `/`.
    base_url: str

    def of(self, instance: str) -> "AssetPlace":
        """The part of it that belongs to one instance."""
        return AssetPlace(f"{self.store.rstrip('/')}/{instance}", f"{self.base_url}{instance}/")


def release_name(commit: str, number: int, app_server: "UUID") -> str:
    """The name of an app server's asset release in the store, where its instance has a folder.

    Commit and number are for people. They come again when an instance is made anew, or the
    database of last week is restored, while the store keeps what it has: the id does not.

    >>> release_name(
    ...     "8f2b6c93d1a45c0a1e7d42b98f2b6c93d1a45c0a",
    ...     3,
    ...     UUID("0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11"),
    ... )
    '8f2b6c93d1a4-3-0a6b8c11'
    """
    longest = _COMMIT if _HASH.fullmatch(commit) else _VERSION
    shown = _ODD.sub("-", commit)[:longest].strip("-.")
    return f"{shown}-{number}-{app_server.hex[-_RANDOM:]}"
