"""Taking a lock away: from the job that has it, or as one that was placed by hand."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import structlog
from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.lock import LIFTED, broken_advice, lift, stop
from app.domain.problem import error_of
from app.errors import HolderAlive, Stale
from app.gateways.queue import JobQueue
from app.services import holders, waking
from app.services.ending import end_abandoned
from app.services.holders import Holder
from app.store.database import Database, announce

log = structlog.get_logger()


@dataclass(frozen=True)
class Broken:
    """A lock that was taken away; `job` is None for one that was placed by hand."""

    name: str
    token: int
    job: UUID | None
    was_alive: bool
    #: What comes next, with the command.
    advice: str


@dataclass(frozen=True)
class _Order:
    """Who wants it broken, and how."""

    token: int
    reason: str
    actor: str
    force: bool


async def break_lock(
    db: Database,
    queue: JobQueue,
    name: str,
    *,
    token: int,
    reason: str,
    actor: str,
    force: bool = False,
) -> Broken:
    """End the job that holds it, as failed, or lift a manual lock.

    Raises NotFound when nobody holds it, Stale when the token is not the present one, and
    HolderAlive when a worker is busy with the job, unless `force`.
    """
    order = _Order(token, reason, actor, force)
    async with db.transaction() as session:
        key, seen = await holders.find(session, name)
        if seen["job_id"] is None:
            return await _lift(session, key, seen, order)
        job = await store.jobs.get(session, seen["job_id"])
        await store.turns.lock(session, job, lock_names=[key])
        # Whatever came before is committed now, and nothing comes in between.
        row = await holders.held(session, key, seen["shown"])
        if row["token"] != token or row["job_id"] != job.id:
            raise _stale(row)
        if row["alive"] and not force:
            raise _alive(row, token)
        return await _break(session, queue, row, order)


async def _lift(session: AsyncSession, key: str, seen: Mapping[str, Any], order: _Order) -> Broken:
    if not await store.locks.lift(session, key, token=order.token):
        raise _stale(await holders.held(session, key, seen["shown"]))
    # There is no job whose events could tell it.
    log.info("lock.lifted", name=key, token=order.token, by=order.actor, reason=order.reason)
    return Broken(seen["shown"], order.token, None, was_alive=False, advice=LIFTED)


async def _break(
    session: AsyncSession, queue: JobQueue, row: Mapping[str, Any], order: _Order
) -> Broken:
    job = await store.jobs.lock(session, row["job_id"])
    name, alive = row["shown"], row["alive"]
    told = {
        "name": name,
        "token": order.token,
        "by": order.actor,
        "reason": order.reason,
        "forced": order.force,
        "was_alive": alive,
    }
    advice = broken_advice(job.id, host=row["host"], instance=row["instance"])
    detail = f"{order.actor} broke the lock {name}: {order.reason}"
    await end_abandoned(
        session,
        job,
        error=error_of("lock-broken", detail, hint=advice),
        first=(EventType.LOCK_BROKEN, told),
    )
    # Its worker renews at once, and is refused.
    announce(session, f"ending:{job.id}")
    await waking.wake_rivals(session, queue, job)
    return Broken(name, order.token, job.id, was_alive=alive, advice=advice)


def _stale(row: Mapping[str, Any]) -> Stale:
    by = f"job {row['job_id']}" if row["job_id"] else row["actor"]
    return Stale(
        f"{row['shown']} is held with token {row['token']} now, by {by}: somebody took it since you"
        " looked. Nothing was broken.",
        hint=f"Look again: liftlock locks show {row['shown']}",
    )


def _alive(row: Mapping[str, Any], token: int) -> HolderAlive:
    holder, name = holders.holder_of(row), row["shown"]
    return HolderAlive(
        f"Worker {holder.worker} is busy with job {holder.job} ({holder.why}, asked for by"
        f" {holder.actor}). {_heard(holder, row)}",
        hint=f"Follow it: liftlock jobs logs -f {holder.job}."
        f" {stop(holder.job, store.jobs.ending_of(row['ending'])).rstrip('.')}."
        f" Or, knowing that nothing is undone: {lift(name, token=token)} --force",
        job=holder.job,
        holder={
            "worker": holder.worker,
            "heard_at": holder.heard_at,
            "step": holder.step,
            "last_line": holder.last_line,
        },
    )


def _heard(holder: Holder, row: Mapping[str, Any]) -> str:
    """How alive it is, in sentences."""
    parts = []
    if holder.heard_at is not None:
        ago = max(0, round((row["now"] - holder.heard_at).total_seconds()))
        parts.append(f"It was heard {ago} s ago.")
    if holder.step is not None and holder.step_since is not None:
        parts.append(f"Step “{holder.step}” began at {holder.step_since:%H:%M:%S} UTC.")
    if holder.last_line is not None:
        parts.append(f"It said last: {holder.last_line}")
    return " ".join(parts)
