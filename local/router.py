"""One Caddy that passes requests on to sites: it begins empty, and jobs put the routes in."""

import contextlib
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import binaries, ports
from local.children import Child
from local.data import PLAIN, Data
from local.parts import plain_environment

NAME, ADDRESS = "router", "127.0.0.1"
FIRST_PORT = 8711
#: What the demo's router is called in Liftlock.
DEMO_NAME = "demo-router"
CONFIG = """\
# Written by Liftlock at every start; changes are lost. The sites stand in sites/.
{{
	admin "unix/{control}"
	persist_config off
	auto_https disable_redirects
	skip_install_trust
	grace_period 8s
	default_bind {address}
	http_port {port}
	https_port {tls_port}
	storage file_system {directory}/state
}}
# Without any site the port would be free for others to take.
http://nobody.invalid {{
	respond 404
}}
import sites/*
"""


@dataclass(frozen=True)
class RouterServer:
    program: Path
    #: Its configuration, the sites, where requests for each go now, and what it keeps.
    directory: Path
    #: Its admin socket; a TCP port would be open to every user of the machine.
    control: Path
    address: str
    port: int

    @property
    def config(self) -> Path:
        return self.directory / "Caddyfile"

    @property
    def sites(self) -> Path:
        """One file for each site; the configuration takes them all in."""
        return self.directory / "sites"

    @property
    def tls_port(self) -> int:
        """Nothing listens there until a site wants TLS."""
        return self.port + 1

    @property
    def url(self) -> str:
        return ports.url(self.address, self.port)

    def write_config(self) -> None:
        for folder in (self.directory, self.sites):
            folder.mkdir(mode=0o700, exist_ok=True)
        self.config.write_text(
            CONFIG.format(
                control=self.control,
                address=self.address,
                port=self.port,
                tls_port=self.tls_port,
                directory=self.directory,
            )
        )

    def child(self) -> Child:
        argv = (str(self.program), "run", "--adapter", "caddyfile", "--config", str(self.config))
        # It must keep nothing in the user's home.
        env = {**plain_environment(), "HOME": str(self.directory)}
        return Child(name=NAME, argv=argv, env=env, cwd=self.directory)

    def document(self, host: str) -> dict[str, Any]:
        """The router as the API takes it; the host of that name must see its folder."""
        options = {
            "folder": str(self.directory),
            "sites": str(self.sites),
            "config": str(self.config),
            "program": str(self.program),
            "admin": f"unix/{self.control}",
            "address": self.address,
            "bind": self.address,
            "http_port": self.port,
            "https_port": self.tls_port,
        }
        return {"name": DEMO_NAME, "kind": "caddy", "host": host, "options": options}

    def answers(self) -> bool:
        """Whether its admin socket accepts connections (blocks for at most 1 s)."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(self.control))
            return True
        return False


def prepare(data: Data, held: contextlib.ExitStack, port: int | None) -> RouterServer | None:
    """None where it cannot be. Without a port: that of last time, or the first free one.

    `held` keeps other stacks from the port until it listens.
    """
    # No configuration file quotes its name well, and Caddy takes some letters for patterns.
    if not binaries.has_caddy() or not PLAIN.fullmatch(f"{data.directory}{binaries.caddy()}"):
        return None
    known = data.state.router_port if port is None else port
    if known is None:
        known, mark = ports.claim_first(ADDRESS, FIRST_PORT)
        held.enter_context(mark)
    else:
        known = ports.claim(ADDRESS, known, option="--router-port")
    data.state.router_port = known
    data.save()
    control = data.reach / "run" / "router.sock"
    return RouterServer(binaries.caddy(), data.directory / "router", control, ADDRESS, known)
