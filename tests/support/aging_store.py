"""A store in memory whose clock a test sets, and whose user can be killed at any request."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from obstore.exceptions import AlreadyExistsError

from worker.assets.publishing.store import Store

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
_TICK = timedelta(seconds=1)


class Killed(BaseException):
    """Whoever used the store is no more; nothing of what it would do happens."""


@dataclass
class AgingStore:
    """Speaks as obstore's stores do, as far as Liftlock uses them."""

    now: datetime = BEGIN
    objects: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)
    #: Requests until the user is killed.
    lives: int | None = None
    ignores_conditions: bool = False

    def opened(self) -> Store:
        inner: Any = self
        return Store("memory:", inner, pause=0.0)

    def revive(self) -> None:
        self.lives = None

    def list(self, prefix: str | None) -> "Listing":
        self._live()
        return Listing(
            [
                {"path": key, "size": len(content), "last_modified": modified}
                for key, (content, modified) in sorted(self.objects.items())
                if prefix is None or key.startswith(f"{prefix}/")
            ]
        )

    async def get_async(self, key: str) -> "Content":
        self._live()
        if key not in self.objects:
            raise FileNotFoundError(key)
        return Content(self.objects[key][0])

    async def put_async(self, key: str, content: bytes, **options: Any) -> dict[str, str]:
        self._live()
        if options.get("mode") == "create" and key in self.objects and not self.ignores_conditions:
            raise AlreadyExistsError(key)
        self.objects[key] = (content, self.now)
        return {"e_tag": "none"}

    async def delete_async(self, keys: str | Sequence[str]) -> None:
        """One after the other, so that one may be killed between two."""
        for key in [keys] if isinstance(keys, str) else keys:
            self._live()
            self.objects.pop(key, None)

    def _live(self) -> None:
        self.now += _TICK
        if self.lives is None:
            return
        if self.lives == 0:
            raise Killed
        self.lives -= 1


@dataclass(frozen=True)
class Listing:
    found: Sequence[dict[str, Any]]

    async def collect_async(self) -> Sequence[dict[str, Any]]:
        return self.found


@dataclass(frozen=True)
class Content:
    content: bytes

    async def bytes_async(self) -> bytes:
        return self.content
