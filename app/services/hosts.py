"""Hosts: registered, changed, removed; their keys pinned by a person."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import host_key
from app.domain.host import FOUND, HostStatus
from app.domain.host_spec import HostSpec
from app.domain.job import JobKind
from app.errors import Conflict, FieldError, InUse, Invalid, NotFound
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import Host
from app.services import requests, specs, versions
from app.services.jobs import JobView
from app.services.requests import JobRequest
from app.services.versions import Expected
from app.store.database import Database

#: Hosts on the way to a host; more is a mistake.
_MOST_JUMPS = 4


@dataclass(frozen=True)
class HostView:
    """A host with the name of the host it is reached through."""

    host: Host
    jump_host: str | None
    #: The fingerprint of the key that confirming a new one has just replaced.
    replaced_fingerprint: str | None = None


async def create(db: Database, spec: HostSpec) -> HostView:
    """Register a host; raises Invalid with pointers, and AlreadyExists."""
    async with db.transaction() as session:
        host = Host(name=spec.name, address=spec.address, username=spec.user)
        _check_status(spec, host)
        await _apply(session, host, spec)
        return HostView(await store.hosts.add(session, host), spec.jump_host)


async def get(db: Database, ref: str) -> HostView:
    async with db.transaction() as session:
        return (await _views(session, [await store.hosts.get(session, ref)]))[0]


async def list_page(
    db: Database, *, after: UUID | None, limit: int, pool: str | None = None
) -> list[HostView]:
    async with db.transaction() as session:
        found = await store.hosts.list_page(session, after=after, limit=limit, pool=pool)
        return await _views(session, found)


async def change(
    db: Database, ref: str, patch: Mapping[str, Any], *, expected: Expected
) -> HostView:
    """Apply a JSON Merge Patch; raises Stale, Invalid with pointers, AlreadyExists."""
    async with db.transaction() as session:
        host = await store.hosts.lock(session, ref)
        versions.require(host, expected)
        view = (await _views(session, [host]))[0]
        spec = specs.patched(_spec(view), patch)
        _check_status(spec, host)
        await _apply(session, host, spec)
        if "status" in patch:
            host.status_reason = None
            await store.hosts.forget_ends(session, host)
        await store.hosts.touch(session, host)
        return HostView(host, spec.jump_host)


async def delete(db: Database, ref: str, *, expected: Expected) -> None:
    """Forget a host; raises Stale, and InUse while anything is on it."""
    async with db.transaction() as session:
        host = await store.hosts.lock(session, ref)
        versions.require(host, expected)
        dependents = await store.hosts.dependents(session, host.id)
        if dependents:
            raise InUse(
                f"Host {host.name} is still needed: {', '.join(dependents)}.",
                hint=await _way_out(session, host),
            )
        await store.hosts.delete(session, host)


async def _way_out(session: AsyncSession, host: Host) -> str:
    """What to do about a host that something still needs.

    App servers are kept as history, ended ones too, until their instance is deleted.
    """
    instances = await store.hosts.instances_with_history(session, host.id)
    if not instances:
        return "Move or delete those first: liftlock instances list"
    return (
        f"App servers, ended ones too, go with their instance ({', '.join(instances)}); delete it"
        f" first: liftlock instances delete {instances[0]}"
    )


async def read_key(
    db: Database, queue: JobQueue, vault: Vault, ref: str, *, actor: str, request_id: str
) -> JobView:
    """Request the job that reads the host's key; raises NotFound."""
    host = (await get(db, ref)).host
    request = JobRequest(kind=JobKind.ENROLL, host=str(host.id))
    view, _ = await requests.request(
        db, queue, vault, request=request, actor=actor, request_id=request_id
    )
    return view


async def confirm_key(db: Database, ref: str, fingerprint: str) -> HostView:
    """Pin the key that the last enrolment read, when it has that fingerprint.

    Raises Conflict when nothing waits for confirmation or another key was read. Confirming the
    pinned key again changes nothing.
    """
    async with db.transaction() as session:
        host = await store.hosts.lock(session, ref)
        pinned = host_key.fingerprint(host.host_key) if host.host_key else None
        if host.pending_host_key is None:
            if pinned != fingerprint:
                raise _nothing_pending(host, pinned)
            return (await _views(session, [host]))[0]
        if host.pending_fingerprint != fingerprint:
            raise Conflict(
                f"Host {host.name} showed a key with fingerprint {host.pending_fingerprint};"
                f" the request confirms {fingerprint}. Nothing was pinned.",
                hint="Compare with the machine itself: ssh-keygen -lf"
                " /etc/ssh/ssh_host_ed25519_key.pub",
            )
        host.host_key, host.pending_host_key = host.pending_host_key, None
        host.pending_fingerprint = None
        await store.hosts.touch(session, host)
        view = (await _views(session, [host]))[0]
        return HostView(host, view.jump_host, pinned if pinned != fingerprint else None)


def _nothing_pending(host: Host, pinned: str | None) -> Conflict:
    pinned_as = f" It is pinned as {pinned}." if pinned else ""
    return Conflict(
        f"No key of host {host.name} waits for confirmation.{pinned_as}",
        hint=f"Read it first: liftlock hosts enroll {host.name}",
    )


def _check_status(spec: HostSpec, host: Host) -> None:
    if spec.status is host.status:
        return
    if spec.status in FOUND:
        raise _invalid("status", f"only a job finds out that a host is {spec.status}")
    if host.status in {HostStatus.MAKING, HostStatus.GONE}:
        raise _invalid("status", f"the host is {host.status}: it has no machine to work on")


async def _apply(session: AsyncSession, host: Host, spec: HostSpec) -> None:
    """Write the description into the row."""
    machine = _machine(host)
    host.jump_host_id = await _jump(session, host, spec.jump_host)
    host.username = spec.user
    plain = spec.model_dump(exclude={"user", "jump_host", "host_key"})
    for name, value in plain.items():
        setattr(host, name, value)
    if spec.host_key != host.host_key or _machine(host) != machine:
        # A key that another machine showed must not be confirmed as this one's.
        host.host_key, host.pending_host_key, host.pending_fingerprint = spec.host_key, None, None
    if not spec.port_first <= host.next_port <= spec.port_last:
        host.next_port = spec.port_first


def _machine(host: Host) -> tuple[str, int, UUID | None]:
    """What decides which machine answers."""
    return host.address, host.port, host.jump_host_id


async def _jump(session: AsyncSession, host: Host, name: str | None) -> UUID | None:
    """The id of the jump host, once it is clear that the way has an end."""
    if name is None:
        return None
    try:
        via = first = await store.hosts.hold(session, name)
    except NotFound as error:
        raise _invalid("jump_host", error.detail) from None
    for _ in range(_MOST_JUMPS):
        if via.id == host.id:
            raise _invalid("jump_host", f"the way to {host.name} would lead through itself")
        if via.jump_host_id is None:
            return first.id
        via = await store.hosts.get(session, via.jump_host_id)
    raise _invalid("jump_host", f"more than {_MOST_JUMPS} hosts lie on the way")


def _spec(view: HostView) -> HostSpec:
    host = view.host
    same = HostSpec.model_fields.keys() - {"user", "jump_host"}
    values = {name: getattr(host, name) for name in same}
    return HostSpec.model_construct(**values, user=host.username, jump_host=view.jump_host)


async def _views(session: AsyncSession, hosts: list[Host]) -> list[HostView]:
    names = await store.hosts.names(session, {h.jump_host_id for h in hosts if h.jump_host_id})
    return [HostView(h, names.get(h.jump_host_id) if h.jump_host_id else None) for h in hosts]


def _invalid(field: str, detail: str) -> Invalid:
    return Invalid(errors=(FieldError(f"/{field}", detail),))
