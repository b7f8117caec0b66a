"""What a look at a provider finds: machines that nobody asked for, and those that are not there."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.host import CLOSED, HostStatus
from app.domain.machine import MachineStatus
from app.domain.problem import error_of
from app.errors import AlreadyExists
from app.models import Host, Machine
from app.models.base import utc_now
from app.services.machines import prefix
from app.store.database import Database


@dataclass(frozen=True)
class Records:
    machines: Sequence[Machine]
    #: Those of other providers: they may list the same account.
    elsewhere: Sequence[Machine]
    #: How the tags of this installation begin.
    prefix: str
    now: datetime


async def records(db: Database, provider: str) -> Records:
    """All that is recorded of machines, those of this provider apart."""
    async with db.transaction() as session:
        found = await store.machines.list_of_provider(session, provider)
        others = await store.machines.list_elsewhere(session, provider)
        return Records(found, others, await prefix(session), utc_now())


async def report(db: Database, provider: str, tag: str, *, external_id: str, why: str) -> None:
    """Keep a machine as unknown that is there and should not be; again, it changes nothing."""
    error = error_of(
        "provider-failed",
        f"The provider {provider} lists the machine {tag}, and {why}.",
        hint=f"Remove it at the provider, or let a later look do it: docs/providers.md ({tag})",
    )
    # Another worker may be just as far.
    with suppress(AlreadyExists):
        await _report(db, provider, tag, external_id=external_id, error=error)


async def _report(
    db: Database, provider: str, tag: str, *, external_id: str, error: Mapping[str, Any]
) -> None:
    async with db.transaction() as session:
        machine = await _locked(session, tag)
        if machine is None:
            row = Machine(
                tag=tag,
                provider=provider,
                status=MachineStatus.UNKNOWN,
                external_id=external_id,
                error=dict(error),
            )
            await store.machines.add(session, row)
        elif machine.status is not MachineStatus.UNKNOWN:
            # Of one whose making had failed it was said then that there is none.
            gone = machine.terminated_at or machine.updated_at
            await store.machines.change(
                session, machine, MachineStatus.UNKNOWN, error=error, terminated_at=gone
            )


async def forget(db: Database, tag: str) -> None:
    """It is gone."""
    async with db.transaction() as session:
        machine = await _locked(session, tag)
        if machine is not None and machine.status is not MachineStatus.TERMINATED:
            await store.machines.change(session, machine, MachineStatus.TERMINATED)


async def _locked(session: AsyncSession, tag: str) -> Machine | None:
    found = await store.machines.find_tag(session, tag)
    return await store.machines.lock(session, found.id) if found else None


async def mark_vanished(db: Database, tag: str) -> None:
    """A machine that should be there is not listed: nothing new comes to its host."""
    async with _of_host(db, tag) as (session, host, machine):
        if host is None or machine is None or machine.status is not MachineStatus.READY:
            return
        error = _vanished(machine, host)
        await store.machines.change(session, machine, MachineStatus.UNKNOWN, error=error)
        if host.status not in CLOSED:
            said = {"code": error["code"], "detail": error["detail"], "job": None}
            await store.hosts.quarantine(session, host, said)


async def mark_found(db: Database, tag: str) -> None:
    """A machine that had vanished is listed again: its host is opened by that.

    One whose end was asked for since is left as it is, and so is a host that is closed for more.
    """
    async with _of_host(db, tag) as (session, host, machine):
        if host is None or machine is None or machine.status is not MachineStatus.UNKNOWN:
            return
        detail = _vanished(machine, host)["detail"]
        if (machine.error or {}).get("detail") != detail:
            return
        await store.machines.change(session, machine, MachineStatus.READY)
        why = (host.status_reason or {}).get("detail")
        if host.status is HostStatus.QUARANTINED and why == detail:
            host.status, host.status_reason = HostStatus.READY, None
            await store.hosts.touch(session, host)


def _vanished(machine: Machine, host: Host) -> Mapping[str, Any]:
    return error_of(
        "provider-failed",
        f"The provider {machine.provider} does not list the machine {machine.tag} any more.",
        hint=f"Once it is listed again, its host is opened by itself. If it is there all the same:"
        f" liftlock hosts set {host.name} --status ready. If it is not, terminate its app server.",
    )


@asynccontextmanager
async def _of_host(
    db: Database, tag: str
) -> AsyncIterator[tuple[AsyncSession, Host | None, Machine | None]]:
    """The host before its machine, as jobs lock them; None when there is no such."""
    async with db.transaction() as session:
        found = await store.machines.find_tag(session, tag)
        if found is None or found.host_id is None:
            yield session, None, None
        else:
            host = await store.hosts.lock(session, found.host_id)
            yield session, host, await store.machines.of_host(session, host.id)
