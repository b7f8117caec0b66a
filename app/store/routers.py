"""Statements about routers, and about what instances want of them."""

from uuid import UUID

from sqlalchemy import func, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.deployment import ROUTING
from app.domain.job import FINAL
from app.errors import InUse
from app.models import Instance, Job, Router
from app.models.base import utc_now
from app.store import rows
from app.store.routes import WISH

# Whoever else wants a domain of the same router waits; the lock ends with the transaction.
_LOCK_DOMAINS = text("SELECT pg_advisory_xact_lock(hashtextextended(:name, 0))")


async def add(session: AsyncSession, router: Router) -> Router:
    taken = f"There is already a router named {router.name!r}."
    return await rows.add(session, router, taken=taken)


async def get(session: AsyncSession, ref: str | UUID) -> Router:
    return await rows.get(session, Router, ref, noun="router")


async def lock(session: AsyncSession, ref: str | UUID) -> Router:
    return await rows.lock(session, Router, ref, noun="router")


async def hold(session: AsyncSession, ref: str | UUID) -> Router:
    """For a row that is about to point at it."""
    return await rows.hold(session, Router, ref, noun="router")


async def list_page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Router]:
    return await rows.page(session, select(Router), Router, after=after, limit=limit)


async def names(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    query = select(Router.id, Router.name).where(col(Router.id).in_(ids))
    return dict((await session.exec(query)).all())


async def touch(session: AsyncSession, router: Router) -> Router:
    """Count the change; the API's ETag follows. Raises AlreadyExists for a name that is taken."""
    router.version += 1
    router.updated_at = utc_now()
    return await add(session, router)


async def delete(session: AsyncSession, router: Router) -> None:
    """Remove it; raises InUse when an instance got it meanwhile."""
    message = f"Router {router.name} is needed since a moment ago: an instance got it."
    await session.delete(router)
    try:
        await session.flush()
    except IntegrityError as error:
        raise InUse(message, hint="See which: liftlock instances list") from error


async def instances(session: AsyncSession, router_id: UUID) -> list[str]:
    """Names of the instances that have it."""
    query = select(Instance.name).where(Instance.router_id == router_id)
    return list((await session.exec(query.order_by(col(Instance.name)))).all())


async def open_jobs(session: AsyncSession, router_id: UUID) -> int:
    """How many unfinished jobs shall make it forget an instance."""
    query = select(func.count()).where(
        col(Job.params)["router"].astext == str(router_id), col(Job.status).not_in(FINAL)
    )
    return (await session.exec(query)).one()


async def open_jobs_of_instance(session: AsyncSession, instance_id: UUID) -> int:
    """How many unfinished jobs are about to tell the instance's router something."""
    query = select(func.count()).where(
        col(Job.instance_id) == instance_id,
        col(Job.kind).in_(ROUTING),
        col(Job.status).not_in(FINAL),
    )
    return (await session.exec(query)).one()


async def find_domain(
    session: AsyncSession, router_id: UUID, domain: str | None, *, besides: UUID
) -> str | None:
    """The name of another instance with that domain there; of two askers one waits."""
    connection = await session.connection()
    await connection.execute(_LOCK_DOMAINS, {"name": f"liftlock.domains.{router_id}"})
    query = select(Instance.name).where(
        col(Instance.router_id) == router_id,
        col(Instance.domain).is_not_distinct_from(domain),
        col(Instance.id) != besides,
    )
    return (await session.exec(query)).first()


async def want_again(session: AsyncSession, router_id: UUID) -> None:
    """All routes of the router are to be applied once more."""
    connection = await session.connection()
    version, since = col(Instance.route_version), col(Instance.route_behind_since)
    wish = {"route_version": version + WISH, "route_behind_since": func.coalesce(since, func.now())}
    mine = col(Instance.router_id) == router_id
    await connection.execute(update(Instance).where(mine).values(wish))
