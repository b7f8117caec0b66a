"""Changing only the version that the caller has seen."""

from app.errors import Stale
from app.models import Host, Instance, Router

#: Versions that the caller accepts; None accepts any.
Expected = frozenset[int] | None


def require(row: Host | Instance | Router, expected: Expected) -> None:
    """Raise Stale when the row has moved on. Call with the row locked."""
    if expected is not None and row.version not in expected:
        raise Stale(
            f"{row.name} is at version {row.version}, not at the one that If-Match names.",
            hint="Read it again, then repeat the change with the ETag of that answer.",
        )
