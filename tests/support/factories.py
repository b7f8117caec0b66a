"""Rows as tests need them: valid, and different only where the test says so."""

from pathlib import Path

from app import services, store
from app.domain import recipe as recipes
from app.domain.job import JobKind
from app.models import Host, Instance, Recipe
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


async def request(db, queue, vault, *, kind=JobKind.PROVISION, **values):
    """A job asked for through the service, as the API does it."""
    view, _ = await services.requests.request(
        db,
        queue,
        vault,
        request=JobRequest(kind=kind, **{"instance": "shop", **values}),
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
