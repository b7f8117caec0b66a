"""Statements about who waits for an instance, or for a host's key, and in which place."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import JobKind
from app.store.database import driver

# The order in which those that wait would have their turn at an instance, or at a host's key.
# Who waits for anything else than the others (a time, a probe, an answer) is in no line.
_LINE = """
    SELECT * FROM (
        SELECT id, kind, actor, instance_id, host_id, greatest(created_at, not_before) AS since,
               row_number() OVER (
                   PARTITION BY CASE kind WHEN 'enroll' THEN host_id ELSE instance_id END
                   ORDER BY started_at IS NULL, priority, sequence
               ) AS position
        FROM jobs
        WHERE status IN ('queued', 'blocked', 'canceling') AND lease_until IS NULL
          AND suspended IS NULL AND NOT dry_run
          AND coalesce(not_before, '-infinity') <= clock_timestamp()
          AND ((kind <> 'enroll' AND instance_id = ANY($1::uuid[]))
               OR (kind = 'enroll' AND host_id = ANY($2::uuid[])))
    ) AS line
    WHERE position <= $3 OR id = ANY($4::uuid[])
    ORDER BY position
"""


@dataclass(frozen=True)
class InLine:
    """A job that waits for its turn."""

    job: UUID
    kind: JobKind
    actor: str | None
    #: The instance that it waits for; the host, when it is to be enrolled.
    target: UUID
    since: datetime
    #: From 1.
    position: int


async def find(
    session: AsyncSession,
    *,
    instances: Collection[UUID],
    hosts: Collection[UUID],
    most: int = 0,
    jobs: Collection[UUID] = (),
) -> list[InLine]:
    """The first `most` that wait for each of them, and besides them these `jobs`; in order."""
    found = await driver(session).fetch(_LINE, list(instances), list(hosts), most, list(jobs))
    return [
        InLine(
            job=row["id"],
            kind=JobKind(row["kind"]),
            actor=row["actor"],
            target=row["host_id"] if row["kind"] == JobKind.ENROLL else row["instance_id"],
            since=row["since"],
            position=row["position"],
        )
        for row in found
    ]
