"""The demo hosts of `up --demo`: two folders of this machine that are reached by SSH."""

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncssh
import httpx

from local import binaries, ports
from local.children import Child
from local.data import Data
from local.errors import Failed
from local.parts import python_child
from local.router import RouterServer

NAMES = ("demo-1", "demo-2")
ADDRESS = "127.0.0.1"
USER = "demo"
#: The name of the short-lived token that registers the hosts.
TOKEN = "up-demo"  # noqa: S105  (a name)
FIRST_SSH_PORT = 8721
FIRST_SITE_PORT, SITE_PORTS = 20000, 100
#: The only variables of `up` that reach a host: without them some networks cannot install packages.
NETWORK = ("PIP_", "UV_", "SSL_CERT_", "REQUESTS_CA_", "CURL_CA_", "GIT_SSL_", "TZ", "LANG")
SUPERVISORD = """\
; Written by Liftlock at every start; sites stand in supervisor.d/.
[unix_http_server]
file = {socket}
chmod = 0700
[supervisord]
nodaemon = true
logfile = supervisord.log
logfile_maxbytes = 1MB
pidfile = supervisord.pid
childlogdir = {logs}
{user}[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl = unix://{socket}
[include]
files = supervisor.d/*.conf
"""


@dataclass(frozen=True)
class DemoHost:
    """A folder that plays a machine; its keys and ports stay the same over restarts."""

    name: str
    home: Path
    port: int
    key: Path
    host_key: str
    control: Path

    @property
    def authorized_keys(self) -> Path:
        return self.home / ".ssh" / "authorized_keys"

    @property
    def first_site_port(self) -> int:
        return FIRST_SITE_PORT + SITE_PORTS * (self.port - FIRST_SSH_PORT)

    def children(self) -> list[tuple[Child, Callable[[], bool]]]:
        """The SSH server and the supervisord, each with its test of readiness."""
        env = environment(self.home)
        ssh = python_child(
            f"{self.name}-ssh", "local.demo_host", self._arguments(), env=env, cwd=self.home
        )
        # Not through python_child: the sites would inherit the path to our own packages.
        program = (sys.executable, "-P", "-m", "supervisor.supervisord")
        supervisord = Child(
            name=f"{self.name}-supervisord",
            argv=(*program, "-n", "-c", str(self.home / "supervisord.conf")),
            env=env,
            cwd=self.home,
            stop=((signal.SIGTERM, 20.0),),
        )
        return [(ssh, self._answers), (supervisord, self.control.exists)]

    def document(self) -> dict[str, Any]:
        """The host as the API takes it."""
        return {
            "name": self.name,
            "address": ADDRESS,
            "port": self.port,
            "user": USER,
            "host_key": self.host_key,
            "supervisor": "supervisord",
            "supervisor_options": {
                "config": str(self.home / "supervisord.conf"),
                "conf_dir": str(self.home / "supervisor.d"),
                "command": str(binaries.supervisorctl()),
            },
            "port_first": self.first_site_port,
            "port_last": self.first_site_port + SITE_PORTS - 1,
        }

    def admit(self, public_key: str) -> None:
        """Let the key log in; others that were added by hand stay."""
        path = self.authorized_keys
        lines = path.read_text().splitlines()
        if public_key.strip() not in lines:
            path.write_text("\n".join([*lines, public_key.strip(), ""]))

    def _arguments(self) -> tuple[str, ...]:
        return ("--root", str(self.home), "--port", str(self.port), "--host-key", str(self.key))

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((ADDRESS, self.port), 1):
            return True
        return False


class Api:
    """The few requests that registering needs."""

    def __init__(self, address: str, token: str) -> None:
        self._client = httpx.AsyncClient(
            base_url=address,
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def register(self, hosts: Sequence[DemoHost], router: RouterServer | None) -> None:
        """Admit Liftlock's key to the hosts, and make them and the router known."""
        identity = await self._ask("GET", "/v1/identity")
        for host in hosts:
            host.admit(identity["authorized_keys"])
            await self._make_known("hosts", host.document())
        if router is not None:
            # Its folder is the same on each of the two: they are this machine.
            await self._make_known("routers", router.document(hosts[0].name))

    async def forget_token(self, name: str) -> None:
        for token in (await self._ask("GET", "/v1/tokens?limit=200"))["items"]:
            if token["name"] == name and not token.get("revoked_at"):
                await self._ask("DELETE", f"/v1/tokens/{token['id']}")

    async def _make_known(self, kind: str, wanted: Mapping[str, Any]) -> None:
        path = f"/v1/{kind}/{wanted['name']}"
        found = await self._client.get(path)
        if found.status_code == httpx.codes.NOT_FOUND:
            await self._ask("POST", f"/v1/{kind}", wanted)
            return
        known = _answer(found)
        changed = {key: value for key, value in wanted.items() if not _is(known.get(key), value)}
        if changed:
            headers = {"If-Match": found.headers["ETag"]}
            await self._ask("PATCH", path, changed, headers)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        return _answer(await self._client.request(method, path, json=body, headers=headers))


def prepare(data: Data, held: contextlib.ExitStack) -> list[DemoHost]:
    """Make the folders and keys of the hosts, and choose their ports, at the first start.

    `held` keeps other stacks from the ports until the hosts listen.
    """
    binaries.supervisorctl()
    return [_prepare(data, name, held) for name in NAMES]


def environment(home: Path) -> dict[str, str]:
    """What a login on the host sees; nothing of `up` but the way to the network."""
    network = {
        name: value
        for name, value in os.environ.items()
        if name.startswith(NETWORK) or name.lower().endswith("_proxy")
    }
    # The programs of the Python that runs us come last, for machines that have no other.
    own = Path(sys.executable).resolve().parent
    return {
        **network,
        "PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), str(own)]),
        "HOME": str(home),
        "USER": USER,
        "LOGNAME": USER,
        "SHELL": "/bin/sh",
    }


def _prepare(data: Data, name: str, held: contextlib.ExitStack) -> DemoHost:
    home = data.directory / "hosts" / name
    for folder in (home / ".ssh", home / "supervisor.d", home / "log"):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    (home / ".ssh" / "authorized_keys").touch(mode=0o600)
    key = home.with_name(f"{name}.key")
    if not key.exists():
        descriptor = os.open(key, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(asyncssh.generate_private_key("ssh-ed25519").export_private_key())
    public = asyncssh.read_private_key(key).export_public_key().decode().split()
    control = data.reach / "run" / f"{name}.sock"
    user = "user = root\n" if os.geteuid() == 0 else ""
    (home / "supervisord.conf").write_text(
        SUPERVISORD.format(socket=control, logs="log", user=user)
    )
    return DemoHost(name, home, _port(data, name, held), key, " ".join(public[:2]), control)


def _port(data: Data, name: str, held: contextlib.ExitStack) -> int:
    known = data.state.demo_ports
    if name in known:
        return ports.claim(ADDRESS, known[name], option=f"the port of {name} in state.json")
    known[name], mark = ports.claim_first(ADDRESS, FIRST_SSH_PORT)
    held.enter_context(mark)
    data.save()
    return known[name]


def _is(known: Any, wanted: Any) -> bool:
    """Whether it is so already; options are answered with the defaults of others filled in."""
    if isinstance(known, dict) and isinstance(wanted, dict):
        return {**known, **wanted} == known
    return bool(known == wanted)


def _answer(response: httpx.Response) -> Any:
    if response.is_success:
        return response.json() if response.content else None
    request = response.request
    raise Failed(
        f"{request.method} {request.url} was answered with {response.status_code}:"
        f" {response.text[:500]}"
    )
