"""Notes of jobs that change extensions: app servers made, how they are, what is installed.

All are fenced, and change nothing when they are repeated.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.extension import Extension, ExtensionStatus, load_error
from app.domain.extension_host import ExtensionHostStatus
from app.domain.job import LeasePolicy, Outcome
from app.errors import LostOwnership
from app.models import Job
from app.services import extension_facts, facts, present_extensions
from app.services.facts import ExtendFacts
from app.services.moving import move
from app.store.database import Database


async def make(db: Database, job: Job) -> None:
    """Insert the app servers that the job is to build.

    Raises LostOwnership, and AlreadyExists when somebody took a port meanwhile.
    """
    async with _held(db, job) as (session, instance_id, found):
        if await store.app_servers.list_of_job(session, job.id):
            return
        olds = await store.app_servers.list_by_ids(session, found.before)
        for made in extension_facts.app_servers_of(job, found, olds):
            made.status = AppServerStatus.CONFIGURING
            await store.app_servers.insert(session, made)
            data = {"id": str(made.id), "name": made.name, "port": made.port}
            await _tell(session, job, EventType.APP_SERVER_CREATED, data)
        after = {one.name for one in found.change.after}
        for one in extension_facts.subjects(found):
            if one.name in after:
                await present_extensions.keep(
                    session, job, instance_id, one, ExtensionStatus.INSTALLING
                )


async def move_all(db: Database, job: Job, ids: Sequence[UUID], wanted: AppServerStatus) -> None:
    """Change the state of several app servers of the job; raises LostOwnership."""
    async with _held(db, job) as (session, _, _):
        for one in await store.app_servers.list_by_ids(session, ids):
            if one.status is not wanted:
                await move(session, job, one, wanted, attempt=job.attempt)


async def change(db: Database, job: Job) -> None:
    """All is done and proven: keep what is installed where; raises LostOwnership."""
    async with _held(db, job) as (session, instance_id, found):
        await _end_old(session, job, found)
        after = {one.name: one for one in found.change.after}
        subjects = extension_facts.subjects(found)
        for one in subjects:
            if one.name in after:
                await present_extensions.keep(
                    session,
                    job,
                    instance_id,
                    after[one.name],
                    present_extensions.status_of(after[one.name]),
                )
        for one in found.change.after:
            await _keep_hosts(session, job, instance_id, one)
        for one in subjects:
            if one.name not in after and (
                row := await store.extensions.find(session, instance_id, one.name)
            ):
                await store.extensions.remove(session, row.id)
            is_gone = one.name not in after
            status = (
                "uninstalled" if is_gone else present_extensions.status_of(after[one.name]).value
            )
            data = {"name": one.name, "version": one.version, "status": status}
            await _tell(session, job, EventType.EXTENSION_CHANGED, data)


async def fail(
    session: AsyncSession,
    job: Job,
    error: Mapping[str, Any],
    *,
    undone: bool,
) -> None:
    """Keep why; what was installed before is so again when all was `undone`.

    Part of the end of the job: call with its row locked.
    """
    found = facts.frozen(job)
    if not isinstance(found, ExtendFacts) or job.instance_id is None:
        return
    output = await store.events.said(session, job.id, str(error.get("step") or ""))
    # The first line says where; behind it stands what the step said, which comes whole.
    where = str(error["detail"]).partition("\n")[0]
    text = load_error(f"{error['title']}. {where}", output)
    have = {one.name: one for one in found.have}
    failed, others = await _hosts(session, job, found, error, undone=undone)
    for one in extension_facts.subjects(found):
        before = have.get(one.name)
        status = (
            present_extensions.status_of(before) if before and undone else ExtensionStatus.FAILED
        )
        row = await present_extensions.keep(session, job, job.instance_id, before or one, status)
        if one.name != found.subject.name and before and undone:
            continue
        await store.extensions.set_status(
            session, row.id, status=status, load_error=text, error=error, job_id=job.id
        )
        stamp = before.version if before and undone else None
        keep_host = store.extensions.keep_host
        for host_id in failed:
            here = ExtensionHostStatus.FAILED
            await keep_host(session, row.id, host_id, stamp=stamp, status=here, error=error)
        degraded = await _degraded(session, row.id)
        for host_id in others:
            if stamp and host_id in degraded:
                continue
            here = ExtensionHostStatus.INSTALLED if stamp else ExtensionHostStatus.ABSENT
            await keep_host(session, row.id, host_id, stamp=stamp, status=here)
        data = {"name": one.name, "version": one.version, "status": status, "error": dict(error)}
        data["hosts"] = list(failed.values())
        await store.events.append(session, job.id, (EventType.EXTENSION_FAILED, data))


def is_undone(outcome: Outcome | None) -> bool:
    return outcome in {Outcome.ROLLED_BACK, Outcome.UNCHANGED}


async def _degraded(session: AsyncSession, extension_id: UUID) -> set[UUID]:
    """Hosts of which a look has told: what it found missing is so still."""
    rows = (await store.extensions.hosts_of(session, {extension_id}))[extension_id]
    return {row.host_id for row in rows if row.status is ExtensionHostStatus.DEGRADED}


async def _keep_hosts(session: AsyncSession, job: Job, instance_id: UUID, one: Extension) -> None:
    """Each host has it in the release that the job made there."""
    row = await store.extensions.find(session, instance_id, one.name)
    if row is None:
        return
    for made in await store.app_servers.list_of_job(session, job.id):
        await store.extensions.keep_host(
            session,
            row.id,
            made.host_id,
            stamp=one.version,
            status=ExtensionHostStatus.INSTALLED,
            app_server_id=made.id,
        )


async def _end_old(session: AsyncSession, job: Job, found: ExtendFacts) -> None:
    """Those whose ports were taken over were stopped for it."""
    taken = {place.old for place in found.places}
    for one in await store.app_servers.list_of_job(session, job.id):
        if one.takes_over_id is None:
            continue
        olds = await store.app_servers.list_by_ids(session, [one.takes_over_id])
        for old in (old for old in olds if old.id in taken):
            if old.status is AppServerStatus.RUNNING:
                await move(session, job, old, AppServerStatus.TERMINATED, attempt=job.attempt)
        await store.app_servers.own_port(session, one)


async def _hosts(
    session: AsyncSession,
    job: Job,
    found: ExtendFacts,
    error: Mapping[str, Any],
    *,
    undone: bool,
) -> tuple[dict[UUID, str], dict[UUID, str]]:
    """Names of the hosts that are to blame, and of the others, which are as they were before.

    What was not taken back may be left on any of them.
    """
    olds = await store.app_servers.list_by_ids(session, found.before)
    names = await store.hosts.names(session, {old.host_id for old in olds})
    if not undone:
        return names, {}
    # Named where it is not the job's own; a router's host is none of the extension's.
    where = error.get("host")
    failed = {
        key: name for key, name in names.items() if (name == where if where else key == job.host_id)
    }
    return failed, {key: name for key, name in names.items() if key not in failed}


async def _tell(session: AsyncSession, job: Job, event: EventType, data: Mapping[str, Any]) -> None:
    await store.events.append(session, job.id, (event, dict(data)), attempt=job.attempt)


@asynccontextmanager
async def _held(db: Database, job: Job) -> AsyncIterator[tuple[AsyncSession, UUID, ExtendFacts]]:
    """A transaction in which the instance is locked and the job is this attempt's."""
    found = facts.frozen(job)
    if job.instance_id is None or not isinstance(found, ExtendFacts):
        raise LostOwnership
    async with db.transaction() as session:
        if await store.routes.lock(session, job.instance_id) is None:
            raise LostOwnership
        await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
        yield session, job.instance_id, found
