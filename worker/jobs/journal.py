"""The journal of one attempt: what the engine tells, redacted and written under the fence."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any, TypedDict

from app import services
from app.domain.event import EventType
from app.domain.job import StepStatus
from app.domain.problem import docs_url
from app.domain.redaction import Redactor
from app.domain.spellings import without_controls, without_nul
from app.models import Job
from app.services.traces import Traces
from app.store.database import Database
from worker.engine import StepFailed, Stop
from worker.jobs.lease import Lease
from worker.jobs.notes import carry_out
from worker.jobs.step_output import JOB_LIMIT, Allowance, StepOutput
from worker.steps.step import Note, Step


class _About(TypedDict):
    number: int
    name: str
    title: str
    anew: bool


class Journal:
    """Every write may raise LostOwnership or LeaseLost, which end the attempt."""

    def __init__(
        self,
        db: Database,
        job: Job,
        redactor: Redactor,
        *,
        lease: Lease,
        stop: Stop | None = None,
        traces: Traces | None = None,
        begun: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`traces` are those of earlier attempts; `begun` hears the title of each step."""
        traces = traces or Traces()
        self._db, self._job, self._redactor, self._lease = db, job, redactor, lease
        self._stop, self._begun = stop or Stop(), begun
        self._heard = dict(traces.heard)
        self._allowance = Allowance(max(0, JOB_LIMIT - traces.kept))
        self._output: StepOutput | None = None
        self._source: tuple[int, bool] | None = None

    async def step_started(self, number: int, step: Step, *, anew: bool = False) -> None:
        await self._end_output()
        if anew:
            self._heard.pop((number, False), None)
        execution = services.execution
        about: _About = {"number": number, "name": step.name, "title": step.title, "anew": anew}
        await self._once(
            lambda: execution.start_step(self._db, self._job, **about),
            execution.step_started(**about),
        )
        self._begun(step.title)

    async def step_skipped(self, number: int, step: Step) -> None:
        await self._end_output()
        skipped = services.execution.step_skipped(
            number=number, name=step.name, title=step.title, because=step.unless
        )
        skip = services.execution.skip_step
        await self._once(lambda: skip(self._db, self._job, skipped), skipped)

    async def output(self, number: int, step: Step, text: str, *, undo: bool = False) -> None:
        source = number, undo
        if self._output is None or self._source != source:
            await self._end_output()
            about: dict[str, Any] = {"number": number, "step": step.name}
            self._source, self._output = (
                source,
                StepOutput(
                    {**about, "undo": True} if undo else about,
                    self._redactor,
                    self._record,
                    allowance=self._allowance,
                    heard=self._heard.get(source, 0),
                ),
            )
        await self._output.feed(without_nul(text))

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
        clean = self._clean(facts)
        data = {"number": number, "step": step.name, "exit_code": exit_code, "facts": clean}
        told = {**data, "note": note} if note else data
        event = EventType.STEP_SUCCEEDED, told
        await self._finish(
            StepStatus.SUCCEEDED, event, exit_code=exit_code, duration=duration, facts=clean
        )

    async def step_failed(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None:
        lost = error.code == "connection-lost"
        event = EventType.STEP_FAILED, self._failure(number, step, error)
        status = StepStatus.UNKNOWN if lost else StepStatus.FAILED
        await self._finish(status, event, exit_code=error.exit_code, duration=duration)

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
        await self._end_output(again=not fresh)
        if fresh:
            self._heard.pop((number, undo), None)
        data: dict[str, Any] = {"number": number, "step": step.name, "try": tries, "of": of}
        data |= {"wait_s": round(wait, 1), "fresh": fresh, "undo": undo}
        data["error"] = error_of(error, self._redactor) if error else None
        event = EventType.STEP_RETRYING, data
        if undo:
            await self._record(event)
            return
        db, job, retry = self._db, self._job, services.execution.retry_step
        await self._once(lambda: retry(db, job, number=number, tries=tries, event=event), event)

    async def step_canceled(self, number: int, step: Step, *, duration: float) -> None:
        event = EventType.STEP_CANCELED, {"number": number, "step": step.name}
        await self._finish(StepStatus.CANCELED, event, duration=duration)

    async def step_unknown(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None:
        event = EventType.STEP_UNKNOWN, self._failure(number, step, error)
        await self._finish(StepStatus.UNKNOWN, event, duration=duration)

    async def step_undone(
        self, number: int, step: Step, *, error: StepFailed | None, duration: float
    ) -> None:
        await self._end_output()
        kind = EventType.STEP_UNDO_FAILED if error else EventType.STEP_UNDONE
        data: dict[str, Any] = {"number": number, "step": step.name}
        data["duration_ms"] = _milliseconds(duration)
        if error is not None:
            data["error"] = error_of(error, self._redactor)
        await self._record((kind, data))

    async def stopping(
        self, number: int | None, step: Step | None, *, now: bool, undo: int
    ) -> None:
        ending = self._stop.ending
        data = {
            "why": ending.why if ending else None,
            "number": number,
            "step": step.name if step else None,
            "stops": "now" if now else "after the step",
            "then": f"undo of {undo} step{'s' * (undo != 1)}" if undo else "nothing to undo",
        }
        await self._record((EventType.JOB_CANCELING, data))

    async def note(self, note: Note, facts: Mapping[str, str]) -> None:
        """Carry out a note of the plan: something that is true in Postgres from now on."""
        db, job, redactor = self._db, self._job, self._redactor
        await self._lease.insist(lambda: carry_out(db, job, note, facts, redactor=redactor))

    async def close(self) -> None:
        """Write nothing more; what is unwritten will come again, if it matters."""
        if self._output is not None:
            await self._output.drop()

    def _failure(self, number: int, step: Step, error: StepFailed) -> dict[str, Any]:
        data = {"number": number, "step": step.name, "exit_code": error.exit_code}
        return {**data, "error": error_of(error, self._redactor)}

    async def _finish(
        self,
        status: StepStatus,
        event: tuple[EventType, dict[str, Any]],
        *,
        exit_code: int | None = None,
        duration: float,
        facts: Mapping[str, str] | None = None,
    ) -> None:
        await self._end_output()
        (kind, data), took = event, _milliseconds(duration)
        timed = kind, {**data, "duration_ms": took}
        await self._once(
            lambda: services.execution.finish_step(
                self._db,
                self._job,
                number=data["number"],
                status=status,
                exit_code=exit_code,
                duration_ms=took,
                facts=facts or {},
                event=timed,
            ),
            timed,
        )

    async def _end_output(self, *, again: bool = False) -> None:
        """`again`: the same output will come once more, from its beginning."""
        output, source, self._output = self._output, self._source, None
        if output is None or source is None:
            return
        await output.finish(again=again)
        self._heard[source] = output.end

    async def _record(self, *events: tuple[EventType, Mapping[str, Any]]) -> None:
        db, job, record = self._db, self._job, services.execution.record
        await self._once(lambda: record(db, job, *events), events[-1])

    async def _once(
        self, write: Callable[[], Awaitable[None]], last: tuple[EventType, Mapping[str, Any]]
    ) -> None:
        """Insist on a write that ends with this event, and make it a single time."""
        made = services.execution.is_told
        await self._lease.insist_once(write, made=lambda: made(self._db, self._job, last))

    def _clean(self, facts: Mapping[str, str]) -> dict[str, str]:
        return {name: self._redactor.clean(without_nul(value)) for name, value in facts.items()}


#: Of an error, told only where there is something to tell.
_OPTIONAL = {"cause", "host"}


def error_of(failed: StepFailed, redactor: Redactor) -> dict[str, Any]:
    """A step's failure in the form of a job's `error`; what people read in it is cleaned."""
    said = {"title": failed.title, "detail": failed.detail, "hint": failed.hint}
    clean = {name: redactor.clean(without_controls(text)) for name, text in said.items()}
    found = {**asdict(failed), **clean, "docs": docs_url(failed.code)}
    return {name: value for name, value in found.items() if name not in _OPTIONAL or value}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
