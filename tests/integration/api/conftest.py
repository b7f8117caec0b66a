"""The application in process, over real Postgres and Redis, and clients of every scope."""

import asyncio
import contextlib
import socket

import httpx
import pytest
import uvicorn

from app import services
from app.domain.scope import Scope
from app.main import Server, create_app
from app.store.database import Database
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
async def db(database_url, wakeups):
    """A database whose commits are announced, as in the real process."""
    database = Database(database_url, pool_size=4, announce=wakeups.announce)
    yield database
    await database.close()


@pytest.fixture
async def app(db, queue, vault, wakeups):
    """Started: it listens for wake-ups."""
    app = create_app(db, queue, vault, wakeups)
    async with app.router.lifespan_context(app):
        yield app


@pytest.fixture
async def served(app, client):
    """The same application behind a real server: a client of it that gets answers in pieces."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=5
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    address = f"http://127.0.0.1:{listener.getsockname()[1]}"
    async with httpx.AsyncClient(
        base_url=address, headers=client.headers, trust_env=False, timeout=30
    ) as reader:
        reader.stop = lambda: setattr(server, "should_exit", True)
        yield reader
    server.should_exit = True
    await serving


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
