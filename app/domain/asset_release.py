"""Asset releases: an immutable set of hashed static files, tied to a revision."""

import re
from dataclasses import dataclass
from enum import StrEnum

#: Left out when files are collected, as Django's `collectstatic` leaves them out.
IGNORED = ("CVS", ".*", "*~")

_ODD = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_COMMIT = 40


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


def release_name(commit: str, number: int) -> str:
    """The name of an app server's asset release in the store, unique in its instance.

    >>> release_name("8f2b6c93d1a45c0a1e7d42b98f2b6c93d1a45c0a", 3)
    '8f2b6c93d1a45c0a1e7d42b98f2b6c93d1a45c0a-3'
    """
    return f"{_ODD.sub('-', commit).strip('-.')[:_LONGEST_COMMIT]}-{number}"
