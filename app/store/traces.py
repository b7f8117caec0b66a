"""Statements about what earlier attempts told of their steps, for the attempt that goes on."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlmodel.ext.asyncio.session import AsyncSession

# Everything but the text of the output, which may be megabytes.
_TRACES = text("""
    SELECT type, CAST(data ->> 'number' AS int) AS number,
           coalesce(CAST(data ->> 'undo' AS boolean), false) AS undo,
           coalesce(CAST(data ->> 'fresh' AS boolean), CAST(data ->> 'anew' AS boolean), false)
               AS anew,
           CAST(data ->> 'end' AS bigint) AS upto, length(data ->> 'text') AS size,
           data -> 'error' AS error
    FROM events
    WHERE job_id = :job_id
      AND type IN ('step.output', 'step.started', 'step.retrying', 'step.failed')
    ORDER BY seq
""")


async def list_of_job(session: AsyncSession, job_id: UUID) -> Sequence[Any]:
    """Type, number, undo, anew, upto, size and error of what was told of the steps, in order."""
    return (await (await session.connection()).execute(_TRACES, {"job_id": job_id})).all()
