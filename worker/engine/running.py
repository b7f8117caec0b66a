"""A whole plan: order, resumption, undo, end."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from app.domain.job import Answer
from worker.engine.actions import Done
from worker.engine.context import Context, Interrupted, Machines, forgiving, no_other_host
from worker.engine.journal import Journal
from worker.engine.past import Asked, Past
from worker.engine.policy import SILENT, RetryPolicy, WaitingPolicy
from worker.engine.stepping import Stepping
from worker.engine.stop import Stop, Stopped
from worker.engine.undoing import Undoing
from worker.plans.outcome import Outcome, StepFailed
from worker.plans.plan import Plan
from worker.remote.host import Fence, Host, HostKey
from worker.steps.step import Stay, Step, Wait


async def _nobody_knows(_: str) -> bool:
    return False


async def run(
    plan: Plan,
    *,
    name: str,
    host: Host,
    read_host_key: Callable[[], Awaitable[HostKey]],
    journal: Journal,
    secrets: Mapping[str, str],
    past: Past | None = None,
    stop: Stop | None = None,
    fence: Fence | None = None,
    retry: RetryPolicy | None = None,
    waiting: WaitingPolicy | None = None,
    stopping: Callable[[], bool] = lambda: False,
    has_ended: Callable[[str], Awaitable[bool]] = _nobody_knows,
    assets_cache: Path | None = None,
    hosts: Callable[[str], Host] | None = None,
    machines: Machines | None = None,
    package_of: Callable[[str], Awaitable[bytes]] | None = None,
) -> Outcome:
    """Carry out the plan under `name` (the job's id, unique on the host).

    What is done in the `past` is not run again; a step that was cut off is started under the same
    name, so that the host can answer with the one that still runs there. An order of `stop` ends
    the run: what was begun is undone. When `stopping` says so, Interrupted is raised between two
    steps, with nothing undone, and Suspended when a step waits: another attempt goes on there.
    What a job that `has_ended` left on the host, with a lock that this one needs, is ended.
    `hosts` gives the host of each `Step.at` but the own one's, before anything is done; what it
    raises goes through. `machines` makes the machine of the own host, `package_of` has uploads.
    """
    context = Context(
        plan=plan,
        name=name,
        host=host,
        read_host_key=read_host_key,
        journal=journal,
        secrets=secrets,
        past=past or Past(),
        stop=stop or Stop(),
        fence=fence,
        retry=retry or RetryPolicy(),
        waiting=waiting or WaitingPolicy(),
        stopping=stopping,
        has_ended=has_ended,
        assets_cache=assets_cache,
        machines=machines,
        package_of=package_of,
    )
    context.spread(hosts or no_other_host)
    return await _Run(context).outcome()


class _Run:
    def __init__(self, context: Context) -> None:
        self._context, self._past, self._stop = context, context.past, context.stop
        self._steps = Stepping(context)
        self._undoing = Undoing(context)

    async def outcome(self) -> Outcome:
        for begun in self._past.begun.values():
            self._context.facts.update(begun.facts or {})
        try:
            failed = self._past.failed or await self._forward()
        except Stopped:
            outcome = await self._stopped()
        else:
            outcome = await self._failed(failed) if failed else await self._succeeded()
        places = {place.host.name: place for place in self._context.places.values()}
        for place in places.values():
            if not self._undoing.is_silent(place):
                await place.tidy()
        return outcome

    async def _forward(self) -> StepFailed | None:
        """Every step that is not done yet, in order; the error of the one that failed."""
        numbered = enumerate(self._context.plan.steps, start=1)
        todo = [(number, step) for number, step in numbered if not self._past.is_done(number)]
        if not todo:
            return None  # an order to stop that comes now comes too late
        self._check_order()
        asked = self._past.asked
        if asked is not None and (error := await self._answered(asked)):
            return error
        for number, step in todo:
            answer = asked.answer if asked is not None and asked.number == number else None
            if answer is Answer.DONE:
                continue
            self._check_order()
            if self._context.stopping():
                raise Interrupted
            if error := await self._do(number, step, anew=answer is Answer.REPEAT):
                return error
        return None

    async def _do(self, number: int, step: Step, *, anew: bool) -> StepFailed | None:
        """A step that is needed, and behind a wait once more the looks before it."""
        if self._is_needless(number, step):
            await self._context.journal.step_skipped(number, step)
            return None
        if error := await self._steps.do(number, step, anew=anew):
            return error
        waited = isinstance(step.action, Wait) and number in self._past.begun
        return await self._look_again(number) if waited else None

    def _check_order(self) -> None:
        if self._stop.ending is not None:
            raise Stopped

    async def _answered(self, asked: Asked) -> StepFailed | None:
        """Act on what somebody said, or did not say yet, about a step with an unknown end."""
        step = self._context.plan.steps[asked.number - 1]
        if asked.answer is None:
            raise self._steps.question(asked.number, step, since=asked.since, reason=asked.reason)
        if asked.answer is Answer.FAILED:
            return await self._steps.fail(asked.number, step)
        if asked.answer is Answer.DONE:
            done = Done(note="Somebody answered that it was done.")
            await self._steps.succeed(asked.number, step, done, time.monotonic())
        return await self._look_again(asked.number)

    async def _look_again(self, before: int) -> StepFailed | None:
        """The host may have changed while the job waited: its looks at it are repeated."""
        for number, step in enumerate(self._context.plan.steps[: before - 1], start=1):
            again = step.again and not self._is_needless(number, step)
            if again and (error := await self._steps.do(number, step, anew=True)):
                return error
        return None

    def _is_needless(self, number: int, step: Step) -> bool:
        """What was begun is carried through, whatever was found meanwhile."""
        if not step.unless or number in self._steps.begun:
            return False
        return all(self._context.facts.get(name) == "yes" for name in step.unless)

    async def _succeeded(self) -> Outcome:
        # What it left running would hold its locks. It has succeeded, whatever becomes of that,
        # unless another attempt has to end it.
        here = [place for place in self._context.places_of(self._steps.on_host()) if not place.away]
        for place in here:
            with forgiving():
                await place.host.reap(place.name, place.fence)
        return Outcome(self._context.facts)

    async def _failed(self, error: StepFailed) -> Outcome:
        self._undoing.heed(error)
        if stay := self._stay(error):
            with suppress(Stopped):
                await self._diagnose()
            told = replace(error, detail=f"{error.detail} {stay.why}", hint=stay.hint)
            undone = await self._prove() is None
            return Outcome(self._context.facts, told, undone=undone, stands=True)
        problem = await self._undoing.undo(self._steps.undos())
        with suppress(Stopped):
            await self._diagnose()
        proof = await self._prove()
        if proof is not None and proof.detail not in error.detail:
            unsure = f"It is not certain that all its processes ended: {proof.detail}"
            error = replace(error, detail=f"{error.detail}\n{unsure}")
        return Outcome(self._context.facts, error, undone=problem is None and proof is None)

    def _stay(self, error: StepFailed) -> Stay | None:
        """Why nothing is taken back after this; None: it is."""
        steps = self._context.plan.steps
        stay = next((step.stay for step in steps if step.name == error.step), None)
        return stay if stay and self._context.facts.keys() >= set(stay.facts) else None

    async def _prove(self) -> StepFailed | None:
        # A job that ran nothing on its host, which may not even be enrolled, left nothing there.
        return await self._undoing.prove(self._steps.on_host())

    async def _diagnose(self) -> None:
        """The steps of `on_failure`, as long as a host has something to show and answers."""
        plan, silent = self._context.plan, set[str]()
        if max(self._steps.begun, default=0) < plan.diagnose_from:
            return
        for number, step in enumerate(plan.on_failure, start=len(plan.steps) + 1):
            place = self._context.at(step)
            if place.host.name in silent or self._undoing.is_silent(place):
                continue
            self._check_order()
            error = await self._steps.do(number, step, retry=False)
            if error is not None and error.code in SILENT:
                silent.add(place.host.name)

    async def _stopped(self) -> Outcome:
        """Undo everything that was begun, and see that nothing of it runs."""
        undos = self._steps.undos()
        if not self._steps.told:
            await self._context.journal.stopping(None, None, now=True, undo=len(undos))
        await self._undoing.end_what_runs(self._steps.cut_off())
        problem = await self._undoing.undo(undos)
        proof = await self._prove()
        return Outcome(
            self._context.facts,
            stopped=self._stop.ending,
            unproven=proof or problem,
            undone=problem is None,
            begun=len(self._steps.begun),
            undos=len(undos),
        )
