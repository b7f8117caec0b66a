"""Asset releases: what a worker made of a site's static files, and what people read of that."""

from collections.abc import Sequence
from difflib import get_close_matches
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import AssetReleaseReport
from app.domain.event import EventType
from app.domain.job import LeasePolicy
from app.errors import NotFound
from app.models import AppServer, AssetRelease, Job
from app.store.database import Database

#: Among so many of the newest, the one that a mistyped name may mean is looked for.
_MOST_NEAR = 200

_EVENTS = {
    AssetReleaseStatus.PUBLISHED: EventType.ASSET_RELEASE_PUBLISHED,
    AssetReleaseStatus.VERIFIED: EventType.ASSET_RELEASE_VERIFIED,
    AssetReleaseStatus.FAILED: EventType.ASSET_RELEASE_FAILED,
}
_TOLD = (
    "release",
    "files",
    "bytes",
    "new_files",
    "new_bytes",
    "reused_files",
    "copies",
    "warnings_total",
    "errors_total",
    "manifest_url",
)


async def record(db: Database, job: Job, report: AssetReleaseReport) -> None:
    """Keep what became of the assets of the job's app server; again, it changes nothing.

    Raises LostOwnership.
    """
    async with db.transaction() as session:
        app_server = await _fenced(session, job)
        if app_server is not None:
            row = await store.asset_releases.record(session, app_server, report)
            await _tell(session, job, row)


async def mark_verified(db: Database, job: Job, release: str) -> None:
    """Keep that every file of the job's release answers; raises LostOwnership."""
    async with db.transaction() as session:
        app_server = await _fenced(session, job)
        if app_server is not None:
            row = await store.asset_releases.mark_verified(session, app_server, release)
            await _tell(session, job, row)


async def list_page(
    db: Database,
    instance: str,
    *,
    after: UUID | None,
    limit: int,
    status: AssetReleaseStatus | None = None,
) -> Sequence[AssetRelease]:
    """Newest first, without the warnings and errors themselves; raises NotFound."""
    async with db.transaction() as session:
        found = await store.instances.get(session, instance)
        return await store.asset_releases.list_page(
            session, found.id, after=after, limit=limit, status=status
        )


async def get(db: Database, instance: str, ref: str) -> AssetRelease:
    """By name or id; raises NotFound."""
    async with db.transaction() as session:
        found = await store.instances.get(session, instance)
        row = await store.asset_releases.find(session, found.id, ref)
        if row is not None:
            return row
        near = await _near(session, found.id, ref)
    raise NotFound(
        f"Instance {found.name} has no asset release {ref!r}.",
        hint=f"{near}List them: liftlock assets list {found.name}",
    )


async def _fenced(session: AsyncSession, job: Job) -> AppServer | None:
    """The job's app server, while this attempt has the job."""
    await store.attempts.renew(session, job.id, attempt=job.attempt, lease=LeasePolicy().lease)
    return await store.app_servers.find_of_job(session, job.id)


async def _tell(session: AsyncSession, job: Job, row: AssetRelease | None) -> None:
    """The event of what has just become known of it, if anything has."""
    if row is None:
        return
    data = {"id": str(row.id), **{name: getattr(row, name) for name in _TOLD}}
    await store.events.append(session, job.id, (_EVENTS[row.status], data), attempt=job.attempt)


async def _near(session: AsyncSession, instance_id: UUID, ref: str) -> str:
    """The release that begins like that, as commits are abbreviated, or has the nearest name."""
    newest = await store.asset_releases.list_page(
        session, instance_id, after=None, limit=_MOST_NEAR
    )
    names = [row.release for row in newest]
    found = [name for name in names if name.startswith(ref)] or get_close_matches(ref, names, n=1)
    return f"Did you mean {found[0]}? " if found else ""
