"""Visitors of a site: each asks on one connection, counts, and never asks twice for a page."""

import http.client
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

#: How many there are, and the seconds that each rests between two pages: the load has a bound.
VISITORS, REST = 8, 0.05
PATIENCE = 20.0
#: In the page's footer: which app server made it.
SERVER = re.compile(r"App server port</dt><dd>(\d+)<")


@dataclass
class Visitors:
    """Inside the block they are there; afterwards the counts are whole."""

    port: int
    name: str
    answered: int = 0
    #: Failures by what went wrong.
    failed: Counter[str] = field(default_factory=Counter)
    #: Pages by the port of the app server that made them.
    servers: Counter[str] = field(default_factory=Counter)
    #: Seconds.
    slowest: float = 0.0
    _stopping: threading.Event = field(default_factory=threading.Event)
    _counting: threading.Lock = field(default_factory=threading.Lock)
    _threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._threads = [threading.Thread(target=self._visit) for _ in range(VISITORS)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def __str__(self) -> str:
        made = ", ".join(f"{count:,} by :{port}" for port, count in sorted(self.servers.items()))
        failures = ", ".join(f"{count} {what}" for what, count in self.failed.items())
        return "\n".join(
            (
                f"{VISITORS} visitors on open connections, no retries",
                f"  requests {self.answered + self.failed.total():,} ({made})",
                f"  failed   {self.failed.total()}{f' ({failures})' if failures else ''}",
                f"  slowest  {self.slowest * 1000:.0f} ms",
            )
        )

    def _visit(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        while not self._stopping.wait(REST):
            began = time.perf_counter()
            try:
                server = self._page(connection)
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                with self._counting:
                    self.failed[str(error) or type(error).__name__] += 1
                continue
            with self._counting:
                self.answered += 1
                self.servers[server] += 1
                self.slowest = max(self.slowest, time.perf_counter() - began)
        connection.close()

    def _page(self, connection: http.client.HTTPConnection) -> str:
        """The port of the app server that answered; raises HTTPException for a wrong answer."""
        connection.request("GET", "/", headers={"Host": f"{self.name}:{self.port}"})
        answer = connection.getresponse()
        text = answer.read().decode(errors="replace")
        if answer.status != http.client.OK:
            raise http.client.HTTPException(f"status {answer.status}")
        if (server := SERVER.search(text)) is None:
            raise http.client.HTTPException("another page")
        return server.group(1)
