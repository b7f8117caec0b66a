"""One step until it is settled: its tries, its end in the unknown, its being told to stop."""

import time
from datetime import UTC, datetime, timedelta
from functools import partial

from app.domain.job import Answer
from app.domain.problem import CODES
from worker.engine.actions import Actions, Done, told
from worker.engine.context import ASKED, PASSED_OVER, Context, Suspended, forgiving
from worker.engine.failed import Failed
from worker.engine.stop import Stopped
from worker.engine.waiting import Waiting
from worker.plans.outcome import StepFailed
from worker.remote.errors import (
    AuthFailed,
    ConnectionLost,
    ForwardingRefused,
    HostBusy,
    HostKeyChanged,
    HostKeyMissing,
    HostUnreachable,
    RemoteError,
    RunnerFailed,
    StaleToken,
    StepVanished,
)
from worker.steps.machine import DestroyMachine
from worker.steps.step import Command, Note, OnCancel, OnUnknown, Probe, Step, Wait, Watch

#: What a question on the host answers when the step has to be run again.
_NOT_DONE = 1
#: Cut off, before a step or in the middle of it; gone for good, or never there.
_GONE = (HostUnreachable, ConnectionLost, HostKeyMissing)
#: Nothing can be done there: it is another one, lets nobody in, or runs nothing. What runs there
#: goes on.
_USELESS = (HostKeyChanged, AuthFailed, ForwardingRefused, RunnerFailed)
#: Actions that start processes on the host.
_ON_HOST = Command | Probe | Watch | Wait


class Stepping:
    """Raises Stopped, Interrupted and Suspended, and StaleToken when the job is somebody else's."""

    def __init__(self, context: Context) -> None:
        self._context, self._journal = context, context.journal
        self._tries = {number: begun.tries for number, begun in context.past.begun.items()}
        #: Every step that may have left something.
        self.begun = set(context.past.begun)
        self._here: set[int] = set()
        #: Whether it has been told what an order to stop does.
        self.told = False

    async def do(
        self, number: int, step: Step, *, anew: bool = False, retry: bool = True
    ) -> StepFailed | None:
        """The step with all its tries, reported; an error is returned, not raised.

        `anew`: whatever is left of it on the host is forgotten first.
        """
        is_wait_again = isinstance(step.action, Wait) and number in self._context.past.begun
        if not is_wait_again:
            is_new = anew or (number in self.begun and _says_new_things(step))
            await self._journal.step_started(number, step, anew=is_new)
        self.begun.add(number)
        self._here.add(number)
        began = time.monotonic()
        try:
            done = await self._tried(number, step, began, anew=anew, retry=retry)
        except Stopped:
            await self._cancel(number, step, began)
            raise
        if isinstance(done, StepFailed):
            return done
        await self.succeed(number, step, done, began)
        return None

    async def fail(self, number: int, step: Step) -> StepFailed:
        """Somebody answered that a step with an unknown end was not done."""
        detail = f"{self._context.at(step).host.name}: somebody answered that it was not done."
        title, hint = CODES[StepVanished.code].title, self._context.plan.hint
        error = StepFailed(StepVanished.code, title, detail, hint, step.name, host=step.at or None)
        await self._journal.step_failed(number, step, error=error, duration=0)
        return error

    async def succeed(self, number: int, step: Step, done: Done, began: float) -> None:
        self._context.facts.update(done.facts)
        await self._journal.step_succeeded(
            number,
            step,
            exit_code=done.exit_code,
            duration=time.monotonic() - began,
            facts=done.facts,
            note=done.note,
        )

    async def _tried(
        self, number: int, step: Step, began: float, *, anew: bool, retry: bool
    ) -> Done | StepFailed:
        while True:
            try:
                if anew:
                    await self._forget(number, step)
                return await self._once(number, step, began)
            except StaleToken:
                raise
            except (Failed, RemoteError) as error:
                failed = told(step, error)
                if isinstance(error, self._passable(number, step)):
                    self._context.at(step).away = True
                    return self._passed_over(number, step, failed, is_gone=isinstance(error, _GONE))
                if isinstance(error, HostBusy):
                    await self._end_leftovers(error.holder, step)
                if not retry or not await self._again(number, step, failed):
                    wrong = isinstance(error, Failed)
                    return await self._given_up(number, step, failed, began, wrong=wrong)
                anew = self._context.retry.begins_anew(failed.code)

    def _passable(self, number: int, step: Step) -> tuple[type[RemoteError], ...]:
        """The errors of its host that the step is passed over for, at once."""
        if not step.dispensable:
            return ()
        is_idle = step.harmless or self._goes_with_machine(number, step)
        return (*_GONE, *_USELESS) if is_idle else _GONE

    async def _given_up(
        self, number: int, step: Step, error: StepFailed, began: float, *, wrong: bool
    ) -> Done | StepFailed:
        """`wrong`: something answered as it should not; a line that broke says nothing of that."""
        if step.dispensable and self._goes_with_machine(number, step):
            return self._passed_over(number, step, error)
        if step.finds and (wrong or step.dispensable):
            return Done(facts={step.finds: "yes"}, note=f"{error.title}: {error.detail}")
        duration = time.monotonic() - began
        await self._journal.step_failed(number, step, error=error, duration=duration)
        return error

    def _passed_over(
        self, number: int, step: Step, error: StepFailed, *, is_gone: bool = False
    ) -> Done:
        why = "its host is gone" if is_gone else f"it failed ({error.code}). {error.title}"
        note = f"Passed over, as {why}: {error.detail}"
        if not self._goes_with_machine(number, step):
            return Done(note=note)
        # The machine may stay: then its step has to know, also in another attempt.
        before = self._context.facts.get(PASSED_OVER)
        names = f"{before}, {step.name}" if before else step.name
        return Done(facts={PASSED_OVER: names}, note=note)

    def _goes_with_machine(self, number: int, step: Step) -> bool:
        """Whether its host is removed next: nothing on it is worth more than that."""
        own = self._context.at(step).host.name == self._context.host.name
        return own and any(
            isinstance(later.action, DestroyMachine) for later in self._context.plan.steps[number:]
        )

    async def _end_leftovers(self, holder: str, step: Step) -> None:
        """A job that has ended has no right to a lock: not even to what it could not be stopped
        from leaving. One that Postgres does not know is left alone.
        """
        if holder and await self._context.has_ended(holder):
            with forgiving():  # the next try tells how the host is
                await self._context.at(step).host.reap(holder, self._context.fence)

    async def _forget(self, number: int, step: Step) -> None:
        """Make the next run of the step a new one."""
        await self._context.at(step).forget([self._context.folder(str(number))])

    async def _once(self, number: int, step: Step, began: float) -> Done:
        if isinstance(step.action, Wait):
            return await Waiting(self._context.at(step)).look(number, step, step.action)
        work = Actions(self._context.at(step)).act(number, step, step.action)
        if isinstance(step.action, Note):
            return await work  # a moment's write: it is made, or it is not
        patient = step.on_cancel is OnCancel.FINISH
        finish = partial(self._tell_stopping, number, step, now=False) if patient else None
        try:
            return await self._context.stop.within(work, finish=finish)
        except StepVanished as vanished:
            return await self._resolve(number, step, vanished, began)

    async def _again(self, number: int, step: Step, error: StepFailed) -> bool:
        """Count and tell another try, and wait for it; False when there is to be none."""
        policy, tries = self._context.retry, self._tries.get(number, 1)
        if not policy.helps(error.code) or tries >= policy.tries:
            return False
        wait = policy.pause(tries)
        self._tries[number] = tries + 1
        await self._journal.step_retrying(
            number,
            step,
            tries=tries + 1,
            of=policy.tries,
            wait=wait,
            error=error,
            fresh=policy.begins_anew(error.code) or _says_new_things(step),
        )
        await self._context.pause(wait)
        return True

    async def _resolve(self, number: int, step: Step, vanished: StepVanished, began: float) -> Done:
        """Nobody knows how it ended: Done when it was, StepVanished again to repeat it."""
        error = told(step, vanished)
        duration = time.monotonic() - began
        await self._journal.step_unknown(number, step, error=error, duration=duration)
        code = await self._found_out(number, step)
        if code == 0:
            return Done(note="It was done already, as its question on the host answered.")
        if code == _NOT_DONE:
            raise vanished
        raise self._ask_about(number, step, vanished)

    async def _found_out(self, number: int, step: Step) -> int | None:
        """What the step's question answers, or would; None: a person has to."""
        match step.on_unknown:
            case OnUnknown.REPEAT:
                return _NOT_DONE
            case Command() as question:
                asking = Actions(self._context.at(step)).ask(question, f"{number}-{ASKED}")
                return (await self._context.stop.within(asking))[0]
        return None

    def question(
        self, number: int, step: Step, *, reason: str, since: datetime | None = None
    ) -> Suspended:
        """What a person has to answer before the job goes on."""
        now = datetime.now(UTC)
        until = now + timedelta(seconds=self._context.waiting.remind)
        return Suspended(
            "question", number, step.name, since=since or now, until=until, reason=reason
        )

    def _ask_about(self, number: int, step: Step, vanished: StepVanished) -> Suspended:
        reason = (
            f"{vanished.detail} Was `{step.title}` done? Answer with: liftlock jobs answer "
            f"{self._context.name} {'|'.join(Answer)}"
        )
        return self.question(number, step, reason=reason)

    async def _tell_stopping(self, number: int, step: Step, *, now: bool) -> None:
        self.told = True
        await self._journal.stopping(number, step, now=now, undo=len(self.undos()))

    def undos(self) -> list[int]:
        """Numbers of the steps that are taken back: those that go first, then the others, each
        last first.
        """
        steps = list(enumerate(self._context.plan.steps, start=1))[::-1]
        undone = [(number, step) for number, step in steps if number in self.begun and step.undo]
        return [number for number, _ in sorted(undone, key=lambda one: not one[1].undo_first)]

    def on_host(self) -> list[tuple[int, Step]]:
        """Steps that were begun and may have a process on the host."""
        steps = enumerate(self._context.plan.steps, start=1)
        return [(n, s) for n, s in steps if n in self.begun and isinstance(s.action, _ON_HOST)]

    def cut_off(self) -> list[tuple[int, Step]]:
        """Steps of earlier attempts that may still run there."""
        begun = self._context.past.begun
        return [
            (number, step)
            for number, step in self.on_host()
            if number not in self._here and begun[number].running
        ]

    async def _cancel(self, number: int, step: Step, began: float) -> None:
        """Stop what the step started, with proof, and tell it."""
        await self._tell_stopping(number, step, now=True)
        try:
            if isinstance(step.action, Command):
                context = self._context.at(step)
                await context.host.kill(context.folder(str(number)), context.fence)
        except StaleToken:
            raise
        except RemoteError as error:
            duration, failed = time.monotonic() - began, told(step, error)
            await self._journal.step_unknown(number, step, error=failed, duration=duration)
        else:
            await self._journal.step_canceled(number, step, duration=time.monotonic() - began)


def _says_new_things(step: Step) -> bool:
    """Whether a further try does not begin with what the one before it said."""
    return isinstance(step.action, Watch)
