"""Jobs about app servers carried through in Postgres alone, as a worker writes them."""

from uuid import UUID

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.job import JobKind, JobStatus, Outcome, lock_names
from app.domain.router import RouterKind
from app.models import Router
from app.store.database import driver
from tests.support import factories

_BUILDING = (AppServerStatus.WAITING, AppServerStatus.CONFIGURING)


async def add_routed_site(db, *, name="shop", **values):
    """An instance on its host, with a router there."""
    host = await factories.add_host(db, capacity=20)
    async with db.transaction() as session:
        kind, options = RouterKind.NGINX, {}
        router = Router(name="front", kind=kind, host_id=host.id, options=options)
        await store.routers.add(session, router)
    values = {"router_id": router.id, **values}
    return host, await factories.add_instance(db, host=host, name=name, **values)


async def job_of(db, job_id):
    return (await services.jobs.get(db, job_id)).job


async def jobs_of(db, kind):
    """All of that kind, oldest first."""
    async with db.transaction() as session:
        found = await store.jobs.list_page(session, after=None, limit=100, kind=kind)
        return sorted(found, key=lambda job: job.sequence)


async def app_servers(db):
    """All of them, by number."""
    async with db.statement() as session:
        rows = await driver(session).fetch(
            "SELECT id FROM app_servers ORDER BY instance_id, number"
        )
    async with db.transaction() as session:
        return await store.app_servers.list_by_ids(session, [row["id"] for row in rows])


async def active_numbers(db):
    return [row.number for row in await app_servers(db) if row.is_active]


async def ask(db, queue, vault, **values):
    """The provisions of one request."""
    job = (await factories.request(db, queue, vault, **values)).job
    others = [await job_of(db, UUID(other)) for other in job.params.get("others", [])]
    return [job, *others]


async def claim(db, job):
    """The next attempt at it."""
    work = await services.work.look(db, job.id)
    names = lock_names(job.kind, instance_id=job.instance_id, host_id=job.host_id)
    return await services.claiming.claim(
        db, work, attempt=work.job.attempt + 1, worker="w", lock_names=names
    )


async def build(db, job, *moves):
    """The claim of a provision whose app server was moved so far."""
    taken = await claim(db, job)
    for status in moves:
        await services.execution.move_app_server(db, taken.job, status)
    return taken.job


async def succeed(db, job):
    """Carry a provision through; what is to be pushed."""
    job = await build(db, job, *_BUILDING, AppServerStatus.RUNNING)
    return await services.ending.settle(
        db, job, status=JobStatus.SUCCEEDED, outcome=Outcome.CHANGED
    )


async def fail(db, job, code="step-failed", status=JobStatus.FAILED):
    """Let a provision fail while it builds; what is to be pushed."""
    job = await build(db, job, *_BUILDING)
    error = {"code": code, "title": "t", "detail": "d"}
    return await services.ending.settle(db, job, status=status, error=error)


async def switch(db, job):
    """Carry an activation through; what is to be pushed."""
    taken = await claim(db, job)
    await note_switch(db, taken)
    return await services.ending.settle(
        db, taken.job, status=JobStatus.SUCCEEDED, outcome=Outcome.CHANGED
    )


async def note_switch(db, taken):
    """What an activation notes on its way."""
    facts, on = taken.work.facts, [one.app_server.id for one in taken.work.targets]
    off = [one for one in facts.before if one not in on]
    version = facts.route_version
    await services.activation.want_route(db, taken.job, version)
    await services.activation.activate(db, taken.job, on=on, off=off, route_version=version)


async def note_way_back(db, taken):
    """What an activation notes that undoes itself."""
    facts, off = taken.work.facts, [one.app_server.id for one in taken.work.targets]
    version = facts.route_version + 1
    await services.activation.activate(
        db, taken.job, on=facts.before, off=off, route_version=version, read_back=False
    )


async def serve(db, queue, vault, **values):
    """A deployment that is in service, carried through by itself; its activation."""
    for job in await ask(db, queue, vault, activate=True, **values):
        await succeed(db, job)
    activation = (await jobs_of(db, JobKind.ACTIVATE))[-1]
    await switch(db, activation)
    return activation


async def instance_row(db, name="shop"):
    async with db.transaction() as session:
        return await store.instances.get(session, name)


async def execute(db, statement, *values):
    async with db.statement() as session:
        await driver(session).execute(statement, *values)
