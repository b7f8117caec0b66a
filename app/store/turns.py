"""Statements about whose turn it is: the lock on an instance, its order, a host's capacity."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.job import Ending, JobKind, purpose
from app.models import Job
from app.store import jobs
from app.store.database import driver
from app.store.locks import MANUAL, Manual, manual_of

#: Any number does, as long as every worker uses the same.
_LIMIT_LOCK = 7_305_012

# Everywhere in this order: instance, host, job, locks; another one deadlocks. A part is read by
# the next one's condition, so it is carried out first. Whoever claims the same instance or host
# waits here, and then looks (_LOOK, a statement of its own) at what the other one committed.
# A lock that has no row yet is new with its instance or host, whose row is locked here.
_LOCK = """
    WITH instance AS MATERIALIZED (
        SELECT id FROM instances WHERE id = $2 FOR NO KEY UPDATE
    ), host AS MATERIALIZED (
        SELECT id FROM hosts WHERE id = $3 AND (SELECT count(*) FROM instance) >= 0
        FOR NO KEY UPDATE
    ), job AS MATERIALIZED (
        SELECT id FROM jobs WHERE id = $1 AND (SELECT count(*) FROM host) >= 0
        FOR NO KEY UPDATE
    )
    SELECT name FROM locks
    WHERE name = ANY($4::text[]) AND (SELECT count(*) FROM job) >= 0
    ORDER BY name FOR NO KEY UPDATE
"""

_HOLDER = """
    SELECT jsonb_build_object(
        'kind', 'lock', 'locks', jsonb_build_array(name), 'job', jobs.id, 'job_kind', jobs.kind,
        'actor', jobs.actor, 'worker', jobs.worker, 'attempt', jobs.attempt,
        'since', locks.acquired_at, 'params', jobs.params)
    FROM locks JOIN jobs ON jobs.id = locks.holder_job AND jobs.attempt = locks.holder_attempt
    WHERE name = ANY($2::text[]) AND jobs.id <> $1 AND jobs.lease_until IS NOT NULL
    ORDER BY name LIMIT 1
"""

# A job that has begun keeps its instance until it ends, also while it waits: it may have left
# things half done. Among the others the order of requests decides.
_OLDER = """
    SELECT id FROM jobs AS older
    WHERE status IN ('queued', 'blocked', 'canceling') AND lease_until IS NULL
      AND id <> job.id AND NOT dry_run AND instance_id = job.instance_id
      AND (started_at IS NOT NULL
           OR (coalesce(not_before, '-infinity') <= clock_timestamp()
               AND (priority, sequence) < (job.priority, job.sequence)))
    ORDER BY started_at IS NULL, priority, sequence LIMIT 1
"""

# What takes a unit of capacity, wherever it stands.
_COUNTED = "NOT dry_run AND kind <> 'enroll'"

_BUSY = f"""
    SELECT count(*) FROM jobs
    WHERE host_id = host.id AND status IN ('running', 'canceling') AND lease_until IS NOT NULL
      AND {_COUNTED}
"""  # noqa: S608 (only the text above)

# Instances of the host with a job that could run now and was asked for earlier. An instance that
# a job works on, or has begun with, is no rival: its others wait for that one.
_AHEAD = f"""
    SELECT count(*) FROM (
        SELECT DISTINCT instance_id FROM jobs AS ahead
        WHERE host_id = host.id AND status IN ('queued', 'blocked') AND {_COUNTED}
          AND id <> job.id AND coalesce(not_before, '-infinity') <= clock_timestamp()
          AND (priority, sequence) < (job.priority, job.sequence)
          AND NOT EXISTS (
              SELECT 1 FROM jobs AS begun
              WHERE begun.instance_id = ahead.instance_id AND begun.id <> ahead.id
                AND begun.status IN ('queued', 'blocked', 'running', 'canceling')
                AND begun.started_at IS NOT NULL AND NOT begun.dry_run)
        LIMIT host.capacity
    ) AS instances
"""  # noqa: S608 (only the text above)

# What has begun goes on under a manual lock; and what only has to end, or is tried, may as well.
_MANUAL = f"""
    CASE WHEN job.started_at IS NULL AND job.ending IS NULL AND NOT job.dry_run
    THEN {MANUAL.format(names="$4::text[]")} END
"""

_LOOK = f"""
    SELECT {_MANUAL} AS manual, job.ending, job.suspended, host.capacity,
           ({_HOLDER}) AS holder, ({_OLDER}) AS older,
           CASE WHEN $3 THEN ({_BUSY}) END AS busy, CASE WHEN $3 THEN ({_AHEAD}) END AS ahead,
           instance.prepared_at IS NOT NULL AS prepared, instance.participants_created,
           EXISTS (SELECT 1 FROM app_servers
                   WHERE instance_id = job.instance_id AND status = 'running') AS others_running
    FROM jobs AS job JOIN hosts AS host ON host.id = job.host_id
         LEFT JOIN instances AS instance ON instance.id = job.instance_id
    WHERE job.id = $1
"""  # noqa: S608 (only the texts above)

_LOCK_LIMIT = "SELECT pg_advisory_xact_lock($1)"

_RUNNING = f"""
    SELECT count(*) FILTER (WHERE lease_until IS NOT NULL) AS running,
           count(*) FILTER (WHERE lease_until IS NULL AND status = 'blocked' AND id <> $1
                              AND (priority, sequence) < ($2, $3)) AS ahead
    FROM jobs
    WHERE (status IN ('running', 'canceling')
           OR (status = 'blocked' AND blocked_by @> '[{{"kind": "limit"}}]')) AND {_COUNTED}
"""  # noqa: S608 (only the texts above)


@dataclass(frozen=True)
class Turn:
    """What stands in the way of a job, and what else is true of it, read under its locks."""

    ending: Ending | None
    suspended: Mapping[str, Any] | None
    #: A lock placed by hand that keeps it from beginning.
    manual: Manual | None
    #: The running job that has one of its locks, as people read it.
    holder: Mapping[str, Any] | None
    #: A job of the same instance that goes first.
    older: UUID | None
    capacity: int
    #: Units of the host's capacity in use; none when the job takes none.
    busy: int
    #: Jobs that wait for the same host and go first, at most as many as it has units.
    ahead: int
    #: What the first attempt freezes; None without an instance.
    facts: Mapping[str, Any] | None


async def lock(session: AsyncSession, job: Job, *, lock_names: Sequence[str]) -> None:
    """Keep others from claiming anything that the job needs, until the transaction ends."""
    names = sorted(lock_names)
    await driver(session).fetch(_LOCK, job.id, job.instance_id, job.host_id, names)


async def look(
    session: AsyncSession,
    job: Job,
    *,
    lock_names: Sequence[str],
    manual_locks: Sequence[str],
    counted: bool,
) -> Turn | None:
    """Who is in the way. Call after `lock`; `counted` when it takes capacity. None: no such job."""
    found = await driver(session).fetchrow(
        _LOOK, job.id, sorted(lock_names), counted, list(manual_locks)
    )
    if found is None:
        return None
    facts = {
        "prepared": found["prepared"],
        "participants_created": found["participants_created"] or [],
        "others_running": found["others_running"],
    }
    return Turn(
        ending=jobs.ending_of(found["ending"]),
        suspended=found["suspended"],
        manual=manual_of(found["manual"]),
        holder=_as_read(found["holder"]),
        older=found["older"],
        capacity=found["capacity"],
        busy=found["busy"] or 0,
        ahead=found["ahead"] or 0,
        facts=None if job.instance_id is None else facts,
    )


def _as_read(holder: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """With what it is for, in the words of its request."""
    if holder is None:
        return None
    params = holder["params"]
    named = {word: params.get(word) for word in ("instance", "host", "revision")}
    why = purpose(JobKind(holder["job_kind"]), **named, names=params.get("names", ()))
    return {name: value for name, value in holder.items() if name != "params"} | {"why": why}


async def is_full(session: AsyncSession, job: Job, *, most: int) -> bool:
    """Whether as many jobs run or go first, everywhere together.

    Until the transaction ends, nobody else is told that there is room.
    """
    await driver(session).execute(_LOCK_LIMIT, _LIMIT_LOCK)
    found = await driver(session).fetchrow(_RUNNING, job.id, job.priority, job.sequence)
    running: int = found["running"]
    ahead: int = found["ahead"]
    return running + ahead >= most
