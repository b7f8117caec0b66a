"""Machines of providers: recorded before they are made, and until they are known to be gone."""

import re
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.host import CLOSED, HostStatus
from app.domain.host_spec import HostSpec
from app.domain.job import LeasePolicy
from app.domain.machine import NO_MACHINE, MachineStatus
from app.domain.machine import Machine as State
from app.errors import InUse, LostOwnership
from app.models import AppServer, Host, Instance, Job, Machine
from app.models.base import new_id
from app.store.database import Database

#: Of the names of hosts that are made: so much of the instance's, its number behind it.
_MOST_NAME = 48
#: How what stands on a machine beside app servers leaves it.
_WAYS = (
    "app servers: liftlock app-servers terminate; routers: liftlock routers set NAME --host HOST;"
    " hosts behind it: liftlock hosts set NAME --jump HOST. A router that is gone with it: liftlock"
    " instances set INSTANCE --router OTHER, then liftlock routers delete NAME --gone"
)
_PREFIX = re.compile(r"liftlock-[0-9a-f]{8}-")


@dataclass(frozen=True)
class MachineView:
    """A machine with the names behind its ids."""

    machine: Machine
    host: str | None
    instance: str | None

    @property
    def known(self) -> bool:
        """Whether it was asked for here."""
        return bool(self.machine.wanted)


async def new(
    session: AsyncSession, instance: Instance, provider: str, *, number: int
) -> tuple[Host, Machine]:
    """In no table yet. Call with the instance locked; `number` is that of the app server."""
    name = f"{instance.name[:_MOST_NAME].rstrip('-')}-{number}"
    if await store.hosts.is_taken(session, name):
        name = f"{name}-{secrets.token_hex(3)}"
    key = new_id()
    host = Host(
        name=name,
        # Nothing answers to this name: it is known once the machine is made.
        address=f"{name}.invalid",
        username="liftlock",
        status=HostStatus.MAKING,
        labels=instance.labels,
    )
    # Machines behind one address do not get the same ports.
    host.next_port = host.port_first + secrets.randbelow(host.port_last - host.port_first)
    machine = Machine(
        id=key,
        tag=f"{await prefix(session)}{key.hex}",
        provider=provider,
        host_id=host.id,
        instance_id=instance.id,
        wanted={"name": name, "labels": instance.labels},
    )
    return host, machine


async def prefix(session: AsyncSession) -> str:
    """How the tags of this installation begin: those of others are not ours."""
    if found := _PREFIX.match(await store.machines.oldest_tag(session) or ""):
        return found[0]
    # The first have nobody to follow; several at once choose the same.
    keys = await store.identities.list_all(session)
    return f"liftlock-{keys[-1].id.hex[-8:] if keys else secrets.token_hex(4)}-"


async def record(
    db: Database,
    job: Job,
    machine_id: UUID,
    state: State,
    *,
    error: Mapping[str, Any] | None = None,
) -> None:
    """Note how far the machine is, as this attempt; raises LostOwnership."""
    is_gone = state.status is MachineStatus.TERMINATED
    async with db.transaction() as session:
        if is_gone and job.instance_id:
            await store.instances.lock(session, job.instance_id)
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        machine = await store.machines.lock(session, machine_id)
        if is_gone:
            await store.machines.forget_data(session, machine)
        values = {"external_id": state.machine_id or machine.external_id}
        await store.machines.change(session, machine, state.status, error=error, **values)


async def reached(db: Database, job: Job, spec: HostSpec) -> None:
    """Note how the host that the machine became is reached; raises LostOwnership."""
    async with _held(db, job) as (session, host):
        machine = await store.machines.of_host(session, host.id)
        if machine is None:
            raise LostOwnership
        host.address, host.port, host.username = spec.address, spec.port, spec.user
        host.host_key, host.status = spec.host_key, HostStatus.READY
        host.site_address = spec.site_address
        await store.hosts.touch(session, host)
        app_server = await store.app_servers.find_of_job(session, job.id)
        if app_server is not None:
            await store.app_servers.set_address(session, app_server, spec.site_address)
        await store.machines.change(session, machine, machine.status, address=spec.address)


async def keepers(
    session: AsyncSession, host: Host, one: AppServer, *, with_data: bool = False
) -> list[str]:
    """What keeps the machine of the host when this app server goes, as words; then it stays.

    Call with the host locked; it may be one that somebody registered. Raises InUse when it is the
    last that the machine is for, and something else would go with it; or the site's only data,
    which nobody has said may go, neither now (`with_data`) nor when its end was asked for before.
    """
    machine = await store.machines.of_host(session, host.id)
    if machine is None:
        return []
    found = await store.machines.list_on(session, host.id, without=one)
    if found.mates:
        return found.mates
    # Sites of others were put there before that was refused: the machine is not theirs to take.
    if found.strangers and machine.instance_id != one.instance_id:
        return found.strangers
    if others := [*found.strangers, *found.others]:
        raise InUse(
            f"The machine of host {host.name} is not removed: with it would go"
            f" {', '.join(others)}.",
            hint=f"Remove or move that first, and repeat this then; {_WAYS}. See the host:"
            f" liftlock hosts show {host.name}",
        )
    is_there = machine.status not in NO_MACHINE
    if is_there and not with_data and await store.machines.holds_data(session, one):
        raise await _holds_data(session, host, one)
    return []


async def _holds_data(session: AsyncSession, host: Host, one: AppServer) -> InUse:
    name = (await store.instances.names(session, {one.instance_id}))[one.instance_id]
    return InUse(
        f"{one.name} is the last of instance {name} on host {host.name}: with it would go the"
        " machine, and the only data of the site.",
        code="holds-data",
        hint=f"Try again there: liftlock provision {name} --host {host.name}. If the data may go:"
        f" liftlock app-servers terminate {name}:{one.number} --with-data",
    )


async def give_up(db: Database, job: Job) -> list[str]:
    """Before the machine of the job's host is removed: nothing new comes there from now on.

    When others keep it, they are told and nothing changes. Jobs of an instance go one by one, so
    one of its app servers is the last. Raises LostOwnership, and InUse as `keepers` does.
    """
    async with _held(db, job) as (session, host):
        own = await store.app_servers.find_of_job(session, job.id)
        own = own or await store.app_servers.get(session, UUID(job.params["app_server"]))
        others = await keepers(session, host, own)
        if not others and host.status not in CLOSED:
            host.status = HostStatus.CORDONED
            await store.hosts.touch(session, host)
        return others


@asynccontextmanager
async def _held(db: Database, job: Job) -> AsyncIterator[tuple[AsyncSession, Host]]:
    """The job's host, locked before the job as a claim does it; raises LostOwnership."""
    if job.host_id is None:
        raise LostOwnership
    async with db.transaction() as session:
        host = await store.hosts.lock(session, job.host_id)
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        yield session, host


async def close(db: Database) -> None:
    """Hosts whose machines are gone, or were never made, take nothing any more."""
    async with db.transaction() as session:
        await store.machines.close(session)


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[MachineView]:
    async with db.transaction() as session:
        found = await store.machines.list_page(session, after=after, limit=limit)
        hosts = await store.hosts.names(session, {one.host_id for one in found if one.host_id})
        ids = {one.instance_id for one in found if one.instance_id}
        instances = await store.instances.names(session, ids)
    return [
        MachineView(
            machine=one,
            host=hosts.get(one.host_id) if one.host_id else None,
            instance=instances.get(one.instance_id) if one.instance_id else None,
        )
        for one in found
    ]
