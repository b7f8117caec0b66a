"""Looks at extensions where they serve: what is not as it is known becomes a job that sees to it.

The look itself is no job, leaves no row behind and takes no lock; what it finds decides only
whether an inspection is asked for, which looks again under the instance's lock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from app import store
from app.gateways.queue import JobQueue
from app.models import Instance
from app.services import extension_sightings, inspecting, present_extensions, waking, work
from app.services.extension_sightings import Seen
from app.services.job_request import Terms
from app.services.work import Work
from app.store.database import Database

ACTOR = "liftlock:extensions"


@dataclass(frozen=True)
class Look:
    """An instance whose turn it is."""

    instance: Instance
    #: Of an inspection that is in no table.
    work: Work


async def begin(db: Database, every: timedelta) -> Look | None:
    """One with extensions that nobody has looked at for so long; None when there is none.

    Nobody else gets it. One that a job or a lock by hand is about is left alone.
    """
    while True:
        # By itself: one of which nothing can be told does not keep the others from their turn.
        async with db.transaction() as session:
            instance_id = await store.extension_looks.take(session, every)
        if instance_id is None:
            return None
        async with db.transaction() as session:
            instance = await store.instances.get(session, str(instance_id))
            serving, _ = await present_extensions.serving(session, instance)
            if serving:
                job = inspecting.new_job(instance, serving, Terms(ACTOR))
                job.facts = dict(inspecting.frozen(job.kind, instance, serving))
                return Look(instance, await work.in_no_table(session, job, instance))


async def end(db: Database, queue: JobQueue, look: Look, seen: Sequence[Seen]) -> UUID | None:
    """Ask for an inspection when something is not as it is known; that job.

    What a job is about by now is left alone, and so is what other app servers serve by now.
    """
    async with db.transaction() as session:
        instance = await store.orders.lock_instance(session, look.instance.id)
        found = await extension_sightings.changes(session, instance, seen)
        if not any(one.is_news for one in found):
            return None
        serving, _ = await present_extensions.serving(session, instance)
        is_same = {row.id for row in serving} == {one.app_server.id for one in look.work.before}
        if not is_same or not await store.extension_looks.is_quiet(session, instance.id):
            return None
        job = await inspecting.make(session, instance, serving, Terms(ACTOR))
        waking.push(session, queue, job)
        return job.id
