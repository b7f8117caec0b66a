"""The routers of the measurement: each program in a folder of its own, empty, as this user."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.servers import Servers, eventually
from local import binaries
from local.router import RouterServer

KINDS = ("caddy", "nginx", "haproxy")
_ADDRESS = "127.0.0.1"
_PLACES = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
_NGINX = """\
daemon off;
{user}worker_processes 2;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen {address}:{port}; server_name nobody.invalid; return 404; }}
  include {folder}/sites/*.conf;
}}
"""
_HAPROXY = """\
global
  stats socket {folder}/admin.sock mode 600 level admin expose-fd listeners
  maxconn 1000
"""


@dataclass(frozen=True)
class Front:
    """A running router, and the body that makes it known."""

    kind: str
    port: int
    options: dict[str, Any]

    def document(self, host: str) -> dict[str, Any]:
        return {"name": self.kind, "kind": self.kind, "host": host, "options": self.options}


def program(kind: str) -> Path | None:
    """None: it is not on this machine."""
    if kind == "caddy":
        return binaries.caddy() if binaries.has_caddy() else None
    found = shutil.which(kind, path=_PLACES)
    return Path(found) if found else None


@contextmanager
def front(servers: Servers, kind: str) -> Iterator[Front]:
    """It is ended with the block; raises RuntimeError when it does not start."""
    folder, port = servers.folder / kind, _free_port()
    (folder / "sites").mkdir(parents=True)
    path = program(kind)
    assert path is not None  # noqa: S101 - asked before
    process, options = _START[kind](servers, folder, path, port)
    try:
        yield Front(kind, port, {"http_port": port, "bind": _ADDRESS, **options})
    finally:
        servers.end(process)


async def ready(servers: Servers, made: Front) -> None:
    """Until it can be told what to do."""
    control = made.options.get("socket") or made.options.get("admin", "").removeprefix("unix/")
    where = control or (_ADDRESS, made.port)
    try:
        await eventually(lambda: _accepts(where), made.kind, seconds=20)
    except TimeoutError as error:
        raise RuntimeError(f"{error}\n{servers.log(made.kind)}") from None


_Started = tuple[subprocess.Popen[bytes], dict[str, Any]]


def _caddy(servers: Servers, folder: Path, path: Path, port: int) -> _Started:
    server = RouterServer(path, folder, folder / "r.sock", _ADDRESS, port)
    server.write_config()
    child = server.child()
    process = servers.run("caddy", child.argv, env=child.env, cwd=child.cwd)
    return process, server.document("")["options"]


def _nginx(servers: Servers, folder: Path, path: Path, port: int) -> _Started:
    config = folder / "nginx.conf"
    # The folder is closed to others; only for root would it work as somebody else.
    user = "user root;\n" if os.geteuid() == 0 else ""
    config.write_text(_NGINX.format(folder=folder, address=_ADDRESS, port=port, user=user))
    process = servers.run("nginx", [str(path), "-e", f"{folder}/start.log", "-c", str(config)])
    return process, {**_places(folder, path), "config": str(config)}


def _haproxy(servers: Servers, folder: Path, path: Path, port: int) -> _Started:
    del port
    config = folder / "haproxy.cfg"
    config.write_text(_HAPROXY.format(folder=folder))
    argv = [str(path), "-W", "-db", "-f", str(config), "-f", str(folder / "sites")]
    process = servers.run("haproxy", argv)
    control = {"socket": f"{folder}/admin.sock", "reload": f"kill -USR2 {process.pid}"}
    return process, {**_places(folder, path), "config": str(config), **control}


def _places(folder: Path, path: Path) -> dict[str, str]:
    return {"folder": str(folder), "sites": f"{folder}/sites", "program": str(path)}


_START = {"caddy": _caddy, "nginx": _nginx, "haproxy": _haproxy}


def _accepts(where: str | tuple[str, int]) -> bool:
    family = socket.AF_UNIX if isinstance(where, str) else socket.AF_INET
    with socket.socket(family) as client, suppress(OSError):
        client.settimeout(1)
        client.connect(where)
        return True
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port
