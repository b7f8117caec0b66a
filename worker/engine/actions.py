"""One action, carried out once: a command, a probe, a note. What fails is raised."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from app.domain.problem import CODES
from worker.engine.assets.releasing import Releasing
from worker.engine.context import ALIVE, PASSED_OVER, UNDO, Context, forgiving
from worker.engine.failed import Failed
from worker.engine.probing import Probing
from worker.plans.outcome import StepFailed
from worker.remote.errors import RemoteError
from worker.remote.host import Output as Hear
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.machine import CreateMachine, DestroyMachine
from worker.steps.output import Output, ending, failure_of
from worker.steps.package import PlacePackage
from worker.steps.step import (
    Action,
    Command,
    Failure,
    Note,
    PortFree,
    Probe,
    ReadHostKey,
    Step,
    Upload,
    Watch,
)


@dataclass(frozen=True)
class Done:
    """How an action went well; `exit_code` is None when it was no command."""

    exit_code: int | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    note: str | None = None


def told(step: Step, error: Failed | RemoteError) -> StepFailed:
    """The failure as people read it."""
    if isinstance(error, RemoteError):
        return StepFailed(
            error.code, error.title, error.detail, error.hint, step.name, host=step.at or None
        )
    failure = error.failure
    return StepFailed(
        failure.code,
        failure.title,
        error.detail,
        failure.hint,
        step.name,
        error.exit_code,
        host=step.at or None,
    )


class Actions:
    """On one host; raises Failed and RemoteError."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def act(self, number: int, step: Step, action: Action) -> Done:  # noqa: C901 - a table
        """Do it, or meet it on the host where it runs already; a Wait is none of these."""
        context = self._context

        async def show(text: str) -> None:
            await context.journal.output(number, step, text, undo=action is step.undo)

        part = f"{number}-{UNDO}" if action is step.undo else str(number)
        if isinstance(action, Command):
            return await self.command(action, part, show)
        match action:
            case Note():
                await context.journal.note(action, context.facts)
            case ReadHostKey():
                key = await context.read_host_key()
                return Done(facts={"host_key": key.line, "fingerprint": key.fingerprint})
            case Upload():
                await self._upload(action, show)
            case Probe():
                await self._probing(part, show).ask(action)
            case Watch():
                await self._watch(number, action, part, show)
            case PortFree():
                await self._port_free(action)
            case ReleaseAssets() | PlaceManifest() | VerifyAssets():
                await Releasing(context, show).do(action)
            case CreateMachine() | DestroyMachine():
                await self._machine(action, show)
            case PlacePackage():
                await self._place(action, show)
        return Done()

    async def command(self, command: Command, part: str, show: Hear) -> Done:
        output = Output(command, self._context.redactor)

        async def hear(text: str) -> None:
            output.hear(text)
            await show(text)

        exit_code = await self._run(command, part, hear)
        tail = output.tail()
        said, host = f"\n{tail}" if tail else "", self._context.host.name
        if exit_code != 0:
            failure = failure_of(command, exit_code, output, self._context.plan.hint)
            raise Failed(failure, f"{host}: {ending(exit_code)}.{said}", exit_code)
        if unsaid := [name for name in command.reports if name not in output.facts]:
            title, hint = "A command did not report its result", self._context.plan.hint
            failure = Failure("step-failed", title, hint)
            raise Failed(failure, f"{host}: no {', '.join(unsaid)} in:{said}", 0)
        return Done(exit_code, output.facts)

    async def ask(self, question: Command, part: str) -> tuple[int, str]:
        """The exit code of a command that is no step of its own, and its last words."""
        output = Output(question, self._context.redactor)

        async def hear(text: str) -> None:
            output.hear(text)

        await self._forget(part)
        exit_code = await self._run(question, part, hear)
        # A job that waits for long comes back often, and no run of it is the last.
        with forgiving():
            await self._forget(part)
        return exit_code, output.tail()

    async def _forget(self, part: str) -> None:
        """Every question is a new one: an answer from before would be found under its name."""
        await self._context.forget([self._context.folder(part)])

    async def finish(self, command: Command, part: str, show: Hear) -> None:
        """Follow the command to its end if it runs on the host; otherwise do nothing there."""
        # The host starts a name once only: whatever has it is met instead of this script.
        await self._run(replace(command, script=":", secrets=()), part, show)

    async def _run(self, command: Command, part: str, hear: Hear) -> int:
        context = self._context
        secrets = self._secrets(command)
        known = {name.upper().replace("-", "_"): value for name, value in context.facts.items()}
        folder = context.folder(part)
        context.folders[folder] = None
        return await context.host.run(
            replace(command, env={**known, **command.env}),
            name=folder,
            secrets=secrets,
            output=hear,
            fence=context.fence,
        )

    def _secrets(self, command: Command) -> dict[str, str]:
        secrets = self._context.secrets
        if missing := [name for name in command.secrets if name not in secrets]:
            hint = f"PUT /v1/instances/NAME/secrets/{missing[0]}"
            failure = Failure("secret-missing", "A secret that the step needs is not set", hint)
            raise Failed(failure, f"Not set: {', '.join(missing)}.")
        return {name: secrets[name] for name in command.secrets}

    async def _upload(self, upload: Upload, show: Hear) -> None:
        context = self._context
        sent = await context.host.send(upload.source, upload.to, context.fence)
        size = f"{sent.sent_bytes} bytes in {sent.sent_files} of {sent.files} files"
        await show(f"sent {size} to {upload.to}\n")

    async def _place(self, package: PlacePackage, show: Hear) -> None:
        if self._context.package_of is None:
            raise ValueError(f"Nobody said where the package {package.sha256} is.")
        content = await self._context.package_of(package.sha256)
        found = hashlib.sha256(content).hexdigest()
        if found != package.sha256:
            title, hint = "An uploaded package is damaged", "Upload it again, then repeat the job."
            detail = f"Its SHA-256 is {found}; wanted is {package.sha256}."
            raise Failed(Failure("step-failed", title, hint), detail)
        with TemporaryDirectory() as folder:
            file = Path(folder) / PurePosixPath(package.to).name
            file.write_bytes(content)
            await self._upload(Upload(file, package.to), show)

    async def _machine(self, action: CreateMachine | DestroyMachine, show: Hear) -> None:
        machines = self._context.machines
        if machines is None:
            raise ValueError(f"Nobody said how to make or remove the machine {action.tag}.")
        if isinstance(action, CreateMachine):
            await machines.create(show)
        elif await machines.destroy(show):
            self._context.away = True
        elif steps := self._context.facts.get(PASSED_OVER):
            raise self._unconfirmed(steps)

    def _unconfirmed(self, steps: str) -> Failed:
        """What did not go with the machine was only left out as it would."""
        code, name, job = "unconfirmed-gone", self._context.host.name, self._context.name
        hint = (
            f"See why: liftlock jobs logs {job}. Mend host {name}, then repeat: liftlock jobs retry"
            f" {job}. If it never comes back: liftlock app-servers terminate ID --gone"
            " --reason TEXT"
        )
        failure = Failure(code, CODES[code].title, hint)
        return Failed(failure, f"{name}: the machine stays, and was left out there: {steps}.")

    async def _port_free(self, asked: PortFree) -> None:
        host = self._context.host
        if await host.port_open(asked.port, asked.address):
            raise Failed(asked.on_failure, f"{host.name}: port {asked.port} accepts connections.")

    async def _watch(self, number: int, watch: Watch, part: str, show: Hear) -> None:
        # A call under the fence: who has a successor watches no more. It also leaves a line open,
        # by which a host that falls silent is told from a site that does.
        await self._forget(f"{part}-{ALIVE}")
        await self._probing(part, show).watch(watch, self._context.since(number))

    def _probing(self, part: str, show: Hear) -> Probing:
        async def alive(command: Command) -> None:
            await self._forget(f"{part}-{ALIVE}")
            await self.command(command, f"{part}-{ALIVE}", _unheard)

        return Probing(self._context, show, alive)


async def _unheard(_text: str) -> None:
    """Thirty answers of `is it alive` are no news."""
