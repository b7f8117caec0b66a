"""How a plan ended: the values that the engine hands back."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class StepFailed:
    """What a person reads when a job failed; `exit_code` is None when no command ended."""

    code: str
    title: str
    detail: str
    hint: str
    step: str
    exit_code: int | None = None


@dataclass(frozen=True)
class Outcome:
    """The facts found, the error if there was one; `undone`: whether all was taken back."""

    facts: Mapping[str, str]
    error: StepFailed | None = None
    undone: bool = True
