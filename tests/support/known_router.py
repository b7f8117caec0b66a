"""A Caddy that a whole Liftlock knows as the router of a machine."""

import contextlib
import secrets
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx

from local import binaries
from local.router import RouterServer
from tests.support.machines import Machine
from tests.support.servers import wait_until
from tests.support.stack import Stack, free_port


@dataclass(frozen=True)
class KnownRouter:
    name: str
    server: RouterServer

    @property
    def port(self) -> int:
        return self.server.port

    def page(self, domain: str, path: str = "/") -> str:
        """What visitors of the domain get."""
        url, headers = f"{self.server.url}{path}", {"Host": domain}
        return httpx.get(url, headers=headers, trust_env=False).text.strip()

    def secure_page(self, domain: str) -> str:
        """The same over TLS; the certificate must be of the domain, by the router itself."""
        authority = self.server.directory / "state/pki/authorities/local/root.crt"
        verify = ssl.create_default_context(cafile=str(authority))
        url = f"https://{self.server.address}:{self.server.tls_port}/"
        with httpx.Client(verify=verify, trust_env=False) as client:
            name = {"sni_hostname": domain}
            return client.get(url, headers={"Host": domain}, extensions=name).text.strip()


@contextlib.contextmanager
def known_router(stack: Stack, machine: Machine, folder: Path) -> Iterator[KnownRouter]:
    """It ends with the block; `folder` is new, and not too long for a socket."""
    folder.mkdir(exist_ok=True)
    control, log = folder / "r.sock", folder / "log"
    server = RouterServer(binaries.caddy(), folder / "router", control, "127.0.0.1", free_port())
    server.write_config()
    child = server.child()
    with log.open("wb") as output:
        caddy = subprocess.Popen(child.argv, env=child.env, cwd=child.cwd, stderr=output)
    try:
        wait_until(server.answers, "the router", log=log)
        name = f"router-{secrets.token_hex(4)}"
        with stack.api as api:
            body = {**server.document(machine.name), "name": name}
            api.post("/v1/routers", json=body).raise_for_status()
        yield KnownRouter(name, server)
    finally:
        caddy.terminate()
        caddy.wait(20)
