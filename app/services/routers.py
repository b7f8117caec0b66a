"""Routers: registered, changed, removed; nothing is done on their hosts by that."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import router_options
from app.domain.job import FINAL, JobStatus
from app.domain.recipe_source import pointer
from app.domain.router_spec import RouterSpec
from app.errors import FieldError, InUse, Invalid, NotFound
from app.models import Router
from app.services import ending, specs, versions
from app.services.versions import Expected
from app.store.database import Database
from app.store.looks import RouterStanding


@dataclass(frozen=True)
class RouterView:
    """A router with the name of its host, and how it stands with its instances."""

    router: Router
    host: str
    standing: RouterStanding


async def create(db: Database, spec: RouterSpec) -> RouterView:
    """Register a router; raises Invalid with pointers, and AlreadyExists."""
    async with db.transaction() as session:
        options = _options(spec)
        host_id = await _host_id(session, spec.host)
        router = Router(name=spec.name, kind=spec.kind, host_id=host_id, options=options)
        return (await _views(session, [await store.routers.add(session, router)]))[0]


async def get(db: Database, ref: str) -> RouterView:
    async with db.transaction() as session:
        return (await _views(session, [await store.routers.get(session, ref)]))[0]


async def list_page(db: Database, *, after: UUID | None, limit: int) -> list[RouterView]:
    async with db.transaction() as session:
        found = await store.routers.list_page(session, after=after, limit=limit)
        return await _views(session, found)


async def change(
    db: Database, ref: str, patch: Mapping[str, Any], *, expected: Expected
) -> RouterView:
    """Apply a JSON Merge Patch; what changed is told to the router for each of its instances.

    Raises Stale, Invalid with pointers, AlreadyExists, and InUse for another kind or host while
    an instance has it.
    """
    async with db.transaction() as session:
        router = await store.routers.lock(session, ref)
        versions.require(router, expected)
        spec = specs.patched(_spec((await _views(session, [router]))[0]), patch)
        options, host_id = _options(spec), await _host_id(session, spec.host)
        if (spec.kind, host_id) != (router.kind, router.host_id):
            await _require_unused(session, router, "keeps its kind and its host")
        if options != router.options:
            await store.routers.want_again(session, router.id)
        router.name, router.kind, router.host_id = spec.name, spec.kind, host_id
        router.options = options
        return (await _views(session, [await store.routers.touch(session, router)]))[0]


async def delete(db: Database, ref: str, *, expected: Expected, gone_by: str | None = None) -> None:
    """Forget a router; raises Stale, and InUse while an instance or a job needs it.

    Also InUse while it has routes to forget, unless somebody says that it is gone: nobody will
    remove them then, and jobs that were to do so and have not begun are canceled.
    """
    async with db.transaction() as session:
        router = await store.routers.lock(session, ref)
        versions.require(router, expected)
        if gone_by is not None:
            await _cancel_forgetting(session, router, gone_by)
        await _require_unused(session, router, "stays", gone=gone_by is not None)
        await store.routers.delete(session, router)


async def _cancel_forgetting(session: AsyncSession, router: Router, by: str) -> None:
    """The dispatcher finds what waited for them."""
    told = {"by": by, "reason": f"Router {router.name} is gone for good."}
    for job_id in await store.dirty_routes.list_forgetting(session, router.id):
        job = await store.jobs.lock(session, job_id)
        if job.started_at is None and job.status not in FINAL:
            await ending.end_waiting(session, job, JobStatus.CANCELED, told=told)


async def _require_unused(
    session: AsyncSession, router: Router, what: str, *, gone: bool = False
) -> None:
    instances = await store.routers.instances(session, router.id)
    if instances:
        raise InUse(
            f"Router {router.name} {what} while instances have it: {', '.join(instances)}.",
            hint=f"Take it away from them first: liftlock instances set {instances[0]} --router ''",
        )
    jobs = await store.routers.open_jobs(session, router.id)
    if jobs:
        raise InUse(
            f"Router {router.name} {what} while {jobs} unfinished job(s) remove routes from it.",
            hint="Wait for them, or cancel them: liftlock jobs list --kind route",
        )
    left = (await store.looks.standing_of(session, {router.id}))[router.id].forgetting
    if left and not gone:
        raise InUse(
            f"Router {router.name} {what} while it has routes to forget, of {', '.join(left)}.",
            hint=f"Have it told now: liftlock routers sync {router.name}; or, when it is gone for"
            f" good: liftlock routers delete {router.name} --gone",
        )


async def _host_id(session: AsyncSession, name: str) -> UUID:
    try:
        return (await store.hosts.hold(session, name)).id
    except NotFound as error:
        hint = "List them: liftlock hosts list"
        raise Invalid(errors=(FieldError("/host", error.detail),), hint=hint) from None


def _options(spec: RouterSpec) -> dict[str, Any]:
    """With the defaults of its kind; raises Invalid."""
    try:
        return router_options.checked(spec.kind, spec.options)
    except ValueError as error:
        option, message = error.args
        raise Invalid(errors=(FieldError(pointer(("options", option)), message),)) from None


def _spec(view: RouterView) -> RouterSpec:
    router = view.router
    return RouterSpec.model_construct(
        name=router.name, kind=router.kind, host=view.host, options=router.options
    )


async def _views(session: AsyncSession, routers: list[Router]) -> list[RouterView]:
    hosts = await store.hosts.names(session, {row.host_id for row in routers})
    standing = await store.looks.standing_of(session, {row.id for row in routers})
    return [RouterView(row, hosts[row.host_id], standing[row.id]) for row in routers]
