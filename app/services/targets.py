"""Requests about app servers that exist: which are meant, and where they are."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.errors import NotFound
from app.models import AppServer, Host, Instance, Job
from app.services import asking, making
from app.services.asking import Asked, Prepared
from app.services.job_request import Terms

#: Seconds in which requests under way may finish at an app server that is taken out of service.
DRAIN = 30


async def named(session: AsyncSession, refs: Mapping[str, str]) -> tuple[Instance, list[AppServer]]:
    """Those that the body names, by pointer, and their instance, locked; raises Invalid."""
    found: dict[UUID, str] = {}
    for pointer, ref in refs.items():
        row = await _find(session, pointer, ref)
        if row.id in found:
            other = found[row.id] or "the address"
            raise asking.invalid(pointer, f"{row.name} is named twice: {other} is it too.")
        found[row.id] = pointer
    rows = await store.app_servers.list_by_ids(session, list(found))
    instance = await store.orders.lock_instance(session, rows[0].instance_id)
    for row in rows:
        if row.instance_id != instance.id:
            detail = f"{refs[found[row.id]]} is of another instance than {refs[found[rows[0].id]]}."
            raise asking.invalid(found[row.id], detail)
    # Whoever changes them has the instance locked; what was read before may be over.
    return instance, await store.app_servers.list_by_ids(session, list(found))


async def hosts_of(
    session: AsyncSession, instance: Instance, app_servers: Sequence[AppServer], *, routed: bool
) -> list[Host]:
    """Where they are, and with `routed` where the router is; locked. Raises Conflict."""
    ids = [row.host_id for row in app_servers]
    if routed and instance.router_id is not None:
        ids.append((await store.routers.get(session, instance.router_id)).host_id)
    return await asking.enrolled_hosts(session, ids)


def new_job(
    kind: JobKind,
    terms: Terms,
    instance: Instance,
    app_servers: Sequence[AppServer],
    params: Mapping[str, Any],
) -> Job:
    """In no table yet; its place is that of the first app server."""
    names = [row.name for row in app_servers]
    return making.new_job(
        kind,
        terms,
        instance_id=instance.id,
        host_id=app_servers[0].host_id,
        recipe_id=app_servers[0].recipe_id,
        params={"instance": instance.name, **params, "names": names},
    )


async def prepared(
    session: AsyncSession,
    job: Job,
    instance: Instance,
    hosts: Sequence[Host],
    app_servers: Sequence[AppServer] = (),
) -> Prepared:
    """`hosts` are all that the job works on, its own first."""
    names = {"instance": instance.name, "host": hosts[0].name}

    async def add() -> Asked:
        await making.add_job(session, job, names)
        seen = tuple((row.id, row.name) for row in app_servers)
        return asking.asked(job, names=names, app_servers=seen)

    found = await asking.manual_on(session, job.kind, instance, hosts)
    return Prepared(job, asking.names_at(names, hosts, found), found, add)


async def _find(session: AsyncSession, pointer: str, ref: str) -> AppServer:
    try:
        return await store.app_servers.get(session, ref)
    except NotFound as error:
        raise asking.invalid(pointer, error.detail, error.hint) from error
