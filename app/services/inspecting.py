"""Inspections: a look at what serves, asked for by people or by whoever looks after extensions."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.job import JobKind
from app.errors import Conflict, LostOwnership
from app.gateways.vault import Vault
from app.models import AppServer, Instance, Job
from app.services import asking, facts, making, present_extensions, targets
from app.services.asking import Prepared
from app.services.job_request import JobRequest, Terms


async def prepare(session: AsyncSession, _: Vault, request: JobRequest, terms: Terms) -> Prepared:
    """Raises Invalid, and Conflict when nothing runs."""
    instance = await asking.named_instance(session, request.instance, verb="inspect")
    serving, _in_service = await present_extensions.serving(session, instance)
    if not serving:
        raise Conflict(
            f"No app server of instance {instance.name} runs: there is nothing to look at.",
            code="nothing-runs",
            hint=f"Provision one first: liftlock provision {instance.name}",
        )
    hosts = await targets.hosts_of(session, instance, serving, routed=False)
    return await targets.prepared(session, new_job(instance, serving, terms), instance, hosts)


def new_job(instance: Instance, serving: Sequence[AppServer], terms: Terms) -> Job:
    """In no table yet; its place is that of the first app server."""
    return making.new_job(
        JobKind.INSPECT,
        terms,
        instance_id=instance.id,
        host_id=serving[0].host_id,
        recipe_id=serving[0].recipe_id,
        params={"instance": instance.name},
    )


async def make(
    session: AsyncSession, instance: Instance, serving: Sequence[AppServer], terms: Terms
) -> Job:
    """Call with the instance locked. The caller pushes the job; nothing is checked here."""
    host = await store.hosts.get(session, serving[0].host_id)
    names = {"instance": instance.name, "host": host.name}
    return await making.add_job(session, new_job(instance, serving, terms), names)


async def freeze(session: AsyncSession, job: Job) -> Mapping[str, Any]:
    """For the first claim: who serves now. Call with the instance locked."""
    if job.instance_id is None:
        raise LostOwnership
    instance = await store.instances.get(session, job.instance_id)
    serving, _ = await present_extensions.serving(session, instance)
    return frozen(job.kind, instance, serving)


def frozen(kind: JobKind, instance: Instance, serving: Sequence[AppServer]) -> Mapping[str, Any]:
    return facts.of_route(kind, active=[row.id for row in serving], wanted=instance.route_version)
