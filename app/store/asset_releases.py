"""Statements about asset releases: at most one of each app server."""

from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import or_
from sqlalchemy.orm import defer
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.asset_release import AssetReleaseStatus
from app.domain.asset_report import AssetReleaseReport, is_repeat
from app.models import AppServer, AssetRelease
from app.models.base import utc_now
from app.store import rows

_LISTS: tuple[Any, ...] = (AssetRelease.warnings, AssetRelease.errors)
_OF_FAILURES = ("release", "status", "errors", "errors_total")
_WITHOUT_LISTS = [defer(one, raiseload=True) for one in _LISTS]


async def record(
    session: AsyncSession, app_server: AppServer, report: AssetReleaseReport
) -> AssetRelease | None:
    """Keep what became of the app server's assets; None when that is known already.

    Call with the row of its job locked: nobody else then writes about this app server.
    """
    row = await _of_app_server(session, app_server.id)
    told = _told(report, row)
    if row is None:
        row = AssetRelease(
            instance_id=app_server.instance_id,
            app_server_id=app_server.id,
            job_id=app_server.job_id,
            revision=app_server.commit or app_server.revision,
            **told,
        )
    elif _says_nothing_new(row, told):
        return None
    else:
        row.sqlmodel_update(told)
        row.revision = app_server.commit or app_server.revision
        row.verified_at = None
    return await _write(session, row)


async def mark_verified(
    session: AsyncSession, app_server: AppServer, release: str
) -> AssetRelease | None:
    """Keep that every file answers; None when that is known already, or nothing of the release.

    Call with the row of its job locked.
    """
    row = await _of_app_server(session, app_server.id)
    if row is None or row.release != release or row.status is AssetReleaseStatus.VERIFIED:
        return None
    row.status, row.verified_at = AssetReleaseStatus.VERIFIED, utc_now()
    row.errors, row.errors_total = [], 0
    return await _write(session, row)


async def find(session: AsyncSession, instance_id: UUID, ref: str) -> AssetRelease | None:
    """By its name in the store, or by id."""
    named = or_(col(AssetRelease.release) == ref, col(AssetRelease.id) == rows.parse_id(ref))
    query = select(AssetRelease).where(AssetRelease.instance_id == instance_id, named)
    return (await session.exec(query)).first()


async def list_page(
    session: AsyncSession,
    instance_id: UUID,
    *,
    after: UUID | None,
    limit: int,
    status: AssetReleaseStatus | None = None,
) -> list[AssetRelease]:
    """Newest first, without the warnings and errors themselves."""
    query = select(AssetRelease).where(AssetRelease.instance_id == instance_id)
    if status is not None:
        query = query.where(col(AssetRelease.status) == status)
    query = query.options(*_WITHOUT_LISTS)
    return await rows.page(
        session, query, AssetRelease, after=after, limit=limit, newest_first=True
    )


async def names(session: AsyncSession, app_server_ids: Collection[UUID]) -> dict[UUID, str]:
    """What the releases of these app servers are called."""
    if not app_server_ids:
        return {}
    query = select(AssetRelease.app_server_id, AssetRelease.release).where(
        col(AssetRelease.app_server_id).in_(app_server_ids)
    )
    return dict((await session.exec(query)).all())


async def _of_app_server(session: AsyncSession, app_server_id: UUID) -> AssetRelease | None:
    query = select(AssetRelease).where(AssetRelease.app_server_id == app_server_id)
    return (await session.exec(query)).first()


def _told(report: AssetReleaseReport, row: AssetRelease | None) -> dict[str, Any]:
    """A failure without a manifest says nothing of the files: what is known of them stays."""
    told = asdict(report)
    is_partial = report.status is AssetReleaseStatus.FAILED and report.hash is None
    if is_partial and row is not None and row.release == report.release:
        return {name: told[name] for name in _OF_FAILURES}
    return told


def _says_nothing_new(row: AssetRelease, told: Mapping[str, Any]) -> bool:
    is_same = told["release"] == row.release
    if is_same and is_repeat(row.status, told["status"]):
        return True
    return all(getattr(row, name) == value for name, value in told.items())


async def _write(session: AsyncSession, row: AssetRelease) -> AssetRelease:
    row.updated_at = utc_now()
    session.add(row)
    await session.flush()
    return row
