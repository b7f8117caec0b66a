"""Statements about instances and their secrets."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession
from sqlmodel.sql.expression import SelectOfScalar

from app.domain.app_server import HOLDS_PORT
from app.domain.job import FINAL
from app.domain.machine import NO_MACHINE
from app.errors import NotFound
from app.models import AppServer, Instance, Job, LeftRoute, Machine, Router, Secret
from app.models.base import utc_now
from app.store import rows


async def add(session: AsyncSession, instance: Instance) -> Instance:
    taken = f"There is already an instance named {instance.name!r}."
    return await rows.add(session, instance, taken=taken)


async def get(session: AsyncSession, ref: str | UUID) -> Instance:
    return await rows.get(session, Instance, ref, noun="instance")


async def lock(session: AsyncSession, ref: str | UUID) -> Instance:
    return await rows.lock(session, Instance, ref, noun="instance")


async def list_page(session: AsyncSession, *, after: UUID | None, limit: int) -> list[Instance]:
    return await rows.page(session, select(Instance), Instance, after=after, limit=limit)


async def names(session: AsyncSession, ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    query = select(Instance.id, Instance.name).where(col(Instance.id).in_(ids))
    return dict((await session.exec(query)).all())


async def touch(session: AsyncSession, instance: Instance) -> Instance:
    """Count the change; the API's ETag follows."""
    instance.version += 1
    instance.updated_at = utc_now()
    session.add(instance)
    await session.flush()
    return instance


async def mark_prepared(session: AsyncSession, instance: Instance, *, host_id: UUID | None) -> None:
    instance.prepared_at = utc_now()
    instance.prepared_host_id = host_id
    session.add(instance)


async def mark_participant_created(session: AsyncSession, instance: Instance, name: str) -> None:
    if name not in instance.participants_created:
        instance.participants_created = [*instance.participants_created, name]
        session.add(instance)


async def dependents(session: AsyncSession, instance: Instance) -> list[str]:
    """What still needs the instance, as words for a person."""
    living = select(func.count()).where(
        col(AppServer.instance_id) == instance.id, col(AppServer.status).in_(HOLDS_PORT)
    )
    jobs = select(func.count()).where(
        col(Job.instance_id) == instance.id, col(Job.status).not_in(FINAL)
    )
    machines = select(func.count()).where(
        col(Machine.instance_id) == instance.id, col(Machine.status).not_in(NO_MACHINE)
    )
    left = select(Router.name).join(LeftRoute).where(col(LeftRoute.instance_id) == instance.id)
    routes = [f"a route on router {name}" for name in (await session.exec(left)).all()]
    found = {
        "machine(s) that may be there": await _count(session, machines),
        "app server(s) in service": await _count(session, living.where(col(AppServer.is_active))),
        "living app server(s)": await _count(session, living),
        "unfinished job(s)": await _count(session, jobs),
        "router": int(instance.router_id is not None),
    }
    return [f"{count} {noun}" for noun, count in found.items() if count] + routes


async def _count(session: AsyncSession, query: SelectOfScalar[int]) -> int:
    return (await session.exec(query)).one()


async def delete(session: AsyncSession, instance: Instance) -> None:
    """Remove it with its secrets and dead app servers; its finished jobs stay as history."""
    connection = await session.connection()
    mine = instance.id
    await connection.execute(sql_delete(Secret).where(col(Secret.instance_id) == mine))
    await connection.execute(sql_delete(AppServer).where(col(AppServer.instance_id) == mine))
    await connection.execute(
        update(Job).where(col(Job.instance_id) == mine).values(instance_id=None)
    )
    await session.delete(instance)
    await session.flush()


async def count_on(session: AsyncSession, instance_id: UUID, count: int) -> None:
    """So many numbers of app servers are taken. Call with the instance locked."""
    connection = await session.connection()
    await connection.execute(
        update(Instance)
        .where(col(Instance.id) == instance_id)
        .values(next_number=col(Instance.next_number) + count)
    )


async def put_secret(
    session: AsyncSession, instance_id: UUID, name: str, ciphertext: bytes
) -> datetime:
    """Set or replace; when it was done."""
    now = utc_now()
    values = {"ciphertext": ciphertext, "updated_at": now}
    statement = insert(Secret).values(instance_id=instance_id, name=name, **values)
    connection = await session.connection()
    await connection.execute(
        statement.on_conflict_do_update(index_elements=["instance_id", "name"], set_=values)
    )
    return now


async def list_secrets(session: AsyncSession, instance_id: UUID) -> list[Secret]:
    query = select(Secret).where(Secret.instance_id == instance_id)
    return list((await session.exec(query.order_by(col(Secret.name)))).all())


async def delete_secret(session: AsyncSession, instance_id: UUID, name: str) -> None:
    secret = await session.get(Secret, (instance_id, name))
    if secret is None:
        raise NotFound(f"The instance has no secret {name!r}.")
    await session.delete(secret)
    await session.flush()
