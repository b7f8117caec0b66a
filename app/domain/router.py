"""Routers: programs that pass requests on to app servers, and what each can be told."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class RouterKind(StrEnum):
    CADDY = "caddy"
    NGINX = "nginx"
    HAPROXY = "haproxy"


class TlsMode(StrEnum):
    #: Plain HTTP only.
    OFF = "off"
    #: A certificate that the router gets by itself, from a public authority (ACME).
    AUTO = "auto"
    #: A certificate that the router makes by itself, which no browser trusts.
    INTERNAL = "internal"
    #: A certificate and its key in files on the router's host.
    FILES = "files"


@dataclass(frozen=True)
class Tls:
    mode: TlsMode = TlsMode.OFF
    #: Absolute paths on the router's host; for `files` only.
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True)
class Capabilities:
    """What a kind of router can do; asked for anything else, it is refused before it is tried."""

    tls: frozenset[TlsMode]
    #: Whether it can hold requests back while no app server answers.
    holds: bool


CAPABILITIES = {
    RouterKind.CADDY: Capabilities(frozenset(TlsMode), holds=True),
    RouterKind.NGINX: Capabilities(frozenset({TlsMode.OFF, TlsMode.FILES}), holds=False),
    RouterKind.HAPROXY: Capabilities(frozenset({TlsMode.OFF, TlsMode.FILES}), holds=False),
}


@dataclass(frozen=True)
class Pause:
    """How long a router is left alone after a job failed to tell it something.

    It doubles with each job that failed since the last success and the last new wish.
    """

    first: timedelta = timedelta(minutes=1)
    longest: timedelta = timedelta(hours=1)


#: For whoever says so by hand: it is tried at once.
NO_PAUSE = Pause(timedelta(), timedelta())


@dataclass(frozen=True)
class Route:
    """What an instance wants of its router: the whole of it, not a change."""

    instance: str
    #: Empty: every name that no other route has.
    domain: str = ""
    tls: Tls = field(default_factory=Tls)
    #: `host:port` of the app servers in service; none: everybody is told to come again.
    upstreams: tuple[str, ...] = ()
    #: Only grows; the router keeps it, and refuses to go back to a lower one.
    version: int = 0
    #: Seconds that a request is held while no app server answers; 0: not at all.
    hold: float = 0.0


class CannotRoute(Exception):
    """The router has not the capability that a route asks for; the text is a sentence."""


def check(kind: RouterKind, route: Route) -> None:
    """Raises CannotRoute for what this kind of router cannot do."""
    capabilities = CAPABILITIES[kind]
    if route.tls.mode not in capabilities.tls:
        able = ", ".join(sorted(capabilities.tls))
        raise CannotRoute(f"{kind} cannot do TLS `{route.tls.mode}`; it can do: {able}.")
    if route.hold and not capabilities.holds:
        raise CannotRoute(f"{kind} cannot hold requests back; leave `hold` at 0.")
