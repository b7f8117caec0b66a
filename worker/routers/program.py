"""A router on its host: each thing it can be told, as one command."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.domain.router import CannotRoute, Route, TlsMode, check
from worker.routers import script
from worker.routers.checks import check_instance, check_route
from worker.routers.dialect import COME_AGAIN, PATH, SLOTS, Dialect
from worker.routers.page import NOBODY, pages
from worker.steps.step import Command, Failure

_LONGEST_CLOSED = 86_400 * 30
_OPTIONS = ("address", "admin", "bind", "config", "program", "reload", "socket")


@dataclass(frozen=True)
class Program:
    """See `worker.steps.routing.Router`; `options` are as `app.domain.router_options` has them.

    Every method that takes a route raises CannotRoute for one that this router cannot have.
    """

    dialect: Dialect
    options: Mapping[str, str | int]
    sudo: bool

    @property
    def own_path(self) -> str:
        return PATH

    @property
    def plain_port(self) -> int:
        return int(self.options["http_port"])

    @property
    def tls_port(self) -> int:
        return int(self.options["https_port"])

    @property
    def address(self) -> str:
        return str(self.options["address"])

    def find(self) -> Command:
        return self._command(script.FIND, {"INSTANCE": "none"}, timeout=60)

    def configure(self, route: Route) -> Command:
        return self._command(script.CONFIGURE, self._route(route), reports=("reloaded",))

    def switch(self, route: Route) -> Command:
        return self._command(script.SWITCH, self._route(route), reports=("upstreams",))

    def read_back(self, route: Route) -> Command:
        return self._command(script.READ_BACK, self._route(route), reports=("upstreams",))

    def close(self, route: Route, *, message: str, retry_after: int) -> Command:
        if not 0 < retry_after <= _LONGEST_CLOSED:
            raise CannotRoute(f"`Retry-After` is 1 to {_LONGEST_CLOSED} seconds: {retry_after}.")
        notice = {
            **pages(message),
            "RETRY_AFTER": str(retry_after),
            "NOTICE": _digest(message, str(retry_after)),
        }
        return self._command(script.CLOSE, {**self._route(route), **notice})

    def open(self, route: Route) -> Command:
        return self._command(script.OPEN, self._route(route))

    def forget(self, instance: str) -> Command:
        check_instance(instance)
        return self._command(script.FORGET, {"INSTANCE": instance})

    def _route(self, route: Route) -> dict[str, str]:
        route = replace(route, hold=route.hold or float(self.options["hold"]))
        check(self.dialect.kind, route)
        check_route(route)
        upstreams = sorted(set(route.upstreams))
        spread = [upstreams[slot % len(upstreams)] for slot in range(SLOTS)] if upstreams else []
        is_file = route.tls.mode is TlsMode.FILES
        return {
            **pages(NOBODY),
            "RETRY_AFTER": str(COME_AGAIN),
            "INSTANCE": route.instance,
            "VERSION": str(route.version),
            "DOMAIN": route.domain.lower(),
            "TEXT": self.dialect.site(route, self.options),
            "UPSTREAMS": " ".join(upstreams),
            "ADDRESSES": " ".join(spread),
            "SET": _digest(*upstreams),
            "CERTIFICATE": route.tls.certificate if is_file else "",
            "KEY": route.tls.key if is_file else "",
        }

    def _command(
        self,
        verb: str,
        env: Mapping[str, str],
        *,
        reports: tuple[str, ...] = (),
        timeout: float = 120,  # seconds
    ) -> Command:
        folders = {"FOLDER": str(self.options["folder"]), "SITES": str(self.options["sites"])}
        own = {name.upper(): str(self.options.get(name, "")) for name in _OPTIONS}
        return Command(
            script.PRELUDE + self.dialect.functions + verb,
            env={
                **own,
                **env,
                **{name: path for name, path in folders.items() if path.startswith("/")},
                "HTTP_PORT": str(self.plain_port),
                "HTTPS_PORT": str(self.tls_port),
                "SHARED": self.dialect.shared,
                "SUFFIX": self.dialect.suffix,
                "SUDO": "sudo -n" if self.sudo else "",
            },
            paths={name: path for name, path in folders.items() if not path.startswith("/")},
            timeout=timeout,
            reports=reports,
            failures=_failures(str(self.dialect.kind)),
        )


def _digest(*words: str) -> str:
    return hashlib.sha256("\n".join(words).encode()).hexdigest()[:8]


def _failures(kind: str) -> dict[int, Failure]:
    see = "See what docs/routers.md asks of it, and its options: liftlock routers show NAME"
    return {
        61: Failure("router-missing", f"What {kind} needs is missing on its host", see),
        62: Failure("router-refused", f"{kind} refuses the configuration", see),
        63: Failure(
            "router-unreachable",
            f"{kind} does not answer on its host",
            "Start it there and see its log, then repeat the job: liftlock jobs retry ID",
        ),
        64: Failure(
            "router-drifted",
            f"{kind} is not configured as it was told to be",
            "Find who else changes it, then repeat the job: liftlock jobs retry ID",
        ),
    }
