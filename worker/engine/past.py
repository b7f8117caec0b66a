"""What earlier attempts left, and what the world answers: the values a run begins with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from app.domain.job import Answer
from worker.plans.outcome import StepFailed


@dataclass(frozen=True)
class Begun:
    """A step that an earlier attempt began."""

    #: The facts it found, when it was done; it is not run again.
    facts: Mapping[str, str] | None = None
    since: datetime | None = None
    tries: int = 1
    #: Whether nobody wrote down how it ended: it may still run on the host.
    running: bool = False


@dataclass(frozen=True)
class Asked:
    """A question to a person about a step whose end nobody knows; no answer: not yet."""

    number: int
    since: datetime
    reason: str
    answer: Answer | None = None


@dataclass(frozen=True)
class Past:
    """`begun` by number from 1; every step in it may have left something."""

    begun: Mapping[int, Begun] = field(default_factory=dict)
    #: Steps that were not needed: they left nothing.
    skipped: frozenset[int] = frozenset()
    #: The failure after which an earlier attempt had begun to undo.
    failed: StepFailed | None = None
    asked: Asked | None = None

    def is_done(self, number: int) -> bool:
        if number in self.skipped:
            return True
        return number in self.begun and self.begun[number].facts is not None
