"""Composition root of the API: `python -m app.main` starts it."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

import structlog
import uvicorn
from fastapi import FastAPI
from fastapi_offline import FastAPIOffline
from pydantic import ValidationError

from app import services
from app.api import (
    app_servers,
    asset_releases,
    events,
    extensions,
    health,
    hosts,
    identity,
    instances,
    job_commands,
    job_log,
    jobs,
    locks,
    machines,
    openapi,
    packages,
    problems,
    recipes,
    routers,
    tokens,
)
from app.api.edge import Edge
from app.domain.provider_spec import read_providers
from app.domain.recipe import InvalidRecipe
from app.errors import ServiceError
from app.gateways.queue import JobQueue
from app.gateways.vault import CannotDecrypt, Vault
from app.gateways.wakeups import Wakeups
from app.logs import configure_logging
from app.services.streams import Streams
from app.settings import BadSetting, Settings
from app.store.database import Announce, Database

#: The busiest first: routes are tried in order.
_ROUTERS = (
    events,
    jobs,
    job_log,
    job_commands,
    instances,
    app_servers,
    asset_releases,
    extensions,
    packages,
    hosts,
    routers,
    machines,
    locks,
    recipes,
    tokens,
    identity,
    health,
)

#: Seconds that running requests get to end after SIGTERM.
_GRACE = 10

log = structlog.get_logger()


class CannotStart(Exception):
    """What is wrong and what to do about it, in one line."""


def create_app(
    db: Database,
    queue: JobQueue,
    vault: Vault,
    wakeups: Wakeups,
    providers: Collection[str] = (),
    *,
    looks: bool = True,
) -> FastAPI:
    """The application around its handles; it closes them when it stops.

    `providers` are the names of those that workers were told of; `looks`: whether they look at
    routers.
    """
    streams = Streams(wakeups)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        always = [
            asyncio.create_task(wakeups.run()),
            asyncio.create_task(services.events.look_around_forever(db, wakeups)),
            asyncio.create_task(streams.watch_tokens_forever(db)),
        ]
        yield
        for task in always:
            task.cancel()
        await asyncio.wait(always)
        await wakeups.close()
        await queue.close()
        await db.close()

    # Its /docs brings its own scripts: a closed network shows it too.
    app = FastAPIOffline(
        title="Liftlock",
        version=_version(),
        routes=[route for module in _ROUTERS for route in module.router.routes],
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
    )
    app.state.db, app.state.queue, app.state.vault = db, queue, vault
    app.state.wakeups, app.state.streams = wakeups, streams
    app.state.providers, app.state.looks = frozenset(providers), looks
    app.add_middleware(Edge)
    problems.install(app)
    openapi.install(app)
    return app


class Server(uvicorn.Server):
    """Told to stop, it sends its streams away first: it would wait for them in vain."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        application = self.config.app
        if isinstance(application, FastAPI):
            application.state.streams.stop()
        await super().shutdown(sockets)


async def prepare(db: Database, vault: Vault) -> None:
    """What the first start makes: Liftlock's SSH key and the shipped recipes.

    Raises CannotStart when Postgres is away or not migrated, or the master key is another one.
    """
    found = await services.health.database(db)
    if found != services.health.OK:
        raise CannotStart(found)
    try:
        if await services.identities.ensure(db, vault):
            log.info("identity.created")
        for row in await services.recipes.load_shipped(db, _shipped_recipes()):
            log.info("recipe.loaded", name=row.name, version=row.version)
    except CannotDecrypt as error:
        raise CannotStart(str(error)) from error
    except InvalidRecipe as error:
        raise CannotStart(f"A shipped recipe is not valid: {error}") from error
    except ServiceError as error:
        raise CannotStart(error.detail) from error


def serve(settings: Settings) -> None:
    """Prepare, then answer until a signal comes; raises CannotStart."""
    try:
        providers = read_providers(settings.providers)
    except ValueError as error:
        raise CannotStart(str(error)) from error
    try:
        vault = Vault(settings.key())
        asyncio.run(_prepare(settings, vault))
        queue, wakeups = _redis(settings)
        db = _database(settings, announce=wakeups.announce)
    except BadSetting as error:
        raise CannotStart(str(error)) from error
    listener = _listen(settings.host, settings.port)
    log.info("api.listening", address=f"http://{settings.host}:{listener.getsockname()[1]}")
    config = uvicorn.Config(
        create_app(db, queue, vault, wakeups, providers, looks=settings.router_look_seconds > 0),
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=_GRACE,
    )
    Server(config).run(sockets=[listener])


def main() -> None:
    try:
        settings = Settings()
    except ValidationError as error:
        wrong = "; ".join(
            f"LIFTLOCK_{str(part['loc'][0]).upper()}: {part['msg']}" for part in error.errors()
        )
        sys.exit(_refused(f"These settings are wrong: {wrong}."))
    configure_logging(settings.log_level, as_json=settings.log_json)
    try:
        serve(settings)
    except CannotStart as error:
        sys.exit(_refused(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)


def _refused(message: str) -> int:
    print(f"liftlock api: {message}", file=sys.stderr)
    return 2


async def _prepare(settings: Settings, vault: Vault) -> None:
    db = _database(settings, pool_size=1)
    try:
        await prepare(db, vault)
    except CannotStart as error:
        at = urlsplit(settings.database_url.get_secret_value())
        raise CannotStart(
            f"database {at.hostname or ''}:{at.port or 5432}{at.path}: {error}"
        ) from error
    finally:
        await db.close()


def _database(
    settings: Settings, *, pool_size: int = 16, announce: Announce | None = None
) -> Database:
    url = settings.database_url.get_secret_value()
    if urlsplit(url).scheme != "postgresql+asyncpg":
        raise BadSetting("LIFTLOCK_DATABASE_URL must begin with postgresql+asyncpg://")
    try:
        return Database(url, role="api", pool_size=pool_size, announce=announce)
    except ValueError:
        raise BadSetting("LIFTLOCK_DATABASE_URL is no address; is its port a number?") from None


def _redis(settings: Settings) -> tuple[JobQueue, Wakeups]:
    url = settings.redis_url.get_secret_value()
    try:
        return JobQueue.connect(url), Wakeups.connect(url)
    except ValueError:
        raise BadSetting("LIFTLOCK_REDIS_URL is no redis:// or unix:// address.") from None


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise CannotStart(
            f"Cannot listen on {host} port {port}: {error.strerror or error}."
            " Set LIFTLOCK_HOST and LIFTLOCK_PORT to a free address."
        ) from error


def _shipped_recipes() -> list[str]:
    """Inside the package when installed, beside it in a checkout."""
    here = Path(__file__).resolve().parent
    folder = here / "recipes" if (here / "recipes").is_dir() else here.parent / "recipes"
    return [path.read_text() for path in sorted(folder.glob("*.yaml"))]


def _version() -> str:
    try:
        return metadata.version("liftlock")
    except metadata.PackageNotFoundError:
        return "0"


if __name__ == "__main__":
    main()
