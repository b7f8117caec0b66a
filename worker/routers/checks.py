"""What goes into a router's configuration is checked first: nothing there can be quoted well."""

import ipaddress
import re

from app.domain.naming import is_address
from app.domain.router import CannotRoute, Route, TlsMode
from worker.routers.dialect import SLOTS

_INSTANCE = re.compile(r"[a-z0-9][a-z0-9-]*")
_FILE = re.compile(r"/[A-Za-z0-9 ._/+@:,=~-]+")
_HIGHEST_PORT = 65535


def check_route(route: Route) -> None:
    """Raises CannotRoute."""
    check_instance(route.instance)
    # A last label of digits would be an address for one router and a name for another.
    if route.domain and not is_address(route.domain.lower()):
        raise CannotRoute(f"{route.domain!r} is no domain.")
    if len(route.upstreams) > SLOTS:
        raise CannotRoute(f"A route has {SLOTS} upstreams at most, not {len(route.upstreams)}.")
    for upstream in route.upstreams:
        _check_upstream(upstream)
    _check_tls(route)


def check_instance(name: str) -> None:
    if not _INSTANCE.fullmatch(name):
        raise CannotRoute(f"{name!r} is no name of an instance.")


def _check_upstream(text: str) -> None:
    host, _, port = text.rpartition(":")
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        raise CannotRoute(
            f"{text!r} is no upstream: routers take `address:port` with an IPv4 address, since"
            " nginx and HAProxy would have to ask somebody for a name at each switch."
        ) from None
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= _HIGHEST_PORT):
        raise CannotRoute(f"{text!r} has no port between 1 and {_HIGHEST_PORT}.")


def _check_tls(route: Route) -> None:
    mode = route.tls.mode
    if mode in {TlsMode.AUTO, TlsMode.INTERNAL} and not route.domain:
        raise CannotRoute(f"A certificate of TLS `{mode}` is for a domain, and there is none.")
    if mode is TlsMode.FILES:
        for path in (route.tls.certificate, route.tls.key):
            if not _FILE.fullmatch(path):
                raise CannotRoute(
                    f"{path!r} is no absolute path of letters, digits, spaces and"
                    " . _ / + @ : , = ~ - for a certificate or a key."
                )
