"""What a change of extensions finds when its turn comes, and which app servers it is to make."""

import random
from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.app_server import HOLDS_PORT
from app.domain.extension import Change, Extension, ExtensionStatus
from app.domain.job import JobKind
from app.errors import Conflict, LostOwnership
from app.models import AppServer, Job
from app.models.base import new_id
from app.services import extending
from app.services.extending import Ground
from app.services.facts import ExtendFacts, Place


async def find(session: AsyncSession, job: Job) -> ExtendFacts:
    """As the job finds it now; nothing is taken.

    Raises Conflict, NotFound and CannotChange for a change that cannot be any more.
    """
    ground, spec = await extending.ground_of(session, job), extending.spec_of(job)
    wheel = job.params.get("wheel")
    change = extending.change_of(job.kind, ground, spec, wheel)
    by_stamp = False
    if job.kind is JobKind.INSTALL:
        subject = extending.wanted(ground, spec, wheel)
        known = await store.extensions.find(session, ground.instance.id, spec.name)
        is_known = known is not None and known.status is ExtensionStatus.ENABLED
        by_stamp = is_known and subject in ground.have and not job.params.get("force")
    else:
        mine = [one for one in (*change.after, *ground.have) if one.name == spec.name]
        subject = mine[0] if mine else extending.wanted(ground, spec, wheel)
    idle = job.kind is not JobKind.INSTALL and not _has_work(change)
    return ExtendFacts(
        before=tuple(old.id for old in ground.serving),
        route_version=ground.instance.route_version + 1,
        in_service=ground.in_service,
        places=() if idle else await _places(session, job, ground),
        have=ground.have,
        change=change,
        subject=subject,
        by_stamp=by_stamp,
    )


async def freeze(session: AsyncSession, job: Job) -> dict[str, Any]:
    """For the first claim, with the instance locked: numbers are taken."""
    if job.instance_id is None:
        raise LostOwnership
    found = await find(session, job)
    is_there = found.subject in (*found.have, *found.change.after)
    if job.kind is JobKind.UNINSTALL and not is_there and not job.dry_run:
        row = await store.extensions.find(session, job.instance_id, found.subject.name)
        if row is not None:
            await store.extensions.remove(session, row.id)
    if not job.dry_run:
        await store.instances.count_on(session, job.instance_id, len(found.places))
    return found.document()


def _has_work(change: Change) -> bool:
    return bool(change.enable or change.disable or change.uninstall)


async def _places(session: AsyncSession, job: Job, ground: Ground) -> tuple[Place, ...]:
    """Beside each that serves: on a port of its own where a router finds it, else on the same."""
    instance, places = ground.instance, list[Place]()
    taken: dict[UUID, set[int]] = {}
    for number, old in enumerate(ground.serving, start=instance.next_number):
        port = old.port
        if instance.router_id is not None:
            others = taken.setdefault(old.host_id, await _ports(session, old.host_id))
            port = await _free_port(session, old, others, job)
            others.add(port)
        places.append(Place(new_id(), number, port, old.id))
    return tuple(places)


async def _ports(session: AsyncSession, host_id: UUID) -> set[int]:
    return await store.app_servers.ports_on(session, host_id, sorted(HOLDS_PORT))


async def _free_port(
    session: AsyncSession, old: AppServer, taken: Collection[int], job: Job
) -> int:
    """Anywhere in the host's range: whoever asks at the same moment finds another one.

    The host is not locked here, which a claim does before it locks the job.
    """
    host = await store.hosts.get(session, old.host_id)
    free = [port for port in range(host.port_first, host.port_last + 1) if port not in taken]
    if not free:
        raise Conflict(
            f"Host {host.name} has no free port in {host.port_first}-{host.port_last}.",
            hint="Give it a larger range: liftlock hosts set NAME --ports FIRST-LAST",
        )
    return random.Random(job.id.int).choice(free)  # noqa: S311 (spreads, hides nothing)


def app_servers_of(job: Job, facts: ExtendFacts, olds: Collection[AppServer]) -> list[AppServer]:
    """The app servers to be made, in no table: as the old ones, with other extensions."""
    by_id = {old.id: old for old in olds}
    extensions = [one.document() for one in facts.change.after]
    return [_successor(job, place, by_id[place.old], extensions) for place in facts.places]


def _successor(
    job: Job, place: Place, old: AppServer, extensions: list[dict[str, Any]]
) -> AppServer:
    release = old.release.rpartition("-")[0]
    return store.app_servers.new(
        id=place.id,
        instance_id=old.instance_id,
        host_id=old.host_id,
        job_id=job.id,
        recipe_id=old.recipe_id,
        deployment_id=job.id,
        number=place.number,
        name=f"AppServer {place.number}",
        revision=old.revision,
        commit=old.commit,
        release=f"{release}-{place.number}",
        address=old.address,
        port=place.port,
        takes_over_id=old.id if place.port == old.port else None,
        settings=dict(old.settings),
        extensions=extensions,
    )


def subjects(facts: ExtendFacts) -> list[Extension]:
    """Every extension that the job is about."""
    touched = {*facts.change.enable, *facts.change.disable, *facts.change.uninstall}
    touched.add(facts.subject.name)
    known = {one.name: one for one in (*facts.have, *facts.change.after)}
    return [known[name] for name in sorted(touched) if name in known]
