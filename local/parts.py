"""What `up` starts: each part as a child, with the environment it needs."""

import os
import signal
import site
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from local import binaries, ports, postgres, privileges
from local.caddy import AssetServer
from local.children import Child
from local.data import Data
from local.errors import Refused
from local.postgres import Cluster
from local.privileges import Mechanism
from local.redis import RedisServer

ROOT = Path(__file__).parents[1]
#: Forces one way to start PostgreSQL as root: `namespace` or `nobody`.
MECHANISM = "LIFTLOCK_POSTGRES_AS"
FIRST_ASSETS_PORT = 8810
ASSETS_URL, ASSETS_CACHE = "LIFTLOCK_ASSETS_URL", "LIFTLOCK_ASSETS_CACHE"
#: Those of a client; a server must not act with them.
CLIENT_VARIABLES = ("LIFTLOCK_URL", "LIFTLOCK_TOKEN")


@dataclass(frozen=True)
class Parts:
    """The servers of one `up`; None where one from outside is used."""

    cluster: Cluster | None
    redis: RedisServer | None
    assets: AssetServer | None
    #: LIFTLOCK_… for the API, the worker and the local commands.
    variables: Mapping[str, str] = field(repr=False)
    directory: Path

    def postgres(self, cluster: Cluster) -> Child:
        return Child(
            name="postgres",
            argv=cluster.argv(),
            env=plain_environment(),
            cwd=cluster.directory,
            stop=postgres.STOP,
            options=cluster.options(),
        )

    def redis_child(self, server: RedisServer) -> Child:
        return Child(
            name="redis", argv=server.argv(), env=plain_environment(), cwd=server.directory
        )

    def caddy(self, server: AssetServer) -> Child:
        # It must keep nothing in the user's home.
        env = {**plain_environment(), "HOME": str(server.directory)}
        return Child(name="caddy", argv=server.argv(), env=env, cwd=server.directory)

    def upgrade(self) -> Child:
        return self._python("upgrade", "app.cli.main", "db", "upgrade")

    def token(self, name: str, *options: str) -> Child:
        return self._python(
            "token", "app.cli.main", "tokens", "create", "--local", *options, "--quiet", name
        )

    def api(self) -> Child:
        return self._python("api", "app.main")

    def worker(self, number: int) -> Child:
        return self._python(f"worker-{number}", "arq", "worker.main.WorkerSettings", seconds=30.0)

    def _python(self, name: str, module: str, *arguments: str, seconds: float = 10.0) -> Child:
        return python_child(
            name,
            module,
            arguments,
            env=_application() | dict(self.variables),
            cwd=self.directory,
            seconds=seconds,
        )


def prepare(data: Data, held: ExitStack, *, host: str, port: int) -> Parts:
    """Make what does not exist yet: clusters, passwords, keys. Refused when it cannot be used.

    `held` keeps other stacks from the ports until the servers listen.
    """
    cluster = None if "LIFTLOCK_DATABASE_URL" in os.environ else _cluster(data)
    redis = None if "LIFTLOCK_REDIS_URL" in os.environ else _redis(data)
    assets = None if binaries.ASSETS_STORE in os.environ else _assets(data, held, host)
    variables = {"LIFTLOCK_HOST": host, "LIFTLOCK_PORT": str(port)}
    if cluster is not None:
        variables["LIFTLOCK_DATABASE_URL"] = cluster.url()
    if redis is not None:
        variables["LIFTLOCK_REDIS_URL"] = redis.url()
    if assets is not None:
        variables[binaries.ASSETS_STORE] = assets.folder.as_uri()
        # Browsers may know this machine by another name, which only its owner can tell.
        variables[ASSETS_URL] = os.environ.get(ASSETS_URL) or assets.url
    cache = str(data.directory / "assets-cache")
    variables[ASSETS_CACHE] = os.environ.get(ASSETS_CACHE) or cache
    if not {"LIFTLOCK_MASTER_KEY", "LIFTLOCK_MASTER_KEY_FILE"} & set(os.environ):
        variables["LIFTLOCK_MASTER_KEY_FILE"] = str(data.master_key)
    return Parts(cluster, redis, assets, variables, data.directory)


def python_child(
    name: str,
    module: str,
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    seconds: float = 10.0,
) -> Child:
    """`python -m module` with our own packages, whatever the current folder holds."""
    # -P: a folder named `app` where the user stands must not be taken for ours.
    argv = (sys.executable, "-P", "-m", module, *arguments)
    return Child(name=name, argv=argv, env=_importable(env), cwd=cwd, stop=_term(seconds))


def _cluster(data: Data) -> Cluster:
    programs = binaries.postgres_programs(postgres.version(data.postgres))
    launch = privileges.choose(programs / "postgres", forced=_mechanism())
    return Cluster(
        programs=programs,
        directory=data.postgres,
        reach=data.reach / "postgres",
        password=data.password("postgres"),
        launch=launch,
    )


def _mechanism() -> Mechanism | None:
    wanted = os.environ.get(MECHANISM)
    if not wanted:
        return None
    try:
        return Mechanism(wanted)
    except ValueError:
        known = ", ".join(Mechanism)
        raise Refused(f"{MECHANISM} is {wanted!r}; it takes one of: {known}.") from None


def _redis(data: Data) -> RedisServer:
    return RedisServer(
        program=binaries.redis_program(),
        directory=data.directory / "redis",
        socket=data.reach / "run" / "redis.sock",
        password=data.password("redis"),
    )


def _assets(data: Data, held: ExitStack, host: str) -> AssetServer:
    program, kept = binaries.caddy(), data.state.assets_port
    if kept is None:
        kept, mark = ports.claim_first(host, FIRST_ASSETS_PORT)
        held.enter_context(mark)
        data.state.assets_port = kept
        data.save()
    else:
        ports.claim(host, kept, option="another assets_port in state.json")
    return AssetServer(program, data.directory / "caddy", data.directory / "assets", host, kept)


def _importable(env: Mapping[str, str]) -> dict[str, str]:
    if str(ROOT) in (*site.getsitepackages(), site.getusersitepackages()):
        return dict(env)
    paths = [str(ROOT), *filter(None, [env.get("PYTHONPATH")])]
    return {**env, "PYTHONPATH": os.pathsep.join(paths)}


def _application() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in CLIENT_VARIABLES}
    return {**kept, "PYTHONUNBUFFERED": "1"}


def plain_environment() -> dict[str, str]:
    """Servers need nothing of ours; PG… variables of the user would even mislead them."""
    return {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}


def _term(seconds: float) -> tuple[tuple[signal.Signals, float], ...]:
    return ((signal.SIGTERM, seconds),)
