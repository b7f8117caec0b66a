"""Taking back what was begun, last first, and the proof that nothing of it runs any more."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from functools import partial

from app.domain.job import EndingWhy
from worker.engine.actions import Actions, told
from worker.engine.context import UNDO, Context, forgiving
from worker.engine.failed import Failed
from worker.engine.policy import SILENT
from worker.plans.outcome import StepFailed
from worker.remote.errors import RemoteError, StaleToken
from worker.steps.step import Command, Note, OnCancel, Step

#: What has no step of its own is told under this name.
_PROOF = Step("proof", "See that nothing of the job runs", Command(":"))


class Undoing:
    def __init__(self, context: Context) -> None:
        self._context = context
        #: By name, why a host is not asked any more.
        self._silent: dict[str, StepFailed] = {}

    def heed(self, error: StepFailed) -> None:
        """A host that has just been given up is asked no more; others are."""
        if error.code in SILENT:
            steps = self._context.plan.steps
            step = next((step for step in steps if step.name == error.step), _PROOF)
            self._silent[self._context.at(step).host.name] = error

    def is_silent(self, place: Context) -> bool:
        return place.host.name in self._silent

    async def undo(self, numbers: Iterable[int]) -> StepFailed | None:
        """Undo these steps in this order, also those behind one that fails; the first error."""
        first = None
        for number in numbers:
            error = await self._undo(number, self._context.plan.steps[number - 1])
            first = first or error
        return first

    async def prove(self, steps: Iterable[tuple[int, Step]]) -> StepFailed | None:
        """End every process of the job where these steps were begun, also behind a host that is
        silent; the first error, when it is not certain that none lives.
        """
        first = None
        for place in self._context.places_of(steps):
            error = await self._patient(place, None, _PROOF, partial(_reap, place))
            first = first or error
        return first

    async def end_what_runs(self, cut_off: Iterable[tuple[int, Step]]) -> None:
        """Before the undo: steps of earlier attempts end, those that may finish by themselves."""
        steps = list(cut_off)
        ending = self._context.stop.ending
        for number, step in steps:
            is_patient = step.on_cancel is OnCancel.FINISH and not (ending and ending.force)
            if is_patient and isinstance(step.action, Command):
                await self._finish(number, step, step.action)
        await self.prove(steps)

    async def _finish(self, number: int, step: Step, command: Command) -> None:
        async def show(text: str) -> None:
            await self._context.journal.output(number, step, text, undo=False)

        # However it ends, and if nobody can follow it: it is taken back next.
        with suppress(Failed), forgiving():
            await self._context.stop.within(
                Actions(self._context.at(step)).finish(command, str(number), show), finish=_nothing
            )

    async def _undo(self, number: int, step: Step) -> StepFailed | None:
        if step.undo is None:
            return None
        place, began = self._context.at(step), time.monotonic()
        act = partial(Actions(place).act, number, step, step.undo)
        error = None
        if isinstance(step.undo, Note):
            await act()  # no host is asked, so none can be too silent for it
        else:
            error = await self._patient(place, number, step, act)
        duration = time.monotonic() - began
        await self._context.journal.step_undone(number, step, error=error, duration=duration)
        return error

    async def _patient(
        self, place: Context, number: int | None, step: Step, act: Callable[[], Awaitable[object]]
    ) -> StepFailed | None:
        """Do it, again after errors that pass; a host that stays silent is asked no more."""
        policy, tries = self._context.retry, 1
        while not self.is_silent(place):
            try:
                await act()
            except StaleToken:
                raise
            except (Failed, RemoteError) as error:
                failed = told(step, error)
                if tries < self._most_tries and policy.helps(failed.code):
                    await self._wait(number, step, failed, tries)
                    tries += 1
                    continue
                if failed.code in SILENT:
                    self._silent[place.host.name] = failed
                return failed
            return None
        return self._silent[place.host.name]

    @property
    def _most_tries(self) -> int:
        """Who forces, or sets a deadline, does not want to wait for a host that may come back."""
        ending = self._context.stop.ending
        hurries = ending is not None and (ending.force or ending.why is EndingWhy.DEADLINE)
        return 1 if hurries else self._context.retry.tries

    async def _wait(self, number: int | None, step: Step, error: StepFailed, tries: int) -> None:
        policy = self._context.retry
        wait, anew = policy.pause(tries), policy.begins_anew(error.code)
        if number is not None:
            await self._context.journal.step_retrying(
                number,
                step,
                tries=tries + 1,
                of=policy.tries,
                wait=wait,
                error=error,
                fresh=anew,
                undo=True,
            )
            if anew:
                with forgiving():
                    await self._context.at(step).forget([self._context.folder(f"{number}-{UNDO}")])
        await asyncio.sleep(wait)


async def _reap(place: Context) -> None:
    await place.host.reap(place.name, place.fence)


async def _nothing() -> None:
    """It has been told already that the step may finish."""
