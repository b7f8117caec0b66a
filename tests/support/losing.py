"""A job that its worker has, and every way to lose it while the worker knows nothing of that."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.job import Ending, EndingWhy, JobStatus, WaitPolicy
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import Job
from app.services.work import Work
from app.store.database import Database, driver
from tests.support import factories

LATER = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Lost:
    """Attempt 1 of a job as its worker knows it; somebody else may have got hold of the job."""

    db: Database
    queue: JobQueue
    work: Work
    job: Job


async def hold(db: Database, queue: JobQueue, vault: Vault) -> Lost:
    """A provision that attempt 1 has claimed and begun; whatever its end is, a job may follow."""
    await factories.add_site(db)
    view = await factories.request(db, queue, vault, activate=True)
    work = await services.work.look(db, view.job.id)
    claim = await services.claiming.claim(
        db,
        work,
        attempt=1,
        worker="old",
        lock_names=[f"instance:{work.job.instance_id}"],
        plan=[{"name": "look"}],
    )
    job = claim.job
    await services.execution.start_step(db, job, number=1, name="look", title="Look")
    await services.execution.move_app_server(db, job, AppServerStatus.WAITING)
    await services.execution.move_app_server(db, job, AppServerStatus.CONFIGURING)
    return Lost(db, queue, claim.work, job)


async def _take_back(held: Lost) -> None:
    async with held.db.statement() as session:
        await driver(session).execute("UPDATE jobs SET lease_until = now() - interval '1 s'")
    assert await services.recovery.recover(held.db, policy=WaitPolicy()) == [held.job.id]


async def supersede(held: Lost) -> Job:
    """The row has the same lease as before, and another number."""
    await _take_back(held)
    work = await services.work.look(held.db, held.job.id)
    names = [f"instance:{held.job.instance_id}"]
    claim = await services.claiming.claim(held.db, work, attempt=2, worker="new", lock_names=names)
    return claim.job


async def supersede_and_end(held: Lost) -> None:
    job = await supersede(held)
    await services.ending.settle(held.db, job, status=JobStatus.SUCCEEDED)


async def _end(held: Lost) -> None:
    await services.ending.settle(held.db, held.job, status=JobStatus.SUCCEEDED)


async def _hand_over_when_canceled(held: Lost) -> None:
    """Its row says `canceling`, as that of one that somebody has may do."""
    order = Ending(EndingWhy.CANCELED, at=LATER.isoformat())
    async with held.db.transaction() as session:
        job = await store.jobs.lock(session, held.job.id)
        await store.jobs.order_end(session, job, order)
    await services.claiming.hand_over(held.db, held.job)


async def _suspend(held: Lost) -> None:
    await services.claiming.suspend(
        held.db, held.job, until=LATER, suspended={"kind": "time", "step": "look"}
    )


async def _break(held: Lost) -> None:
    name = f"instance:{held.job.instance_id}"
    await services.breaking.break_lock(
        held.db, held.queue, name, token=1, reason="it hangs", actor="tests", force=True
    )


#: How an attempt may have lost its job.
WAYS: dict[str, Callable[[Lost], Awaitable[Any]]] = {
    "superseded": supersede,
    "taken back, its number still the newest": _take_back,
    "canceled and handed over": _hand_over_when_canceled,
    "suspended": _suspend,
    "its lock broken by a person": _break,
    "ended by itself": _end,
    "ended by its successor": supersede_and_end,
}


async def everything(db: Database) -> dict[str, list[str]]:
    """Every row of every table."""
    async with db.statement() as session:
        names = await driver(session).fetch(
            "SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relispartition"
            " AND relnamespace = 'public'::regnamespace"
        )
        found: dict[str, list[str]] = {}
        for (name,) in names:
            rows = await driver(session).fetch(f'SELECT to_jsonb(t) AS row FROM "{name}" AS t')
            found[name] = sorted(json.dumps(row["row"], sort_keys=True) for row in rows)
        return found
