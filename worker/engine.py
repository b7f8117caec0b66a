"""Runs a plan on a host: order, facts, undo, report. It knows no kinds of jobs."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Protocol

from app.domain.redaction import Redactor
from worker.plans.outcome import Outcome, StepFailed
from worker.plans.plan import Plan
from worker.remote.errors import RemoteError
from worker.remote.host import Host, HostKey
from worker.remote.host import Output as Hear
from worker.steps.output import Output, ending, failure_of
from worker.steps.step import Action, Command, Failure, Note, PortFree, Probe, ReadHostKey, Step

__all__ = ["Journal", "Outcome", "StepFailed", "run"]

#: Errors after which a question to the host would only wait for the same answer.
SILENT = {"host-unreachable", "connection-lost", "host-key-changed", "ssh-auth-failed"}


class Journal(Protocol):
    """Where everything is written down; what it raises ends the run at once, without undo."""

    async def step_started(self, number: int, step: Step) -> None: ...
    async def output(self, number: int, step: Step, text: str) -> None: ...
    async def step_succeeded(
        self,
        number: int,
        step: Step,
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
    ) -> None: ...
    async def step_failed(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None: ...
    async def step_undone(
        self, number: int, step: Step, *, error: StepFailed | None, duration: float
    ) -> None: ...
    async def note(self, note: Note, facts: Mapping[str, str]) -> None: ...


class Interrupted(Exception):
    """The worker stops, and the run has reached the boundary between two steps."""


class _Failed(Exception):
    def __init__(self, failure: Failure, detail: str, exit_code: int | None = None) -> None:
        self.failure, self.detail, self.exit_code = failure, detail, exit_code


async def run(
    plan: Plan,
    *,
    name: str,
    host: Host,
    read_host_key: Callable[[], Awaitable[HostKey]],
    journal: Journal,
    secrets: Mapping[str, str],
    facts: Mapping[str, str] | None = None,
    done: Mapping[int, Mapping[str, str]] | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Outcome:
    """Carry out the plan under `name` (the job's id, unique on the host).

    `done` has the facts of the steps that an earlier attempt finished, by number from 1: they are
    not run again. A step that was cut off is started under the same name, so that the host can
    answer with the one that still runs there. When `stopping` says so, Interrupted is raised
    between two steps, with nothing undone: another attempt goes on from there.
    """
    work = _Work(plan, name, host, read_host_key, journal, secrets, dict(facts or {}))
    for number, step in enumerate(plan.steps, start=1):
        if done and number in done:
            work.facts.update(done[number])
            continue
        if stopping():
            raise Interrupted
        if error := await work.do(number, step):
            undone = await work.undo(number)
            await work.finish(number, error)
            return Outcome(work.facts, error, undone)
    return Outcome(work.facts)


@dataclass
class _Work:
    plan: Plan
    name: str
    host: Host
    read_host_key: Callable[[], Awaitable[HostKey]]
    journal: Journal
    secrets: Mapping[str, str]
    facts: dict[str, str]
    redactor: Redactor = field(init=False)

    def __post_init__(self) -> None:
        self.redactor = Redactor(self.secrets.values())

    async def do(self, number: int, step: Step) -> StepFailed | None:
        """One step, reported; an error is returned, not raised."""
        await self.journal.step_started(number, step)
        began = time.monotonic()
        exit_code, found, error = await self._guarded(number, step, step.action, str(number))
        duration = time.monotonic() - began
        if error:
            await self.journal.step_failed(number, step, error=error, duration=duration)
        else:
            self.facts.update(found)
            await self.journal.step_succeeded(
                number, step, exit_code=exit_code, duration=duration, facts=found
            )
        await self._clean(step.action, str(number), error)
        return error

    async def undo(self, failed: int) -> bool:
        """Take back the failed step, which may be half done, and those before it, last first."""
        clean = True
        for number, step in reversed(list(enumerate(self.plan.steps[:failed], start=1))):
            if step.undo is None:
                continue
            began, suffix = time.monotonic(), f"{number}-undo"
            _, _, error = await self._guarded(number, step, step.undo, suffix)
            duration = time.monotonic() - began
            await self.journal.step_undone(number, step, error=error, duration=duration)
            await self._clean(step.undo, suffix, error)
            clean = clean and error is None
        return clean

    async def finish(self, failed: int, error: StepFailed) -> None:
        """The steps of `on_failure`, as long as the host has something to show and answers."""
        told: StepFailed | None = error
        for number, step in enumerate(self.plan.on_failure, start=len(self.plan.steps) + 1):
            if failed < self.plan.diagnose_from or (told and told.code in SILENT):
                return
            told = await self.do(number, step)

    async def _guarded(
        self, number: int, step: Step, action: Action, suffix: str
    ) -> tuple[int | None, dict[str, str], StepFailed | None]:
        try:
            exit_code, found = await self._act(number, step, action, suffix)
        except _Failed as failed:
            failure = failed.failure
            reason = StepFailed(
                failure.code,
                failure.title,
                failed.detail,
                failure.hint,
                step.name,
                failed.exit_code,
            )
            return failed.exit_code, {}, reason
        except RemoteError as remote:
            reason = StepFailed(remote.code, remote.title, remote.detail, remote.hint, step.name)
            return None, {}, reason
        return exit_code, found, None

    async def _act(
        self, number: int, step: Step, action: Action, suffix: str
    ) -> tuple[int | None, dict[str, str]]:
        async def show(text: str) -> None:
            await self.journal.output(number, step, text)

        match action:
            case Command():
                return await self._command(action, suffix, show)
            case Probe():
                await self._probe(action, suffix, show)
            case PortFree(port=port, on_failure=failure):
                if await self.host.port_open(port):
                    raise _Failed(failure, f"{self.host.name}: port {port} accepts connections.")
            case ReadHostKey():
                key = await self.read_host_key()
                return None, {"host_key": key.line, "fingerprint": key.fingerprint}
            case Note():
                await self.journal.note(action, self.facts)
        return None, {}

    async def _command(
        self, command: Command, suffix: str, show: Hear
    ) -> tuple[int, dict[str, str]]:
        known = {name.upper().replace("-", "_"): value for name, value in self.facts.items()}
        output = Output(command, self.redactor)

        async def hear(text: str) -> None:
            output.hear(text)
            await show(text)

        exit_code = await self.host.run(
            replace(command, env={**known, **command.env}),
            name=f"{self.name}-{suffix}",
            secrets=self._secrets(command),
            output=hear,
        )
        said = f"\n{tail}" if (tail := output.tail()) else ""
        if exit_code != 0:
            failure = failure_of(command, exit_code, output, self.plan.hint)
            raise _Failed(failure, f"{self.host.name}: {ending(exit_code)}.{said}", exit_code)
        if unsaid := [name for name in command.reports if name not in output.facts]:
            failure = Failure("step-failed", "A command did not report its result", self.plan.hint)
            raise _Failed(failure, f"{self.host.name}: no {', '.join(unsaid)} in:{said}", 0)
        return exit_code, output.facts

    def _secrets(self, command: Command) -> dict[str, str]:
        if missing := [name for name in command.secrets if name not in self.secrets]:
            hint = f"PUT /v1/instances/NAME/secrets/{missing[0]}"
            failure = Failure("secret-missing", "A secret that the step needs is not set", hint)
            raise _Failed(failure, f"Not set: {', '.join(missing)}.")
        return {name: self.secrets[name] for name in command.secrets}

    async def _probe(self, probe: Probe, suffix: str, show: Hear) -> None:
        said = ""
        for attempt in range(1, probe.tries + 1):
            right, said = await self._answer(probe)
            # Also when it answers: what answers must be the process that was started.
            if probe.alive:
                await self._alive(probe.alive, f"{suffix}-alive-{time.monotonic_ns()}")
            if right:
                await show(f"{said}\n")
                return
            if attempt < probe.tries:
                await asyncio.sleep(probe.every)
        raise _Failed(probe.on_failure, f"{self.host.name}, after {probe.tries} tries: {said}.")

    async def _alive(self, alive: Command, suffix: str) -> None:
        try:
            await self._command(alive, suffix, _unheard)
        finally:
            await self._clean(alive, suffix, None)

    async def _answer(self, probe: Probe) -> tuple[bool, str]:
        asked = f"GET http://127.0.0.1:{probe.port}{probe.path}"
        answer = await self.host.http_get(probe.port, probe.path, timeout=probe.timeout)
        if answer.problem:
            return False, f"{asked}: {answer.problem}"
        if answer.status not in probe.status:
            wanted = " or ".join(str(status) for status in probe.status)
            return False, f"{asked} answered {answer.status}, wanted {wanted}"
        if probe.contains and probe.contains not in answer.body:
            return False, f"{asked} answered {answer.status} without {probe.contains!r} in the page"
        return True, f"{asked} answered {answer.status}"

    async def _clean(self, action: Action, suffix: str, error: StepFailed | None) -> None:
        """Remove the step's folder, unless the step may still be running there."""
        if isinstance(action, Command) and (error is None or error.code not in SILENT):
            with suppress(RemoteError):
                await self.host.clean(f"{self.name}-{suffix}")


async def _unheard(_text: str) -> None:
    """Thirty answers of `is it alive` are no news."""
