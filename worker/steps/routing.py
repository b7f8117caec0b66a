"""What every router can be told, as commands for its own host; nothing here connects anywhere."""

from typing import Protocol

from app.domain.router import Route
from worker.steps.step import Command


class Router(Protocol):
    """One router program on one host; every command may be repeated and then changes nothing.

    A command that is given a route of a lower version than the router has refuses it
    (`router-drifted`). None of them ends a connection that a client has open, except that
    `configure` and `forget` may, when they reload: the first for another domain, TLS or `hold`,
    never for other upstreams. Methods that take a route raise `app.domain.router.CannotRoute` for
    one that the router cannot have: a capability that it lacks, a domain that is none, an upstream
    that is no IPv4 address with a port, more than 60 of them.
    """

    def find(self) -> Command:
        """Look whether the program answers and its folders can be written. Changes nothing."""
        ...

    def configure(self, route: Route) -> Command:
        """Bring it to the whole of the route: written beside, tested by the program itself, moved
        into place, reloaded. Nothing is reloaded when only the upstreams differ, or nothing does:
        those are what `switch` is for, except that the first time they are taken at once.
        Reports `reloaded` (yes or no).
        """
        ...

    def switch(self, route: Route) -> Command:
        """Pass new requests on to the route's upstreams, and lose none; it was configured before.

        Requests under way end where they are. Reports `upstreams`, as they are now.
        """
        ...

    def read_back(self, route: Route) -> Command:
        """Exit 0 when what is really configured is this route (version and closing apart), else a
        `router-drifted` failure whose last words are what was found and what was wanted. Reports
        `upstreams`.
        """
        ...

    def close(self, route: Route, *, message: str, retry_after: int) -> Command:
        """From now on everybody gets 503 with `Retry-After` (seconds) and the message, as HTML or,
        where JSON is asked for, as a problem. It lasts through switches and restarts.
        """
        ...

    def open(self, route: Route) -> Command:
        """End what `close` began."""
        ...

    def forget(self, instance: str) -> Command:
        """Remove the route; a router that has none is content."""
        ...

    @property
    def own_path(self) -> str:
        """Below the name of any route, it answers this path with 200 by itself."""
        ...

    @property
    def plain_port(self) -> int:
        """Where it takes HTTP, on its host; for probes through it."""
        ...

    @property
    def tls_port(self) -> int: ...

    @property
    def address(self) -> str:
        """What its host connects to for those ports."""
        ...
