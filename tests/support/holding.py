"""Jobs that hold locks, taken and left as workers do it."""

from datetime import UTC, datetime, timedelta

from app import services
from app.domain.job import lock_names
from app.store.database import driver

#: What a suspended job waits for.
WAITS = {"kind": "time", "step": "wait", "since": "now", "until": "later", "reason": "it is told"}


async def claim(db, job, *, worker="web-3:7"):
    """The next attempt at the job, with its real locks."""
    work = await services.work.look(db, job.id)
    names = lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)
    return await services.claiming.claim(
        db, work, attempt=work.job.attempt + 1, worker=worker, lock_names=names
    )


async def begin_step(db, claim, *said, number=1, title="Look"):
    """In a step that has printed some pieces."""
    await services.execution.start_step(db, claim.job, number=number, name="look", title=title)
    for text in said:
        await say(db, claim, text, number=number)


async def say(db, claim, text, *, number=1):
    data = {"number": number, "step": "look", "text": text}
    await services.execution.record(db, claim.job, ("step.output", data))


async def suspend(db, claim):
    until = datetime.now(UTC) + timedelta(hours=1)
    await services.claiming.suspend(db, claim.job, until=until, suspended=WAITS)


async def expire_leases(db):
    """As if every worker had been silent for longer than its lease."""
    await execute(
        db, "UPDATE jobs SET lease_until = now() - interval '1 s' WHERE worker IS NOT NULL"
    )


async def execute(db, statement):
    async with db.statement() as session:
        await driver(session).execute(statement)
