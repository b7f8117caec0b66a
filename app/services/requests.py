"""Asking for a job: what was asked is checked, kept with its first event, and a worker woken."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.event import EventType
from app.domain.host import CLOSED
from app.domain.job import JobKind, OnConflict
from app.domain.lock import manual_locks
from app.domain.recipe import InvalidSettings, Recipe
from app.errors import Conflict, FieldError, Invalid, NotFound
from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.models import AppServer, Host, Instance, Job
from app.services import conflicts, jobs, manual, secrets, waking
from app.services.jobs import JobView
from app.services.schedule import begin_of, end_of
from app.services.work import new_app_server, recipe_of
from app.store.database import Database
from app.store.locks import Manual


@dataclass(frozen=True)
class JobRequest:
    """What a caller wants done. `instance` and `host` are names or ids."""

    kind: JobKind
    instance: str | None = None
    host: str | None = None
    revision: str | None = None
    dry_run: bool = False
    priority: int = 0
    not_before: datetime | None = None
    deadline: datetime | None = None
    on_conflict: OnConflict = OnConflict.QUEUE
    retry_of: UUID | None = None


@dataclass(frozen=True)
class _Target:
    """Where the work is done; the rows are locked, so that whoever else asks waits."""

    host: Host
    instance: Instance | None = None
    #: What the site will see as its environment.
    settings: Mapping[str, str] | None = None
    #: Ports of the host that are not free.
    taken_ports: Collection[int] = ()
    #: A lock that somebody placed by hand there.
    manual: Manual | None = None

    @property
    def names(self) -> dict[str, str]:
        named = {"instance": self.instance.name} if self.instance else {}
        return {**named, "host": self.host.name}


async def request(
    db: Database,
    queue: JobQueue,
    vault: Vault,
    *,
    request: JobRequest,
    actor: str,
    request_id: str,
) -> tuple[JobView, bool]:
    """Commit the job with its first event, then wake a worker.

    The flag is false for a job that waited already (`on_conflict=return`). Raises Invalid with a
    pointer for what the body names wrongly, and Conflict for a host that takes no work, a lock
    that somebody placed by hand, or a job that is in the way; nothing is written then.
    """
    async with db.transaction() as session:
        not_before = begin_of(request.not_before)
        job = store.jobs.new(
            kind=request.kind,
            params=_params(request),
            dry_run=request.dry_run,
            priority=request.priority,
            not_before=not_before,
            # The push comes after the commit; if it fails, the dispatcher finds it by this.
            dispatched_at=None if not_before else datetime.now(UTC),
            deadline=end_of(request.deadline, not_before=not_before),
            retry_of=request.retry_of,
            actor=actor,
            request_id=request_id,
        )
        target = await _target(session, vault, job, request)
        if target.manual is not None and not job.dry_run:
            raise manual.refusal(target.manual, target.names)
        found = await conflicts.resolve(session, job, request.on_conflict, settings=target.settings)
        if found is not None:
            return await jobs.view(session, found), False
        app_server = await _add(session, job, target)
        if not_before is None:
            waking.push(session, queue, job)
        named = target.names
        return JobView(job, named.get("instance"), named["host"], app_server, step=None), True


def _params(request: JobRequest) -> dict[str, Any]:
    named = {"instance": request.instance, "host": request.host, "revision": request.revision}
    return {name: value for name, value in named.items() if value is not None}


async def _target(session: AsyncSession, vault: Vault, job: Job, request: JobRequest) -> _Target:
    """Lock what the job is about, check that it can be done, and note it in the job."""
    if request.kind is JobKind.ENROLL:
        host = await _named_host(session, request.host, pointer="/host")
        job.host_id = host.id
        locks = manual_locks(job.kind, instance_id=None, host_id=host.id)
        return _Target(host, manual=await store.locks.find_manual(session, locks))
    instance = await _named_instance(session, request.instance)
    host = await _placement(session, instance, request.host)
    await _check_data_is_there(session, instance, host)
    locks = manual_locks(job.kind, instance_id=instance.id, host_id=host.id)
    ground = await store.orders.read_ground(session, instance, host, manual_locks=locks)
    recipe = recipe_of(ground.recipe)
    settings = _environment(instance, recipe)
    await secrets.require(session, vault, instance, recipe, present=ground.secret_names)
    job.instance_id, job.host_id, job.recipe_id = instance.id, host.id, instance.recipe_id
    job.params = {**job.params, "revision": request.revision or instance.revision}
    return _Target(host, instance, settings, ground.taken_ports, ground.manual)


async def _add(session: AsyncSession, job: Job, target: _Target) -> AppServer | None:
    """Insert the job, what it makes, and the events that tell of both."""
    told = {"kind": job.kind, "actor": job.actor, **target.names}
    queued = (EventType.JOB_QUEUED, told)
    if target.instance is None or job.dry_run:
        await store.jobs.add(session, job, queued)
        return None
    port = _free_port(target.host, target.taken_ports)
    made = new_app_server(
        job,
        target.instance,
        target.host,
        number=target.instance.next_number,
        port=port,
        environment=dict(target.settings or {}),
    )
    created = {"id": str(made.id), "name": made.name, "port": port}
    await store.jobs.add(session, job, queued, (EventType.APP_SERVER_CREATED, created))
    await store.app_servers.add(session, made, next_port=_behind(target.host, port))
    return made


def _free_port(host: Host, taken: Collection[int]) -> int:
    """The next free port of the host's range; they go round, so none is tried again at once."""
    port = max(host.next_port, host.port_first)
    for _ in range(host.port_first, host.port_last + 1):
        port = port if port <= host.port_last else host.port_first
        if port not in taken:
            return port
        port += 1
    raise Conflict(
        f"Host {host.name} has no free port in {host.port_first}-{host.port_last}.",
        hint="Give it a larger range: liftlock hosts set NAME --ports FIRST-LAST",
    )


def _behind(host: Host, port: int) -> int:
    return port + 1 if port < host.port_last else host.port_first


async def _check_data_is_there(session: AsyncSession, instance: Instance, host: Host) -> None:
    """`prepare` and the participants ran on one host: elsewhere the site would find no data."""
    if instance.prepared_host_id in {None, host.id}:
        return
    there = await store.hosts.get(session, instance.prepared_host_id)
    raise Conflict(
        f"The data of instance {instance.name} was prepared on host {there.name}; {host.name} has"
        " none.",
        hint=f"Provision it with --host {there.name}, or make a second instance for {host.name}.",
    )


def _environment(instance: Instance, recipe: Recipe) -> dict[str, str]:
    """The settings as the site will see them; they were checked when they were set."""
    try:
        return recipe.resolve_settings(instance.settings)
    except InvalidSettings as error:
        fields = tuple(FieldError(f"/instance{e.pointer}", e.message) for e in error.errors)
        raise Invalid(
            f"The settings of instance {instance.name} do not fit recipe {recipe.name}.",
            errors=fields,
            code="invalid-settings",
            hint=f"Mend them: liftlock instances set {instance.name} --set NAME=VALUE",
        ) from error


async def _named_instance(session: AsyncSession, ref: str | None) -> Instance:
    if not ref:
        raise _invalid("/instance", "Name the instance to provision.")
    try:
        return await store.orders.lock_instance(session, ref)
    except NotFound as error:
        raise _invalid("/instance", error.detail, "List them: liftlock instances list") from error


async def _placement(session: AsyncSession, instance: Instance, ref: str | None) -> Host:
    """The host asked for, or the instance's own; it must be enrolled and open."""
    wanted = ref or instance.host_id
    if wanted is None:
        raise _invalid("/host", f"Instance {instance.name} has no host of its own: name one.")
    host = await _named_host(session, wanted, pointer="/host")
    if host.host_key is None:
        raise Conflict(
            f"Host {host.name} is not enrolled: its key is not pinned.",
            code="host-key-missing",
            hint=f"Enroll it: liftlock hosts enroll {host.name}",
        )
    if host.status in CLOSED:
        raise Conflict(
            f"Host {host.name} is {host.status} and takes no new work.",
            code="host-closed",
            hint=f"Open it again: liftlock hosts set {host.name} --status ready",
        )
    return host


async def _named_host(session: AsyncSession, ref: str | UUID | None, *, pointer: str) -> Host:
    if not ref:
        raise _invalid(pointer, "Name the host.")
    try:
        return await store.orders.lock_host(session, ref)
    except NotFound as error:
        raise _invalid(pointer, error.detail, "List them: liftlock hosts list") from error


def _invalid(pointer: str, detail: str, hint: str | None = None) -> Invalid:
    return Invalid(detail, errors=(FieldError(pointer, detail),), hint=hint)
