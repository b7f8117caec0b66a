"""What is known after the switches of one router."""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True)
class Traffic:
    """What the client counted."""

    seconds: float
    sent: int
    right: Counter[str]
    wrong: Counter[str]
    words: list[str]
    servers: Counter[str]
    fast: list[float]
    connections: int

    @classmethod
    def read(cls, path: Path) -> Self:
        """From the client's file."""
        counted: dict[str, Any] = json.loads(path.read_text())
        counters = {name: Counter(counted.pop(name)) for name in ("right", "wrong", "servers")}
        return cls(**{**counted, **counters})

    @property
    def failed(self) -> int:
        return sum(self.wrong.values())

    @property
    def rate(self) -> float:
        return sum(self.right.values()) / self.seconds


@dataclass
class Run:
    kind: str
    traffic: Traffic = field(init=False)
    #: Seconds of each activation, from the request to the end of its job.
    took: list[float] = field(default_factory=list)
    #: Requests under way at the old server, asked from itself, after each.
    left: list[int] = field(default_factory=list)
    #: What became of the activation of a broken server.
    broken: str = ""
    trouble: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        return asdict(self)

    def is_green(self, wanted: float) -> bool:
        """Whether nothing was lost, at that rate or more."""
        traffic = self.traffic
        whole = not self.trouble and not any(self.left) and traffic.failed == 0
        return whole and sum(traffic.right.values()) == traffic.sent and traffic.rate >= wanted
