"""The application in process, over real Postgres and Redis, and clients of every scope."""

import contextlib

import httpx
import pytest

from app import services
from app.domain.scope import Scope
from app.main import create_app
from tests.support import factories

HOST = {"name": "alpha", "address": "127.0.0.1", "user": "deploy", "host_key": factories.HOST_KEY}
INSTANCE = {
    "name": "shop",
    "recipe": "plain",
    "repository": "https://git.invalid/shop.git",
    "revision": "main",
    "host": "alpha",
}
RECIPE = """
name: plain
settings:
  WORKERS:
    type: int
    default: 2
  MOTTO:
    type: string
start:
  run: exec python3 -m http.server "$PORT" --bind "$BIND"
check:
  path: /
"""


@pytest.fixture
def app(db, queue, vault):
    return create_app(db, queue, vault)


@pytest.fixture
async def connect(app, db):
    """Makes clients: with a token of a scope, or without any."""
    async with contextlib.AsyncExitStack() as stack:

        async def make(scope=None):
            headers = {}
            if scope is not None:
                _, text = await services.tokens.create(db, name=f"test-{scope}", scope=scope)
                headers["Authorization"] = f"Bearer {text}"
            client = httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://liftlock.test", headers=headers
            )
            return await stack.enter_async_context(client)

        yield make


@pytest.fixture
async def anonymous(connect):
    return await connect()


@pytest.fixture
async def client(connect):
    """May do everything."""
    return await connect(Scope.ADMIN)


@pytest.fixture
async def host(client):
    return await made(client.post("/v1/hosts", json=HOST))


@pytest.fixture
async def recipe(client):
    return await made(client.post("/v1/recipes", json={"source": RECIPE}))


@pytest.fixture
async def instance(client, host, recipe):
    return await made(client.post("/v1/instances", json=INSTANCE))


async def made(request):
    response = await request
    assert response.is_success, response.text
    return response.json()
