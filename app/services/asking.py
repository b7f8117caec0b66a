"""What the requests of all kinds have in common: names become locked rows that can be used."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.host import CLOSED, MADE
from app.domain.job import JobKind
from app.domain.lock import manual_locks
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.models import Host, Instance, Job
from app.services.jobs import JobView
from app.store.locks import Manual


@dataclass(frozen=True)
class Asked:
    """What the caller gets, and the jobs that were made."""

    view: JobView
    new: tuple[Job, ...]


@dataclass(frozen=True)
class Prepared:
    """A request that can be fulfilled; nothing is written, and all its rows are locked."""

    #: In no table yet.
    job: Job
    #: Of the instance and the host.
    names: Mapping[str, str]
    #: A lock that somebody placed by hand there.
    manual: Manual | None
    #: Writes it all.
    add: Callable[[], Awaitable[Asked]]
    #: What the site would see as its environment.
    settings: Mapping[str, str] | None = None


async def named_instance(session: AsyncSession, ref: str | None, *, verb: str) -> Instance:
    """Locked; raises Invalid."""
    if not ref:
        raise invalid("/instance", f"Name the instance to {verb}.")
    try:
        return await store.orders.lock_instance(session, ref)
    except NotFound as error:
        raise invalid("/instance", error.detail, "List them: liftlock instances list") from error


async def named_host(session: AsyncSession, ref: str | UUID | None) -> Host:
    """Locked, after the instance; raises Invalid."""
    if not ref:
        raise invalid("/host", "Name the host.")
    try:
        return await store.orders.lock_host(session, ref)
    except NotFound as error:
        raise invalid("/host", error.detail, "List them: liftlock hosts list") from error


async def enrolled_hosts(session: AsyncSession, ids: Sequence[UUID]) -> list[Host]:
    """Locked, after the instance; each once, in the order of `ids`. Raises Conflict."""
    found = {host.id: host for host in await store.orders.lock_hosts(session, set(ids))}
    wanted = [found[key] for key in dict.fromkeys(ids) if key in found]
    for host in wanted:
        check_enrolled(host)
    return wanted


def check_enrolled(host: Host) -> None:
    """Raises Conflict for a host that nobody can reach before somebody enrolls it."""
    if host.host_key is None and host.status not in MADE:
        raise Conflict(
            f"Host {host.name} is not enrolled: its key is not pinned.",
            code="host-key-missing",
            hint=f"Enroll it: liftlock hosts enroll {host.name}",
        )


def check_open(host: Host) -> None:
    """Raises Conflict for a host that takes no new app server."""
    check_enrolled(host)
    if host.status in CLOSED:
        why = f" {host.status_reason['detail']}" if host.status_reason else ""
        raise Conflict(
            f"Host {host.name} is {host.status} and takes no new work.{why}",
            code="host-closed",
            hint="Leave the host out: another machine is made for each app server."
            if host.status in MADE
            else f"Open it again: liftlock hosts set {host.name} --status ready",
        )


async def manual_on(
    session: AsyncSession, kind: JobKind, instance: Instance, hosts: Iterable[Host]
) -> Manual | None:
    """A lock placed by hand on anything that a job of this kind works on."""
    names = {
        name
        for host in hosts
        for name in manual_locks(kind, instance_id=instance.id, host_id=host.id)
    }
    return await store.locks.find_manual(session, sorted(names))


def asked(job: Job, *others: Job, names: Mapping[str, str], **seen: Any) -> Asked:
    """Of jobs that were added in this moment: nothing of them has to be read."""
    view = JobView(job, names.get("instance"), names["host"], **seen)
    return Asked(view, (job, *others))


def names_at(
    names: Mapping[str, str], hosts: Iterable[Host], found: Manual | None
) -> Mapping[str, str]:
    """The names with that of the very host that was locked by hand."""
    locked = {host.name for host in hosts if found and found.name.endswith(f":{host.id}")}
    return {**names, "host": locked.pop()} if locked else names


def invalid(pointer: str, detail: str, hint: str | None = None) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail),), hint=hint)
