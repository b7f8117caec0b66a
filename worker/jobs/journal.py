"""The journal of one attempt: what the engine tells, redacted and written under the fence."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from app import services
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import StepStatus
from app.domain.problem import docs_url
from app.domain.redaction import Redactor
from app.domain.spellings import without_controls, without_nul
from app.models import Job
from app.store.database import Database
from worker.engine import StepFailed
from worker.jobs.step_output import StepOutput
from worker.steps.step import Note, Step


class Journal:
    """Every write may raise LostOwnership, which ends the attempt."""

    def __init__(self, db: Database, job: Job, redactor: Redactor) -> None:
        self._db, self._job, self._redactor = db, job, redactor
        self._output: StepOutput | None = None

    async def step_started(self, number: int, step: Step) -> None:
        self._output = StepOutput(number, step.name, self._redactor, self._write)
        await services.execution.start_step(
            self._db, self._job, number=number, name=step.name, title=step.title
        )

    async def output(self, number: int, step: Step, text: str) -> None:
        if self._output is None or self._output.number != number:
            self._output = StepOutput(number, step.name, self._redactor, self._write)
        await self._output.feed(without_nul(text))

    async def step_succeeded(
        self,
        number: int,
        step: Step,
        *,
        exit_code: int | None,
        duration: float,
        facts: Mapping[str, str],
    ) -> None:
        clean = self._clean(facts)
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
        data["error"] = error_of(error, self._redactor)
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
            data["error"] = error_of(error, self._redactor)
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

    def _clean(self, facts: Mapping[str, str]) -> dict[str, str]:
        return {name: self._redactor.clean(without_nul(value)) for name, value in facts.items()}


def error_of(failed: StepFailed, redactor: Redactor) -> dict[str, Any]:
    """A step's failure in the form of a job's `error`; what people read in it is cleaned."""
    said = {"title": failed.title, "detail": failed.detail, "hint": failed.hint}
    clean = {name: redactor.clean(without_controls(text)) for name, text in said.items()}
    return {**asdict(failed), **clean, "docs": docs_url(failed.code)}


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
