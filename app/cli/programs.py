"""`liftlock up`, `serve`, `worker`: commands that become, or start, a long-running program."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

import app as package
from app.cli.noun import Noun

_INSTALLED = frozenset({"site-packages", "dist-packages"})


def register(app: Noun) -> None:
    app.verb()(up)
    app.verb()(serve)
    app.verb()(worker)


def up(
    data: Annotated[Path, typer.Option(help="Where everything is kept.")] = Path(".liftlock"),
    *,
    host: Annotated[str, typer.Option(help="Address the API listens on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Its port; 0 takes any.")] = 8700,
    router_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Of the router; the first free one from 8711 on."),
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Worker processes.")] = 1,
    demo: Annotated[bool, typer.Option("--demo", help="Add two demo hosts.")] = False,
) -> None:
    """Start a whole Liftlock on this machine.

    That is PostgreSQL, Redis, a router, the API and a worker, until Ctrl-C; the data is kept.
    LIFTLOCK_DATABASE_URL, LIFTLOCK_REDIS_URL and LIFTLOCK_MASTER_KEY replace a part by yours.

    Examples:
      liftlock up
      liftlock up --demo --data /srv/liftlock --port 8800

    """
    from local.up import Options  # noqa: PLC0415  (only `up` needs the embedded stack)
    from local.up import up as start  # noqa: PLC0415

    options = Options(
        data=data, host=host, port=port, router_port=router_port, workers=workers, demo=demo
    )
    raise typer.Exit(start(options))


def serve(
    host: Annotated[str | None, typer.Option(help="Instead of LIFTLOCK_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Instead of LIFTLOCK_PORT.")] = None,
) -> None:
    """Run the API alone (settings from LIFTLOCK_…).

    Example:
      liftlock serve --port 8800

    """
    given = {"LIFTLOCK_HOST": host, "LIFTLOCK_PORT": str(port) if port is not None else None}
    become(["app.main"], {name: value for name, value in given.items() if value is not None})


def worker() -> None:
    """Run one worker (settings from LIFTLOCK_…).

    The same as `arq worker.main.WorkerSettings`.

    Example:
      LIFTLOCK_WORKER_SLOTS=20 liftlock worker

    """
    become(["arq", "worker.main.WorkerSettings"], {})


def become(module: Sequence[str], variables: dict[str, str]) -> None:
    """Replace this process by `python -m module`, so that signals reach the program itself."""
    environment = os.environ | variables
    root = Path(package.__file__ or "").resolve().parents[1]
    if root.name not in _INSTALLED:
        paths = [str(root), *filter(None, [environment.get("PYTHONPATH")])]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
    # -P: a folder named `app` or `worker` where the user stands must not be taken for ours.
    arguments = [sys.executable, "-P", "-m", *module]
    os.execve(sys.executable, arguments, environment)  # noqa: S606  (no shell is the point)
