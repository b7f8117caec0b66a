"""Plans run on a host that only remembers, with a journal that keeps everything as lines."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.job import JobKind
from tests.support.fake_host import FakeHost
from worker import engine
from worker.engine import Begun, Outcome, Past, RetryPolicy, StepFailed, Stop, WaitingPolicy
from worker.plans.plan import Plan
from worker.remote.host import Fence, HostKey
from worker.steps.step import Action, Command, Failure, Note, OnCancel, OnUnknown, Probe, Step

FAILURE = Failure("check-failed", "No answer", "read the log")
ALIVE = Command("alive", failures={1: Failure("start-failed", "It died", "read the log")})
#: Tries as in earnest, at once.
QUICK = RetryPolicy(first=0.001)


@dataclass
class Diary:
    lines: list[str] = field(default_factory=list)
    errors: list[StepFailed] = field(default_factory=list)
    said: str = ""
    refuses: str | None = None
    #: Called with each line, before it is kept.
    hears: Callable[[str], None] = lambda _: None

    def _write(self, line: str) -> None:
        if line == self.refuses:
            raise PermissionError(line)
        self.hears(line)
        self.lines.append(line)

    async def step_started(self, number: int, step: Step, *, anew: bool = False) -> None:
        self._write(f"{number} {step.name} started{' anew' if anew else ''}")

    async def step_skipped(self, number: int, step: Step) -> None:
        self._write(f"{number} {step.name} skipped")

    async def output(self, number: int, step: Step, text: str, *, undo: bool = False) -> None:
        self.said += text

    async def step_succeeded(
        self,
        number: int,
        step: Step,
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
        note: str | None = None,
    ) -> None:
        assert duration >= 0
        told = f" ({note})" if note else ""
        self._write(f"{number} {step.name} succeeded {exit_code} {dict(facts)}{told}")

    async def step_failed(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None:
        self.errors.append(error)
        self._write(f"{number} {step.name} failed {error.code}")

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
        which = " undo" if undo else ""
        again = "anew" if fresh else "met"
        code = error.code if error else None
        self._write(f"{number} {step.name}{which} retrying {tries} of {of} {code} {again}")

    async def step_canceled(self, number: int, step: Step, *, duration: float) -> None:
        self._write(f"{number} {step.name} canceled")

    async def step_unknown(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None:
        self._write(f"{number} {step.name} unknown {error.code}")

    async def step_undone(
        self, number: int, step: Step, *, error: StepFailed | None, duration: float
    ) -> None:
        self._write(f"{number} {step.name} undone {error.code if error else 'well'}")

    async def stopping(
        self, number: int | None, step: Step | None, *, now: bool, undo: int
    ) -> None:
        what = f"{number} {step.name}" if step else "nothing"
        self._write(f"stopping {what} {'now' if now else 'after it'}, {undo} undos")

    async def note(self, note: Note, facts: Mapping[str, str]) -> None:
        self._write(f"note {note.what} {dict(facts)}")


def step(
    name: str,
    action: Action | None = None,
    undo: Command | None = None,
    *,
    on_cancel: OnCancel = OnCancel.INTERRUPT,
    on_unknown: OnUnknown | Command = OnUnknown.REPEAT,
    again: bool = False,
) -> Step:
    return Step(name, name, action or Command(name), undo, on_cancel, on_unknown, again)


def plan(*steps: Step, on_failure: tuple[Step, ...] = (), diagnose_from: int = 1) -> Plan:
    return Plan(JobKind.PROVISION, steps, on_failure, diagnose_from, hint="look on web1")


def done(facts: Mapping[int, Mapping[str, str]]) -> dict[int, Begun]:
    """What an earlier attempt finished."""
    return {number: Begun(facts=found) for number, found in facts.items()}


async def run(
    of: Plan,
    host: FakeHost,
    diary: Diary | None = None,
    *,
    secrets: Mapping[str, str] | None = None,
    past: Past | None = None,
    stop: Stop | None = None,
    fence: Fence | None = None,
    retry: RetryPolicy = QUICK,
    waiting: WaitingPolicy | None = None,
    stopping: Callable[[], bool] = lambda: False,
    **more: Any,
) -> Outcome:
    async def read_host_key() -> HostKey:
        return HostKey(line="ssh-ed25519 AAAA", fingerprint="SHA256:abc")

    return await engine.run(
        of,
        name="job",
        host=host,
        read_host_key=read_host_key,
        journal=diary or Diary(),
        secrets=secrets or {},
        past=past,
        stop=stop,
        fence=fence,
        retry=retry,
        waiting=waiting,
        stopping=stopping,
        **more,
    )


def probe(*, tries: int = 3, contains: str | None = None, alive: Command | None = ALIVE) -> Probe:
    return Probe(20000, "/up", (200, 204), tries, 0.001, 1, contains, alive, FAILURE)
