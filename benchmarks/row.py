"""A row of the table: one thing measured, for Liftlock, a peer and the bare machine."""

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    LESS = "less"
    MORE = "more"


@dataclass(frozen=True)
class Figure:
    """A measured value and whose it is."""

    value: float
    of: str = ""


@dataclass(frozen=True)
class Row:
    what: str
    unit: str
    better: Better
    liftlock: float | None
    target: float | None = None
    peer: Figure | None = None
    #: What the machine does without Liftlock, arq or HTTP.
    limit: Figure | None = None
    #: How it was measured, or why a figure is missing.
    note: str = ""

    @property
    def met(self) -> bool | None:
        if self.liftlock is None or self.target is None:
            return None
        if self.better is Better.LESS:
            return self.liftlock <= self.target
        return self.liftlock >= self.target

    def times(self, other: Figure | None) -> float | None:
        """How many times better Liftlock is than that; below 1 it is worse."""
        if self.liftlock is None or other is None or not self.liftlock or not other.value:
            return None
        ratio = self.liftlock / other.value
        return ratio if self.better is Better.MORE else 1 / ratio
