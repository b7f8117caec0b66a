"""The next attempt of a provision that has failed: another app server made of the same.

One from a pool goes to another host of it when this one was to blame, or takes nothing any more.
"""

from collections.abc import Sequence

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.host import CLOSED
from app.domain.placement import NoPlace
from app.errors import ServiceError
from app.models import AppServer, Host, Instance, Job
from app.services import machines, placing, provisioning, readiness
from app.services.job_request import Terms
from app.services.reading import recipe_of

#: What belongs to one job of a deployment, not to the next attempt.
_OWN = frozenset({"others", "next"})


class NoOther(Exception):
    """No other attempt can be made; the text is a sentence."""


async def make(
    session: AsyncSession,
    job: Job,
    app_server: AppServer,
    *,
    instance: Instance,
    host: Host,
    pool: Sequence[Host],
    blamed: bool,
) -> Job:
    """Raises NoOther; nothing is written then.

    Call with the rows of instance and hosts locked and freshly read; the caller pushes the job.
    `pool` are the hosts that it may go to instead; `blamed` says that this one was the cause.
    """
    if job.params.get("provider") is not None:
        host = await _new_machine(session, job, instance)
    else:
        host = await _place(session, job, instance, host, pool, blamed=blamed)
    ground = await store.orders.read_ground(session, instance, [host.id], manual_locks=[])
    params = {name: value for name, value in job.params.items() if name not in _OWN}
    params["try"] = job.params.get("try", 1) + 1
    terms = Terms.after(job, retry_of=job.id)
    made = provisioning.new_job(instance, host, app_server.recipe_id, params, terms)
    made.params.setdefault("deployment", str(job.id))
    settings, taken = app_server.settings, ground.taken[host.id]
    await provisioning.make(
        session,
        made,
        instance,
        host,
        settings=settings,
        extensions=app_server.extensions,
        taken=taken,
    )
    return made


async def _place(
    session: AsyncSession,
    job: Job,
    instance: Instance,
    host: Host,
    pool: Sequence[Host],
    *,
    blamed: bool,
) -> Host:
    why = await _closed(session, instance, host)
    others = [one for one in pool if one.id != host.id]
    if others and (blamed or why):
        try:
            return await _elsewhere(session, job, instance, others)
        except NoPlace as error:
            if why:
                raise NoOther(f"{why} Others of pool {job.params['pool']}: {error}.") from error
    if why:
        raise NoOther(why)
    return host


async def _closed(session: AsyncSession, instance: Instance, host: Host) -> str | None:
    """Why the host takes no other app server."""
    if host.status in CLOSED:
        return f"Host {host.name} is {host.status}."
    ground = await store.orders.read_ground(session, instance, [host.id], manual_locks=[])
    if provisioning.free_port(host, ground.taken[host.id]) is None:
        return f"Host {host.name} has no free port."
    return None


async def _elsewhere(
    session: AsyncSession, job: Job, instance: Instance, hosts: Sequence[Host]
) -> Host:
    """Where it can go into service, if that is what it is for; raises NoPlace."""
    reached = hosts
    if job.params.get("activate"):
        reached = [one for one in hosts if await _is_reached(session, instance, one)]
    unreached = {one.name: "cannot be reached by the router" for one in hosts if one not in reached}
    try:
        (chosen,) = await placing.choose_from(session, instance, reached, count=1)
    except NoPlace as error:
        raise NoPlace({**error.reasons, **unreached}) from error
    return chosen


async def _is_reached(session: AsyncSession, instance: Instance, host: Host) -> bool:
    try:
        await readiness.check_future(session, instance, [host])
    except ServiceError:
        return False
    return True


async def _new_machine(session: AsyncSession, job: Job, instance: Instance) -> Host:
    if instance.prepared_host_id is not None and not await _is_shared(session, instance):
        raise NoOther("The data is in files of one machine, and another one would have none.")
    provider, number = job.params["provider"], instance.next_number
    host, machine = await machines.new(session, instance, provider, number=number)
    await store.machines.add(session, machine, host)
    return host


async def _is_shared(session: AsyncSession, instance: Instance) -> bool:
    """Whether what `prepare` made is there for another machine too."""
    ground = await store.orders.read_ground(session, instance, [], manual_locks=[])
    return recipe_of(ground.recipe).data == "network"
