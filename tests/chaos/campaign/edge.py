"""The campaign's router: a Caddy on the first host, in front of the sites of a few instances."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import binaries
from local.router import RouterServer
from tests.chaos.campaign.hosts import Host
from tests.chaos.campaign.network import free_port
from tests.chaos.campaign.processes import Program

#: Where it listens in a namespace of its own, below the ports of sites.
_PORT = 8080


@dataclass
class Edge(Program):
    """`folder` holds what the judge reads."""

    folder: Path
    host: Host
    server: RouterServer = field(init=False)

    def __post_init__(self) -> None:
        place = self.host.place
        port = _PORT if place.prefix else free_port()
        socket = self.folder.with_suffix(".sock")
        self.server = RouterServer(binaries.caddy(), self.folder, socket, place.address, port)
        self.server.write_config()

    def body(self) -> dict[str, object]:
        """For POST /v1/routers."""
        return {**self.server.document(self.host.name), "name": self.name}

    def argv(self) -> tuple[str, ...]:
        return (*self.host.place.prefix, *self.server.child().argv)

    def options(self) -> dict[str, Any]:
        child = self.server.child()
        return {"cwd": child.cwd, "env": child.env}

    def answers(self) -> bool:
        return self.server.answers()
