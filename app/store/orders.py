"""Statements behind a request for a job: lock what it is about, and read what decides."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlmodel import SQLModel
from sqlmodel.ext.asyncio.session import AsyncSession

from app.domain.app_server import HOLDS_PORT
from app.errors import NotFound
from app.models import Host, Instance
from app.store import rows
from app.store.database import driver
from app.store.locks import MANUAL, Manual, manual_of
from app.store.plain import Columns, M

_INSTANCE, _HOST = Columns(Instance, "instance"), Columns(Host, "host")

_GROUND = f"""
    SELECT (SELECT document::text FROM recipes WHERE id = $1) AS recipe,
           ARRAY(SELECT name FROM secrets WHERE instance_id = $2) AS secret_names,
           ARRAY(SELECT (host_id, port) FROM app_servers
                 WHERE host_id = ANY($3::uuid[]) AND status = ANY($4::text[])) AS taken,
           ARRAY(SELECT (machine.host_id, machine.provider, owner.name)
                 FROM machines AS machine JOIN instances AS owner ON owner.id = machine.instance_id
                 WHERE machine.host_id = ANY($3::uuid[]) AND owner.id <> $2) AS made_for,
           {MANUAL.format(names="$5::text[]")} AS manual
"""  # noqa: S608 (only the text above)

_LIVING = """
    SELECT DISTINCT host_id FROM app_servers WHERE instance_id = $1 AND status = ANY($2::text[])
"""
_LOCKED = """
    SELECT host.id FROM unnest($1::uuid[]) AS host (id)
    JOIN locks ON locks.name = 'manual:host:' || host.id AND locks.message IS NOT NULL
"""


@dataclass(frozen=True)
class Ground:
    """What a provision is decided on, besides the rows of its instance and host."""

    #: The recipe's document as JSON.
    recipe: str
    secret_names: tuple[str, ...]
    #: Ports that app servers have, by host; each takes a place there.
    taken: Mapping[UUID, Collection[int]]
    #: Of hosts that are machines of another instance: the provider and that instance's name.
    made_for: Mapping[UUID, tuple[str, str]]
    #: A lock placed by hand.
    manual: Manual | None


async def lock_instance(session: AsyncSession, ref: str | UUID) -> Instance:
    """As `instances.lock`, for reading only."""
    return await _locked(session, _INSTANCE, Instance, ref, noun="instance")


async def lock_host(session: AsyncSession, ref: str | UUID) -> Host:
    """As `hosts.lock`, for reading only. After the instance, as a claim locks them."""
    return await _locked(session, _HOST, Host, ref, noun="host")


async def lock_hosts(session: AsyncSession, ids: Collection[UUID]) -> list[Host]:
    """Those that exist, by id: whoever locks several does it in this order, after the instance."""
    return await _hosts(session, "host.id = ANY($1::uuid[])", list(ids))


async def lock_pool(session: AsyncSession, pool: str, *, beside: UUID | None = None) -> list[Host]:
    """All hosts of the pool, in the same order; and one that may have left it."""
    return await _hosts(session, "host.pool = $1 OR host.id = $2", pool, beside)


async def read_ground(
    session: AsyncSession,
    instance: Instance,
    hosts: Collection[UUID],
    *,
    manual_locks: Sequence[str],
) -> Ground:
    """A statement of its own: call with all locked, and it sees what others have committed."""
    found = await driver(session).fetchrow(
        _GROUND,
        instance.recipe_id,
        instance.id,
        list(hosts),
        sorted(HOLDS_PORT),
        list(manual_locks),
    )
    if found is None or found["recipe"] is None:
        raise NotFound(f"There is no recipe {instance.recipe_id}.")
    taken: dict[UUID, set[int]] = {host_id: set() for host_id in hosts}
    for host_id, port in found["taken"]:
        taken[host_id].add(port)
    return Ground(
        recipe=found["recipe"],
        secret_names=tuple(found["secret_names"]),
        taken=taken,
        made_for={host_id: (provider, name) for host_id, provider, name in found["made_for"]},
        manual=manual_of(found["manual"]),
    )


async def living_on(session: AsyncSession, instance_id: UUID) -> set[UUID]:
    """Hosts on which the instance has app servers that run, or are being made."""
    found = await driver(session).fetch(_LIVING, instance_id, sorted(HOLDS_PORT))
    return {row["host_id"] for row in found}


async def locked_by_hand(session: AsyncSession, hosts: Collection[UUID]) -> set[UUID]:
    """Those of the hosts that somebody keeps new jobs away from."""
    return {row["id"] for row in await driver(session).fetch(_LOCKED, list(hosts))}


async def _hosts(session: AsyncSession, condition: str, *values: object) -> list[Host]:
    query = (
        f"SELECT {_HOST.sql} FROM hosts AS host WHERE {condition}"  # noqa: S608 (no input)
        " ORDER BY host.id FOR NO KEY UPDATE"
    )
    return [_HOST.build(row) for row in await driver(session).fetch(query, *values)]


async def _locked(
    session: AsyncSession, columns: Columns[M], model: type[SQLModel], ref: str | UUID, *, noun: str
) -> M:
    key = rows.parse_id(ref)
    query = (
        f"SELECT {columns.sql} FROM {model.__tablename__} AS {noun}"  # noqa: S608 (no input)
        f" WHERE {noun}.{'name' if key is None else 'id'} = $1 FOR NO KEY UPDATE"
    )
    found = await driver(session).fetchrow(query, key or ref)
    if found is None:
        raise rows.not_found(ref, noun)
    return columns.build(found)
