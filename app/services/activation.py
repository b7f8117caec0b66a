"""Notes of jobs about what serves: the route, who is in service, who is gone. All fenced.

Each locks the instance before the job, as a claim does, and changes nothing when it is repeated.
They are taken while a job undoes itself, too: the way back is noted as the way there was.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.job import LeasePolicy
from app.domain.machine import MachineStatus
from app.errors import LostOwnership
from app.models import Job
from app.services import present_extensions
from app.services.moving import move
from app.store.database import Database
from app.store.routes import Wanted


async def want_route(db: Database, job: Job, version: int) -> None:
    """Note that the router is about to be told this version; raises LostOwnership."""
    async with _held(db, job) as (session, instance_id, _):
        await store.routes.want(session, instance_id, version)


async def activate(
    db: Database,
    job: Job,
    *,
    on: Sequence[UUID],
    off: Sequence[UUID],
    route_version: int,
    read_back: bool = True,
) -> None:
    """Note who is in service now, and that the router knows of it; raises LostOwnership.

    Without `read_back` it is the way back, and nobody asked the router: it counts as behind until
    a job has seen it.
    """
    async with _held(db, job) as (session, instance_id, route):
        gone = await store.routes.deactivate(session, instance_id, off)
        new = await store.routes.activate(session, instance_id, on, anew=read_back)
        await present_extensions.know_again(session, job, on)
        stated = _statement(job)
        told: list[store.events.NewEvent] = [
            (
                EventType.APP_SERVER_DEACTIVATED,
                {"id": str(row["id"]), "name": row["name"], **stated},
            )
            for row in gone
        ]
        for row in new:
            data = {"id": str(row["id"]), "name": row["name"], "route_version": route_version}
            deployment = row["deployment_id"] and str(row["deployment_id"])
            told.append((EventType.APP_SERVER_ACTIVATED, {**data, "deployment": deployment}))
        if read_back:
            told += await _apply(session, instance_id, route, route_version)
        else:
            await store.routes.want(session, instance_id, route_version)
        if told:
            await store.events.append(session, job.id, *told, attempt=job.attempt)


async def apply_route(db: Database, job: Job, route_version: int) -> None:
    """Note that the router was read back to have this version; raises LostOwnership."""
    async with _held(db, job) as (session, instance_id, route):
        if job.params.get("forget"):
            return  # another router than the instance's, which has no part in it any more
        told = await _apply(session, instance_id, route, route_version)
        if told:
            await store.events.append(session, job.id, *told, attempt=job.attempt)


async def forget_route(db: Database, job: Job) -> None:
    """Note that the router of before knows nothing of the instance; raises LostOwnership."""
    async with _held(db, job) as (session, instance_id, _):
        if router_id := job.params.get("router"):
            await store.dirty_routes.forget(session, UUID(router_id), instance_id)


async def terminated(db: Database, job: Job, app_server_id: UUID) -> None:
    """Note that its process is stopped and its files are removed; raises LostOwnership.

    One that failed keeps its state: what became of it stays readable. One that somebody states to
    be gone takes its machine along, unless another one is on it.
    """
    async with _held(db, job) as (session, _, _):
        [app_server] = await store.app_servers.list_by_ids(session, [app_server_id])
        if app_server.cleaned_at is not None:
            return
        stated = _statement(job)
        if app_server.status is AppServerStatus.RUNNING:
            wanted = AppServerStatus.TERMINATED
            await move(session, job, app_server, wanted, attempt=job.attempt, told=stated)
        else:
            hosts = await store.hosts.names(session, {app_server.host_id})
            data = {"id": str(app_server.id), "name": app_server.name, **stated}
            event = EventType.APP_SERVER_CLEANED, {**data, "host": hosts[app_server.host_id]}
            await store.events.append(session, job.id, event, attempt=job.attempt)
        await store.standing.mark_cleaned(session, app_server.id)
        machine = await store.machines.of_host(session, app_server.host_id) if stated else None
        if machine is not None:
            on_it = await store.machines.list_on(session, app_server.host_id, without=app_server)
            # What is stated of one app server tells nothing of another that may run there.
            if not on_it.mates and not on_it.strangers and not on_it.unsure:
                await store.machines.forget_data(session, machine)
                await store.machines.change(session, machine, MachineStatus.TERMINATED)


def _statement(job: Job) -> dict[str, Any]:
    """Who states that it is gone, and how they know; empty when the host was asked."""
    gone, reason = job.params.get("gone"), job.params.get("reason")
    return {"gone": True, "by": job.actor, "reason": reason} if gone else {}


@asynccontextmanager
async def _held(db: Database, job: Job) -> AsyncIterator[tuple[AsyncSession, UUID, Wanted]]:
    """A transaction in which the instance is locked and the job is this attempt's."""
    async with db.transaction() as session:
        route = await store.routes.lock(session, job.instance_id) if job.instance_id else None
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        if route is None or job.instance_id is None:
            raise LostOwnership
        yield session, job.instance_id, route


async def _apply(
    session: AsyncSession, instance_id: UUID, route: Wanted, version: int
) -> list[store.events.NewEvent]:
    """The event that tells of it; none when there is no router, or it was known."""
    if route.router_id is None or route.applied >= version:
        return []
    await store.routes.apply(session, instance_id, version)
    names = await store.routers.names(session, {route.router_id})
    active = await store.app_servers.list_active(session, instance_id)
    data = {
        "router": names.get(route.router_id),
        "route_version": version,
        "upstreams": [f"{row.address}:{row.port}" for row in active],
    }
    return [(EventType.ROUTE_APPLIED, data)]
