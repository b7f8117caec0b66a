"""Where new app servers go: the host asked for, the instance's own, or some of its pool."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.domain.lock import manual_locks
from app.domain.placement import Candidate, NoPlace, Wanted, choose
from app.errors import Conflict
from app.models import Host, Instance, Machine
from app.services import asking, machines
from app.services.reading import recipe_of
from app.store.orders import Ground


@dataclass(frozen=True)
class Placement:
    """A host for each app server, locked, and what they are decided on."""

    hosts: tuple[Host, ...]
    ground: Ground
    #: The pool that they were chosen from.
    pool: str | None = None
    #: Those that hosts which are in no table yet are to be made from, by host.
    machines: Mapping[UUID, Machine] = field(default_factory=dict)


async def place(
    session: AsyncSession, instance: Instance, wanted: str | None, *, count: int
) -> Placement:
    """Call with the instance locked. `wanted` is a host's name or id, instead of the instance's.

    Raises Invalid, and Conflict for hosts that take none, or have none of the instance's data.
    """
    ref = wanted or instance.host_id
    if ref is None and instance.pool is not None:
        return await _in_pool(session, instance, instance.pool, count=count)
    if ref is None and instance.provider is not None:
        return await _by_provider(session, instance, instance.provider, count=count)
    if ref is None:
        raise asking.invalid(
            "/host", f"Instance {instance.name} has no host, pool or provider: name a host."
        )
    host = await asking.named_host(session, ref)
    asking.check_open(host)
    locks = manual_locks(JobKind.PROVISION, instance_id=instance.id, host_id=host.id)
    ground = await store.orders.read_ground(session, instance, [host.id], manual_locks=locks)
    if host.id in ground.made_for:
        raise _made_for_another(host, *ground.made_for[host.id])
    await _check_data_is_there(session, instance, host, ground)
    return Placement((host,) * count, ground)


async def _in_pool(
    session: AsyncSession, instance: Instance, pool: str, *, count: int
) -> Placement:
    hosts = await store.orders.lock_pool(session, pool)
    locks = ["manual:all", f"manual:instance:{instance.id}"]
    ids = [host.id for host in hosts]
    ground = await store.orders.read_ground(session, instance, ids, manual_locks=locks)
    try:
        return Placement(await _chosen(session, instance, hosts, ground, count), ground, pool)
    except NoPlace as error:
        raise _no_place(instance, pool, count, error) from error


async def choose_from(
    session: AsyncSession, instance: Instance, hosts: Sequence[Host], *, count: int
) -> tuple[Host, ...]:
    """A host for each app server. Call with instance and hosts locked; raises NoPlace."""
    ids = [host.id for host in hosts]
    ground = await store.orders.read_ground(session, instance, ids, manual_locks=[])
    return await _chosen(session, instance, hosts, ground, count)


async def _chosen(
    session: AsyncSession, instance: Instance, hosts: Sequence[Host], ground: Ground, count: int
) -> tuple[Host, ...]:
    by_id = {host.id: host for host in hosts}
    closed = await store.orders.locked_by_hand(session, by_id.keys())
    wanted = await _wanted(session, instance, ground, count=count)
    candidates = [_candidate(host, ground, locked=host.id in closed) for host in hosts]
    return tuple(by_id[host_id] for host_id in choose(candidates, wanted))


async def _by_provider(
    session: AsyncSession, instance: Instance, provider: str, *, count: int
) -> Placement:
    first = instance.next_number
    made = [
        await machines.new(session, instance, provider, number=first + index)
        for index in range(count)
    ]
    hosts = tuple(host for host, _ in made)
    locks = ["manual:all", f"manual:instance:{instance.id}"]
    ids = [host.id for host in hosts]
    ground = await store.orders.read_ground(session, instance, ids, manual_locks=locks)
    await _check_machines_share(session, instance, ground, count=count)
    return Placement(hosts, ground, machines={host.id: machine for host, machine in made})


async def _check_machines_share(
    session: AsyncSession, instance: Instance, ground: Ground, *, count: int
) -> None:
    """Data in files is on one machine: another one would have none."""
    if recipe_of(ground.recipe).data == "network":
        return
    is_elsewhere = bool(await store.orders.living_on(session, instance.id))
    if count > 1 or is_elsewhere or instance.prepared_host_id is not None:
        raise Conflict(
            f"The data of instance {instance.name} is in files of one machine; a provider makes"
            " another machine for each app server.",
            hint=await _where_data_is(session, instance, count=count)
            + "Use a recipe with `data: network`, or make a second instance.",
        )


async def _where_data_is(session: AsyncSession, instance: Instance, *, count: int) -> str:
    if instance.prepared_host_id is None or count > 1:
        return ""
    there = await store.hosts.get(session, instance.prepared_host_id)
    return f"Provision it there: liftlock provision {instance.name} --host {there.name}. Or: "


async def _wanted(
    session: AsyncSession, instance: Instance, ground: Ground, *, count: int
) -> Wanted:
    """Data in files is on one host: all app servers go where it is, or where it will be."""
    if recipe_of(ground.recipe).data == "network":
        return Wanted(count, instance.labels)
    home = instance.prepared_host_id
    if home is None:
        living = await store.orders.living_on(session, instance.id)
        home = min(living, default=None)
    return Wanted(count, instance.labels, together=True, home=home)


def _candidate(host: Host, ground: Ground, *, locked: bool) -> Candidate:
    taken, owner = ground.taken[host.id], ground.made_for.get(host.id)
    ports = range(host.port_first, host.port_last + 1)
    return Candidate(
        id=host.id,
        name=host.name,
        status=host.status,
        enrolled=host.host_key is not None,
        locked=locked,
        labels=host.labels,
        capacity=host.capacity,
        held=len(taken),
        places=host.places,
        made_for=f"by provider {owner[0]} for instance {owner[1]}" if owner else None,
        free_ports=len(ports) - sum(port in ports for port in taken),
    )


def _no_place(instance: Instance, pool: str, count: int, error: NoPlace) -> Conflict:
    wanted = "another app server" if count == 1 else f"{count} more app servers"
    why = str(error) or "it has no hosts"
    return Conflict(
        f"Pool {pool} has no place for {wanted} of instance {instance.name}: {why}.",
        code="no-place",
        hint=f"See them: liftlock hosts list --pool {pool}",
    )


def _made_for_another(host: Host, provider: str, instance: str) -> Conflict:
    """A machine goes with the app servers of its instance, and nobody else's site with it."""
    return Conflict(
        f"Host {host.name} is a machine that provider {provider} made for instance {instance}: it"
        " takes app servers of that instance only.",
        hint="Name another host: liftlock hosts list",
    )


async def _check_data_is_there(
    session: AsyncSession, instance: Instance, host: Host, ground: Ground
) -> None:
    """`prepare` and the participants ran on one host: elsewhere the site would find no data."""
    if instance.prepared_host_id in {None, host.id}:
        return
    if recipe_of(ground.recipe).data == "network":
        return
    there = await store.hosts.get(session, instance.prepared_host_id)
    raise Conflict(
        f"The data of instance {instance.name} was prepared on host {there.name}; {host.name} has"
        " none.",
        hint=f"Provision it with --host {there.name}, or make a second instance for {host.name}.",
    )
