"""How far a build is, told in counts and not too often."""

import time
from collections.abc import Callable

_EVERY = 1.0


class Progress:
    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._next = time.monotonic() + _EVERY

    def count(self, what: str, done: int, total: int) -> None:
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _EVERY
            self._tell(f"{what}: {done} of {total} files")
