"""What earlier attempts of a job told of its steps: how far their output was heard, what failed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from app.domain.event import EventType
from app.models import Job
from app.store import traces
from app.store.database import Database


@dataclass(frozen=True)
class Traces:
    """By number of the step, and whether it was its undo: characters of its output in events."""

    heard: Mapping[tuple[int, bool], int] = field(default_factory=dict)
    #: Characters kept in all.
    kept: int = 0
    #: The error of each step that failed.
    errors: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)


async def follow(db: Database, job: Job) -> Traces:
    """Read them, so that what a host says again is not told again."""
    async with db.transaction() as session:
        rows = await traces.list_of_job(session, job.id)
    heard: dict[tuple[int, bool], int] = {}
    errors: dict[int, Mapping[str, Any]] = {}
    kept = 0
    for row in rows:
        if row.anew:
            heard.pop((row.number, row.undo), None)
        if row.type == EventType.STEP_OUTPUT:
            source, size = (row.number, row.undo), row.size or 0
            # The previous release told its output without `end`: then what is told is all we know.
            heard[source] = heard.get(source, 0) + size if row.upto is None else row.upto
            kept += size
        if row.type == EventType.STEP_FAILED:
            errors[row.number] = row.error
    return Traces(heard, kept, errors)
