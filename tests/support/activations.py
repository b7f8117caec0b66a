"""App servers of one instance, a router on paper, and the plans that are made of them."""

from collections.abc import Iterable
from uuid import UUID

from app.domain.recipe import Recipe, parse
from app.domain.router import Route, Tls
from worker.plans import activate
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.plans.traffic import Traffic
from worker.steps.step import Command, Note, Step

SITE = """
name: site
start: {run: exec serve}
check: {path: /up, status: [200, 204], contains: Welcome, tries: 3, every: 0.1}
smoke: [/basket, /up]
"""
BACKGROUND = """
background:
  start: [{name: worker, run: start worker}, {name: cron, run: start cron}]
  stop: [{name: cron, run: stop cron}, {name: worker, run: stop worker}]
"""
PLAIN, COLD, OVERLAPPING = (
    parse(SITE + more) for more in ("", BACKGROUND, f"{BACKGROUND}  overlap: true\n")
)


class PaperRouter:
    """Its commands say what they were asked for."""

    plain_port, tls_port, address, own_path = 80, 443, "127.0.0.1", "/known"

    def find(self) -> Command:
        return Command("find")

    def configure(self, route: Route) -> Command:
        return _told("configure", route)

    def switch(self, route: Route) -> Command:
        return _told("switch", route)

    def read_back(self, route: Route) -> Command:
        return _told("read back", route)

    def close(self, route: Route, *, message: str, retry_after: int) -> Command:
        return _told(f"close {message} {retry_after}", route)

    def open(self, route: Route) -> Command:
        return _told("open", route)

    def forget(self, instance: str) -> Command:
        return Command("forget", env={"INSTANCE": instance})


def _told(what: str, route: Route) -> Command:
    return Command(what, env={"TO": " ".join(route.upstreams), "VERSION": str(route.version)})


def server(
    number: int, *, recipe: Recipe = PLAIN, host: str = "web1", **more: object
) -> Deployment:
    values = {
        "id": UUID(int=number),
        "number": number,
        "instance": "shop",
        "revision": f"v{number}",
        "recipe": recipe,
        "environment": {},
        "port": 20000 + number,
        "commit": "abc",
        "domain": "shop.example.org",
        "secret_names": ("TOKEN",),
        "host_name": host,
    }
    return Deployment(**{**values, **more})


def traffic(
    targets: Iterable[Deployment],
    before: Iterable[Deployment],
    *,
    at: str = "",
    tls: Tls | None = None,
) -> Traffic:
    """Version 5, and 6 for the way back."""

    def route(some: Iterable[Deployment], version: int) -> Route:
        upstreams = tuple(one.upstream for one in some)
        return Route("shop", "shop.example.org", tls or Tls(), upstreams, version)

    return Traffic(
        router=PaperRouter(),
        name="front",
        host_name=at or "web1",
        at=at,
        route=route(targets, 5),
        back=route(before, 6),
    )


def activation(
    *targets: Deployment,
    before: tuple[Deployment, ...] = (),
    routed: bool = True,
    router_at: str = "",
    tls: Tls | None = None,
    **more: object,
) -> Plan:
    """Of a job whose own host is web1."""
    found = traffic(targets, before, at=router_at, tls=tls) if routed else None
    values = {"targets": targets, "before": before, "traffic": found, "own_host": "web1"}
    return activate.plan(activate.ActivateRequest(**{**values, "route_version": 5, **more}))


def undone(plan: Plan, *, after: str) -> list[str]:
    """What is done when the step of this name has failed: undos in the engine's order."""
    names = [step.name for step in plan.steps]
    begun = plan.steps[names.index(after) :: -1]
    order = [step for first in (True, False) for step in begun if step.undo_first is first]
    return [_words(step, step.undo) for step in order if step.undo]


def _words(step: Step, undo: Command | Note) -> str:
    """The step's name and what its undo is about."""
    match undo:
        case Note():
            about = " ".join(
                f"{name}={len(value) if isinstance(value, list) else value}"
                for name, value in sorted(undo.data.items())
            )
        case Command() if "TO" in undo.env:
            about = f"{undo.env['TO']} {undo.env['VERSION']}"
        case Command() if "RELEASE" in undo.env:
            about = undo.env["RELEASE"]
        case Command():
            about = " ".join(line for line in undo.script.splitlines() if line.startswith("st"))
    return f"{step.name}: {about}".strip()
