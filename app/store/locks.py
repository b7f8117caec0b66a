"""Statements about locks as people see them: who has which, and what was placed by hand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.lock import LockName, Noun
from app.store import hosts, instances, rows
from app.store.database import driver

# Names as people know them: with the name of the instance or host, as long as there is one. Held
# is what a person left a message on, and what a job took last and has not ended since.
_NAMED = """
    SELECT locks.name, locks.token, locks.message, locks.actor, locks.acquired_at,
           holder.id AS job_id, target.id AS target,
           coalesce(left(locks.name, -36) || coalesce(instances.name, hosts.name), locks.name)
               COLLATE "C" AS shown
    FROM locks
    CROSS JOIN LATERAL (
        SELECT CAST(
            substring(locks.name FROM '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$') AS uuid
        ) AS id
    ) AS target
    LEFT JOIN instances ON instances.id = target.id
    LEFT JOIN hosts ON hosts.id = target.id
    LEFT JOIN jobs AS holder
           ON locks.message IS NULL AND holder.id = locks.holder_job
          AND holder.attempt = locks.holder_attempt
          AND holder.status IN ('queued', 'blocked', 'running', 'canceling')
    WHERE (locks.message IS NOT NULL OR holder.id IS NOT NULL)
"""

# What a step said last: its newest pieces, among the newest events, so that a long job costs no
# more than a short one.
_SAID = """
    SELECT right(string_agg(text, '' ORDER BY seq), 4096) AS text FROM (
        SELECT seq, data ->> 'text' AS text FROM (
            SELECT seq, type, data FROM events WHERE job_id = job.id ORDER BY seq DESC LIMIT 200
        ) AS newest
        WHERE type = 'step.output' ORDER BY seq DESC LIMIT 3
    ) AS pieces
"""

_DETAILS = f"""
    SELECT lock.*, job.kind, job.actor AS asked_by, job.status, job.attempt, job.worker,
           job.started_at, clock_timestamp() AS now, job.lease_until,
           coalesce(job.lease_until > clock_timestamp(), false) AS alive,
           job.suspended, job.ending, job.instance_id, job.host_id,
           job.params ->> 'revision' AS revision, job.params -> 'names' AS names,
           coalesce(instances.name, job.params ->> 'instance') AS instance,
           coalesce(hosts.name, job.params ->> 'host') AS host,
           step.title AS step, step.started_at AS step_since, said.text AS said
    FROM lock
    LEFT JOIN jobs AS job ON job.id = lock.job_id
    LEFT JOIN instances ON instances.id = job.instance_id
    LEFT JOIN hosts ON hosts.id = job.host_id
    LEFT JOIN LATERAL (
        SELECT title, started_at FROM steps WHERE job_id = job.id ORDER BY number DESC LIMIT 1
    ) AS step ON true
    LEFT JOIN LATERAL ({_SAID}) AS said ON true
    ORDER BY shown
"""  # noqa: S608 (only the text above)

_PAGE = f"""
    WITH lock AS (
        SELECT * FROM ({_NAMED}) AS named WHERE shown > $1 ORDER BY shown LIMIT $2
    )
    {_DETAILS}
"""  # noqa: S608 (only the texts above)

_ONE = f"WITH lock AS ({_NAMED} AND locks.name = $1) {_DETAILS}"

#: The first manual lock among some names, as a value of a larger statement.
MANUAL = """(
    SELECT jsonb_build_object('name', name, 'token', token, 'message', message, 'actor', actor,
                              'since', acquired_at)
    FROM locks WHERE name = ANY({names}) AND message IS NOT NULL ORDER BY name LIMIT 1
)"""
_FIND_MANUAL = f"SELECT {MANUAL.format(names='$1::text[]')}"

_PLACE = """
    INSERT INTO locks (name, token, message, actor, acquired_at)
    VALUES ($1, 1, $2, $3, clock_timestamp())
    ON CONFLICT (name) DO UPDATE
    SET token = locks.token + 1, message = excluded.message, actor = excluded.actor,
        acquired_at = excluded.acquired_at
    WHERE locks.message IS NULL
    RETURNING token
"""

_LIFT = """
    UPDATE locks SET message = NULL, actor = NULL
    WHERE name = $1 AND token = $2 AND message IS NOT NULL
    RETURNING name
"""


@dataclass(frozen=True)
class Manual:
    """A lock that a person placed."""

    #: As in its row: with an id.
    name: str
    token: int
    message: str
    actor: str
    since: datetime


async def list_held(
    session: AsyncSession, *, after: str | None, limit: int
) -> Sequence[Mapping[str, Any]]:
    """Held locks by the name shown, each with its holder, the holder's step and what it said."""
    found: Sequence[Mapping[str, Any]] = await driver(session).fetch(_PAGE, after or "", limit)
    return found


async def find_held(session: AsyncSession, name: str) -> Mapping[str, Any] | None:
    """The same for one of them, by its row's name; None when nobody holds it."""
    found: Mapping[str, Any] | None = await driver(session).fetchrow(_ONE, name)
    return found


async def row_name(session: AsyncSession, name: LockName) -> str:
    """What its row is called; raises NotFound. An id needs no instance or host any more."""
    found = rows.parse_id(name.ref) if name.ref is not None else None
    if name.ref is not None and found is None:
        aggregate = instances if name.noun is Noun.INSTANCE else hosts
        found = (await aggregate.get(session, name.ref)).id
    return str(LockName(name.noun, str(found) if found else None, manual=name.manual))


async def find_manual(session: AsyncSession, names: Sequence[str]) -> Manual | None:
    """The first manual lock among them that is held."""
    return manual_of(await driver(session).fetchval(_FIND_MANUAL, list(names)))


def manual_of(found: Mapping[str, Any] | None) -> Manual | None:
    """What `MANUAL` found."""
    return Manual(**{**found, "since": datetime.fromisoformat(found["since"])}) if found else None


async def place(session: AsyncSession, name: str, *, message: str, actor: str) -> bool:
    """Hold it by hand; false when somebody does already."""
    placed = await driver(session).fetchval(_PLACE, name, message, actor)
    return placed is not None


async def lift(session: AsyncSession, name: str, *, token: int) -> bool:
    """Let it go; false when that token does not hold it."""
    return await driver(session).fetchval(_LIFT, name, token) is not None
