"""Routers that are behind what is wanted of them are told, by one job for many wishes."""

from dataclasses import replace
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.router import NO_PAUSE, Pause
from app.errors import NotFound
from app.gateways.queue import JobQueue
from app.models import Instance, Job
from app.services import routing, waking
from app.services.job_request import Terms
from app.store.database import Database
from app.store.dirty_routes import Which

ACTOR = "liftlock:routes"
#: Instances at a time; the next sweep finds the rest.
_MOST = 100
#: By hand all of them are told: as many as a router may have.
_ALL = 10_000


async def sweep(db: Database, queue: JobQueue) -> int:
    """Ask for a job for each instance whose router is behind, or has to forget it; how many.

    While another job has the instance, or is about to tell the router something, nothing is asked
    for: it may bring the router up to date by itself, and wishes that come meanwhile are fulfilled
    together. What is planned for later is not waited for. After jobs that failed it is left alone
    for a while that grows; so is what somebody has locked by hand. Safe to run in many workers at
    once.
    """
    which, terms = Which(Pause(), _MOST), Terms(ACTOR)
    async with db.statement() as session:
        dirty = await store.dirty_routes.list_dirty(session, which)
        left = await store.dirty_routes.list_left(session, which)
    made = 0
    for instance_id in dict.fromkeys([*dirty, *(instance_id for instance_id, _ in left)]):
        async with db.transaction() as session:
            made += len(await _tell(session, queue, instance_id, which, terms))
    return made


async def sync(db: Database, queue: JobQueue, ref: str, terms: Terms) -> list[UUID]:
    """Have a router read back next, and whatever it is behind with told at once; those jobs.

    The pause after failures begins anew with them. Raises NotFound.
    """
    async with db.transaction() as session:
        router = await store.routers.get(session, ref)
        # The router first, as whoever changes it locks them.
        await store.looks.hasten(session, router.id)
        which = Which(NO_PAUSE, _ALL, router_id=router.id)
        dirty = await store.dirty_routes.list_dirty(session, which)
        left = await store.dirty_routes.list_left(session, which)
        jobs: list[UUID] = []
        # In one order, whoever locks several of them.
        for instance_id in sorted({*dirty, *(instance_id for instance_id, _ in left)}):
            jobs += await _tell(session, queue, instance_id, which, terms)
        return jobs


async def _tell(
    session: AsyncSession, queue: JobQueue, instance_id: UUID, which: Which, terms: Terms
) -> list[UUID]:
    """Jobs for one instance, locked; looked at again, since somebody may have come first."""
    try:
        instance = await store.orders.lock_instance(session, instance_id)
    except NotFound:
        return []
    which = replace(which, instance_id=instance_id)
    jobs = []
    if await store.dirty_routes.list_dirty(session, which) and instance.router_id:
        jobs.append(await _make(session, instance, instance.router_id, terms, forget=False))
    for _, router_id in await store.dirty_routes.list_left(session, which):
        jobs.append(await _make(session, instance, router_id, terms, forget=True))
    for job in jobs:
        waking.push(session, queue, job)
    return [job.id for job in jobs]


async def _make(
    session: AsyncSession, instance: Instance, router_id: UUID, terms: Terms, *, forget: bool
) -> Job:
    router = await store.routers.get(session, router_id)
    return await routing.make(session, instance=instance, router=router, terms=terms, forget=forget)
