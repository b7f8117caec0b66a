"""Rows as tests need them: valid, and different only where the test says so."""

from pathlib import Path

from app import services, store
from app.domain import recipe as recipes
from app.domain.app_server import AppServerStatus
from app.domain.job import JobKind, JobStatus
from app.domain.router import RouterKind
from app.models import Host, Instance, Recipe, Router
from app.services.requests import JobRequest

MINIMAL_RECIPE = """
name: plain
start:
  run: exec python3 -m http.server "$PORT" --bind "$BIND"
check:
  path: /
"""

HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"

SHIPPED = Path(__file__).parents[2] / "recipes"


async def add_host(db, **values):
    defaults = {
        "name": "alpha",
        "address": "127.0.0.1",
        "port": 22,
        "username": "deploy",
        "host_key": HOST_KEY,
    }
    host = Host(**{**defaults, **values})
    async with db.transaction() as session:
        return await store.hosts.add(session, host)


async def add_recipe(db, source=MINIMAL_RECIPE):
    parsed = recipes.parse(source)
    row = Recipe(
        name=parsed.name,
        version=0,
        digest=parsed.digest,
        document=parsed.document(),
        source=source,
    )
    async with db.transaction() as session:
        return await store.recipes.add_version(session, row)


async def add_instance(db, *, recipe=None, host=None, **values):
    recipe = recipe or await add_recipe(db)
    defaults = {
        "name": "shop",
        "recipe_id": recipe.id,
        "host_id": host.id if host else None,
        "repository": "https://git.invalid/shop.git",
        "revision": "main",
    }
    async with db.transaction() as session:
        return await store.instances.add(session, Instance(**{**defaults, **values}))


async def add_site(db, **host_values):
    """A host and an instance placed on it."""
    host = await add_host(db, **host_values)
    return host, await add_instance(db, host=host)


async def add_router(db, host, **values):
    row = Router(**{"name": "edge", "kind": RouterKind.CADDY, "host_id": host.id, **values})
    async with db.transaction() as session:
        return await store.routers.add(session, row)


async def add_app_server(db, instance, host, **values):
    """One that runs, made by a job that has succeeded."""
    async with db.transaction() as session:
        locked = await store.orders.lock_instance(session, instance.id)
        number, site = locked.next_number, await store.orders.lock_host(session, host.id)
        job = store.jobs.new(
            kind=JobKind.PROVISION,
            status=JobStatus.SUCCEEDED,
            instance_id=instance.id,
            host_id=host.id,
            recipe_id=instance.recipe_id,
            params={"instance": instance.name, "revision": instance.revision},
        )
        await store.jobs.add(session, job)
        defaults = {
            "instance_id": instance.id,
            "host_id": host.id,
            "job_id": job.id,
            "deployment_id": job.id,
            "recipe_id": instance.recipe_id,
            "number": number,
            "name": f"AppServer {number}",
            "revision": instance.revision,
            "release": f"apps/{instance.name}/releases/{number}",
            "status": AppServerStatus.RUNNING,
            "port": site.next_port,
        }
        row = store.app_servers.new(**{**defaults, **values})
        await store.app_servers.add(session, row, next_port=site.next_port + 1)
        return row


async def change(db, row, **values):
    """Whatever a test needs to be so."""
    async with db.transaction() as session:
        found = await session.get(type(row), row.id)
        for name, value in values.items():
            setattr(found, name, value)
        session.add(found)


async def request(db, queue, vault, *, kind=JobKind.PROVISION, **values):
    """A job asked for through the service, as the API does it."""
    default = {"instance": "shop"} if kind in {JobKind.PROVISION, JobKind.ROUTE} else {}
    view, _ = await services.requests.request(
        db,
        queue,
        vault,
        request=JobRequest(kind=kind, **{**default, **values}),
        actor="tests",
        request_id="test-request",
    )
    return view


async def events(db, job_id):
    """All of them; fails when the numbers have a gap."""
    found = (await services.events.read(db, job_id, after=0, limit=10_000)).items
    assert [event.seq for event in found] == list(range(1, len(found) + 1))
    return found


async def event_types(db, job_id):
    return [event.type for event in await events(db, job_id)]
