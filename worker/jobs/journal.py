"""The journal of one attempt: what the engine tells, redacted and written under the fence."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import Any

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import StepStatus
from app.domain.problem import docs_url
from app.domain.redaction import RedactingStream, Redactor
from app.models import Job
from app.store.database import Database
from worker.engine import StepFailed
from worker.steps.step import Note, Step

#: Output is written when this much has gathered, or after this many seconds.
FLUSH_BYTES = 16 * 1024
FLUSH_AFTER = 0.1
#: Characters of output kept for one step; the host's own log has more.
STEP_LIMIT = 1024 * 1024


class Journal:
    """Every write may raise LostOwnership, which ends the attempt."""

    def __init__(self, db: Database, job: Job, redactor: Redactor) -> None:
        self._db, self._job, self._redactor = db, job, redactor
        self._output: _StepOutput | None = None

    async def step_started(self, number: int, step: Step) -> None:
        self._output = _StepOutput(number, step.name, self._redactor, self._write)
        await services.execution.start_step(
            self._db, self._job, number=number, name=step.name, title=step.title
        )

    async def output(self, number: int, step: Step, text: str) -> None:
        if self._output is None or self._output.number != number:
            self._output = _StepOutput(number, step.name, self._redactor, self._write)
        await self._output.feed(text)

    async def step_succeeded(
        self,
        number: int,
        step: Step,
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
    ) -> None:
        clean = self._clean(dict(facts))
        data = {"number": number, "step": step.name, "exit_code": exit_code, "facts": clean}
        await self._finish(
            number,
            StepStatus.SUCCEEDED,
            (EventType.STEP_SUCCEEDED, data),
            exit_code=exit_code,
            duration=duration,
            facts=clean,
        )

    async def step_failed(
        self, number: int, step: Step, *, error: StepFailed, duration: float
    ) -> None:
        data = {"number": number, "step": step.name, "exit_code": error.exit_code}
        data["error"] = self._clean(error_of(error))
        status = StepStatus.UNKNOWN if error.code == "connection-lost" else StepStatus.FAILED
        await self._finish(
            number,
            status,
            (EventType.STEP_FAILED, data),
            exit_code=error.exit_code,
            duration=duration,
            facts={},
        )

    async def step_undone(
        self, number: int, step: Step, *, error: StepFailed | None, duration: float
    ) -> None:
        await self._end_output()
        data = {"number": number, "step": step.name, "duration_ms": _milliseconds(duration)}
        if error is None:
            await self._write(EventType.STEP_UNDONE, data)
        else:
            data["error"] = self._clean(error_of(error))
            await self._write(EventType.STEP_UNDO_FAILED, data)

    async def note(self, note: Note, facts: Mapping[str, str]) -> None:
        """Carry out a note of the plan: something that is true in Postgres from now on."""
        execution, db, job = services.execution, self._db, self._job
        match note.what:
            case "app-server.status":
                await execution.move_app_server(db, job, AppServerStatus(str(note.data["status"])))
            case "app-server.commit":
                await execution.set_commit(db, job, facts["commit"])
            case "instance.prepared":
                await execution.mark_prepared(db, job)
            case "participant.created":
                await execution.mark_prepared(db, job, participant=str(note.data["name"]))
            case "host.key":
                await execution.keep_host_key(
                    db, job, host_key=facts["host_key"], fingerprint=facts["fingerprint"]
                )
            case _:
                raise ValueError(f"No journal entry is called {note.what!r}.")

    async def _finish(
        self,
        number: int,
        status: StepStatus,
        event: tuple[EventType, dict[str, Any]],
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
    ) -> None:
        await self._end_output()
        kind, data = event
        await services.execution.finish_step(
            self._db,
            self._job,
            number=number,
            status=status,
            exit_code=exit_code,
            duration_ms=_milliseconds(duration),
            facts=facts,
            event=(kind, {**data, "duration_ms": _milliseconds(duration)}),
        )

    async def _end_output(self) -> None:
        if self._output is not None:
            await self._output.end()
            self._output = None

    async def _write(self, event: EventType, data: Mapping[str, Any]) -> None:
        await services.execution.record(self._db, self._job, (event, data))

    def _clean(self, value: Any) -> Any:
        return self._redactor.clean_json(value)


class _StepOutput:
    """Output of one step on its way into events: redacted, gathered, limited."""

    def __init__(
        self,
        number: int,
        step: str,
        redactor: Redactor,
        write: Callable[[EventType, Mapping[str, Any]], Awaitable[None]],
    ) -> None:
        self.number, self._step, self._write = number, step, write
        self._stream = RedactingStream(redactor)
        self._gathered: list[str] = []
        self._size = self._kept = 0
        self._timer: asyncio.Task[None] | None = None

    async def feed(self, text: str) -> None:
        self._gather(self._stream.feed(text))
        if self._size >= FLUSH_BYTES:
            await self._flush()
        elif self._timer is None or self._timer.done():
            self._raise_what_the_timer_met()
            self._timer = asyncio.create_task(self._flush_soon())

    async def end(self) -> None:
        """Write the rest."""
        if self._timer is not None:
            self._timer.cancel()
            await asyncio.wait({self._timer})
            self._raise_what_the_timer_met()
        self._gather(self._stream.flush())
        await self._flush()

    def _gather(self, text: str) -> None:
        room = STEP_LIMIT - self._kept
        if room < 0 or not text:
            return
        kept = text if len(text) <= room else text[:room] + "\n[truncated: too much output]\n"
        self._kept += len(text)
        self._size += len(kept)
        self._gathered.append(kept)

    async def _flush_soon(self) -> None:
        await asyncio.sleep(FLUSH_AFTER)
        await self._flush()

    async def _flush(self) -> None:
        text, self._gathered, self._size = "".join(self._gathered), [], 0
        if text:
            data = {"number": self.number, "step": self._step, "text": text}
            await asyncio.shield(self._write(EventType.STEP_OUTPUT, data))

    def _raise_what_the_timer_met(self) -> None:
        if self._timer is not None and self._timer.done() and not self._timer.cancelled():
            self._timer.result()


def error_of(failed: StepFailed) -> dict[str, Any]:
    """A step's failure in the form of a job's `error`."""
    values = asdict(failed)
    return {**values, "docs": docs_url(failed.code)}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
