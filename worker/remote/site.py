"""A port that a host can reach, and what is asked of it over an open channel."""

import ssl
from dataclasses import dataclass

from worker.remote import http
from worker.remote.host import HttpAnswer
from worker.remote.http import Reader, Writer
from worker.remote.tls import Tls


@dataclass(frozen=True)
class Site:
    address: str  # an IP address or a name, as the host knows it
    port: int
    name: str  # what is asked for; empty: the place itself
    tls: bool

    @property
    def place(self) -> str:
        """`127.0.0.1:8000`, `[::1]:8000`."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"

    def url(self, path: str) -> str:
        """What is asked, for people: with a name also where."""
        scheme = "https" if self.tls else "http"
        if self.name:
            return f"{scheme}://{self.name}{path} at {self.place}"
        return f"{scheme}://{self.place}{path}"


async def ask(reader: Reader, writer: Writer, site: Site, path: str) -> HttpAnswer:
    """GET the path; whatever is no TLS, when that is wanted, or no HTTP comes as a problem."""
    host = site.name or site.place
    if not site.tls:
        return await http.get(reader, writer, host=host, path=path)
    tls = Tls(reader, writer, name=site.name)
    try:
        await tls.handshake()
        return await http.get(tls, tls, host=host, path=path)
    except ssl.SSLError as error:
        why = error.reason or "it hung up"
        return HttpAnswer(0, "", problem=f"it does not speak TLS: {why}")
