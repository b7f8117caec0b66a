"""Traffic switches as step values: what a router is told, and how it is read back."""

from collections.abc import Mapping

from app.domain.router import RouterKind
from app.domain.router_options import checked
from worker.routers import caddy, haproxy, nginx
from worker.routers.program import Program
from worker.steps.routing import Router

_DIALECTS = {
    RouterKind.CADDY: caddy.DIALECT,
    RouterKind.NGINX: nginx.DIALECT,
    RouterKind.HAPROXY: haproxy.DIALECT,
}


def router_of(kind: RouterKind, options: Mapping[str, object], *, sudo: bool) -> Router:
    """Raises ValueError (the option, a sentence) for options that the kind does not take.

    `sudo`: nginx and HAProxy are tested, reloaded and asked by way of `sudo -n`.
    """
    return Program(_DIALECTS[kind], checked(kind, options), sudo=sudo)
