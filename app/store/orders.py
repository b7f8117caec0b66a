"""Statements behind a request for a job: lock what it is about, and read what decides."""

from collections.abc import Collection, Sequence
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
           ARRAY(SELECT port FROM app_servers WHERE host_id = $3 AND status = ANY($4::text[]))
               AS taken_ports,
           {MANUAL.format(names="$5::text[]")} AS manual
"""  # noqa: S608 (only the text above)


@dataclass(frozen=True)
class Ground:
    """What a provision is decided on, besides the rows of its instance and host."""

    #: The recipe's document as JSON.
    recipe: str
    secret_names: tuple[str, ...]
    #: Ports of the host that app servers have.
    taken_ports: Collection[int]
    #: A lock placed by hand.
    manual: Manual | None


async def lock_instance(session: AsyncSession, ref: str | UUID) -> Instance:
    """As `instances.lock`, for reading only."""
    return await _locked(session, _INSTANCE, Instance, ref, noun="instance")


async def lock_host(session: AsyncSession, ref: str | UUID) -> Host:
    """As `hosts.lock`, for reading only. After the instance, as a claim locks them."""
    return await _locked(session, _HOST, Host, ref, noun="host")


async def read_ground(
    session: AsyncSession, instance: Instance, host: Host, *, manual_locks: Sequence[str]
) -> Ground:
    """A statement of its own: call with both locked, and it sees what others have committed."""
    found = await driver(session).fetchrow(
        _GROUND,
        instance.recipe_id,
        instance.id,
        host.id,
        sorted(HOLDS_PORT),
        list(manual_locks),
    )
    if found is None or found["recipe"] is None:
        raise NotFound(f"There is no recipe {instance.recipe_id}.")
    return Ground(
        recipe=found["recipe"],
        secret_names=tuple(found["secret_names"]),
        taken_ports=frozenset(found["taken_ports"]),
        manual=manual_of(found["manual"]),
    )


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
