"""How a plan ended: the values that the engine hands back."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.domain.job import Ending


@dataclass(frozen=True)
class StepFailed:
    """What a person reads when a job failed; `exit_code` is None when no command ended."""

    code: str
    title: str
    detail: str
    hint: str
    step: str
    exit_code: int | None = None
    #: The code of what brought it about, where `code` tells what that means for the job.
    cause: str | None = None
    #: Where the step was done, when that was not the job's own host.
    host: str | None = None


@dataclass(frozen=True)
class Outcome:
    """The facts found, the error if there was one; `undone`: whether all was taken back."""

    facts: Mapping[str, str]
    error: StepFailed | None = None
    undone: bool = True
    #: Whether nothing was to be taken back, though it failed: what was done stands.
    stands: bool = False
    #: The order to stop that ended it; then the rest is told of what it had done.
    stopped: Ending | None = None
    #: Why nobody can tell whether all of it has stopped and was taken back.
    unproven: StepFailed | None = None
    #: How many steps had been begun, and how many of them were to be taken back.
    begun: int = 0
    undos: int = 0
