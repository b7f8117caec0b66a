"""What the engine tells while it runs a plan; somebody else writes it down."""

from collections.abc import Mapping
from typing import Protocol

from worker.plans.outcome import StepFailed
from worker.steps.step import Note, Step


class Journal(Protocol):
    """Where everything is written down; what it raises ends the run at once, without undo."""

    async def step_started(self, number: int, step: Step, *, anew: bool = False) -> None:
        """`anew`: the step had ended, or its end was unknown, and is begun once more."""
        ...

    async def step_skipped(self, number: int, step: Step) -> None:
        """What its `unless` names is so."""
        ...

    async def output(self, number: int, step: Step, text: str, *, undo: bool) -> None: ...
    async def step_succeeded(
        self,
        number: int,
        step: Step,
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
        note: str | None = None,
    ) -> None: ...
    async def step_failed(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None: ...
    async def step_retrying(
        self,
        number: int,
        step: Step,
        *,
        tries: int,
        of: int | None,
        wait: float,
        error: StepFailed | None,
        fresh: bool,
        undo: bool = False,
    ) -> None:
        """The next try is number `tries`; `fresh`: it begins anew, its output too."""
        ...

    async def step_canceled(self, number: int, step: Step, *, duration: float) -> None: ...
    async def step_unknown(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None: ...
    async def step_undone(
        self, number: int, step: Step, *, error: StepFailed | None, duration: float
    ) -> None: ...
    async def stopping(
        self, number: int | None, step: Step | None, *, now: bool, undo: int
    ) -> None:
        """An order to stop is heeded: what stops, whether at once, and how many undos follow."""
        ...

    async def note(self, note: Note, facts: Mapping[str, str]) -> None: ...
