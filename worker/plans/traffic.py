"""What a plan does with an instance's router: look, turn requests over, ask through it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.domain.router import Route, TlsMode
from worker.plans.deployment import Deployment
from worker.steps import drifting
from worker.steps.recipe_step import any_exit
from worker.steps.routing import Router
from worker.steps.step import Failure, Note, Probe, Step, Watch

#: Tries, and seconds between them, after which an app server that answered itself should also
#: answer through the router.
_TRIES, _EVERY = 5, 1.0
#: Tries of what served until now: visitors may wait for somebody who answers.
_BRIEF_TRIES = 3
#: Seconds in which the router may get a certificate from an authority.
_FOR_CERTIFICATE = 60


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """An instance's router, and what is wanted of it."""

    router: Router
    #: The router's name, and its host's.
    name: str
    host_name: str
    #: `Step.at` of its steps.
    at: str
    #: The whole of what is wanted now.
    route: Route
    #: The same with the app servers of before and a higher version, for the way back.
    back: Route

    def find(self) -> Step:
        title = f"Find the router {self.name}"
        return Step("router-find", title, self.router.find(), again=True, at=self.at)

    def reach(self, one: Deployment) -> Step:
        """A site that answers on its own host may be out of the router's reach: a firewall."""
        failure = Failure(
            "router-cannot-reach",
            f"{one.title} does not answer its router's host {self.host_name}",
            f"Let {self.host_name} connect to {one.upstream}: see the firewalls between the two, "
            "and that the site listens there. Then repeat the job: liftlock jobs retry ID",
        )
        probe = replace(one.check, tries=_TRIES, every=_EVERY, alive=None, on_failure=failure)
        title = f"Ask {one.title} for {probe.path} from {self.host_name}, where the router is"
        return Step(f"router-reach-{one.number}", title, probe, again=True, at=self.at)

    def still_serves(self, one: Deployment) -> Step:
        """Whether the way back leads anywhere: only its silence is kept, as a fact."""
        failure = Failure("check-failed", f"{one.title} does not answer any more", one.hint)
        probe = replace(one.check, tries=_BRIEF_TRIES, every=_EVERY, alive=None, on_failure=failure)
        title = f"See whether {one.title}, in service until now, still answers"
        return Step(f"before-{one.number}", title, probe, at=self.at, finds=dead(one))

    def look(self) -> Step:
        title = f"See whether the router {self.name} is as wanted"
        question = drifting.look(self.router.read_back(self.route))
        return Step("router-look", title, question, at=self.at)

    def applied(self) -> Step:
        title = f"Record that the router has route {self.route.version}"
        data = {"route_version": self.route.version}
        return Step("record-route", title, Note("route.applied", data))

    def wanted(self) -> Step:
        """From now on it counts as drifted until it is so; undone, the way back is wanted."""
        return Step(
            "route-wanted",
            f"Record that route {self.route.version} is wanted",
            Note("route.wanted", {"version": self.route.version}),
            undo=Note("route.wanted", {"version": self.back.version}),
        )

    def turn(self) -> Iterator[Step]:
        """Requests go to the new upstreams from here on, and turn back first of all."""
        yield self.configure()
        yield from self.certificate()
        yield replace(self.switch(), undo=self.router.switch(self.back), undo_first=True)
        yield self.read_back()

    def configure(self) -> Step:
        title = f"Tell the router {self.name} how the site is reached"
        return Step("router-configure", title, self.router.configure(self.route), at=self.at)

    def certificate(self) -> Iterator[Step]:
        """One that an authority has to sign is waited for while requests go where they went."""
        name = self.route.domain
        if self.route.tls.mode is TlsMode.AUTO:
            failure = Failure(
                "certificate-missing",
                f"The router {self.name} has no certificate for {name} after {_FOR_CERTIFICATE} s",
                f"See its log on {self.host_name}; {name} must lead there, and the authority must "
                "reach its ports. Then repeat the job: liftlock jobs retry ID",
            )
            probe = Probe(
                port=self.router.tls_port,
                path=self.router.own_path,
                status=(200,),
                tries=_FOR_CERTIFICATE,
                every=1,
                timeout=10,
                contains=None,
                alive=None,
                on_failure=failure,
                address=self.router.address,
                name=name,
                tls=True,
            )
            title = f"Wait until the router {self.name} has a certificate for {name}"
            yield Step("router-certificate", title, probe, at=self.at)

    def switch(self) -> Step:
        to = ", ".join(self.route.upstreams) or "nobody: they are told to come again"
        title = f"Pass new requests on to {to}"
        return Step("router-switch", title, self.router.switch(self.route), at=self.at)

    def read_back(self) -> Step:
        title = f"Read back what the router {self.name} really does"
        return Step("router-read-back", title, self.router.read_back(self.route), at=self.at)

    def ask(self, one: Deployment) -> Step:
        """The check of the recipe, as a visitor sees it."""
        path = one.recipe.check.path_for(one.environment)
        failure = Failure(
            "check-failed",
            f"The site does not answer {path} through its router {self.name}",
            f"See how the router is set: liftlock routers show {self.name}; and read the log of "
            f"{one.title}, which this job shows.",
        )
        title = f"Ask for {path} through the router"
        return Step("router-ask", title, self._probe(one, path, failure), at=self.at)

    def watch(self, targets: tuple[Deployment, ...], seconds: float) -> Step:
        """The check and the `smoke` pages for a while; a broken site turns everything back.

        Each app server is asked by itself as well: behind the router, one hides another.
        """
        through = [self._through(targets[0], probe) for probe in watched(targets[0])]
        directly = [self._directly(one) for one in targets]
        title = f"Watch the site for {seconds:g} s through the router"
        return Step("watch", title, Watch((*through, *directly), seconds), at=self.at)

    def _through(self, one: Deployment, probe: Probe) -> Probe:
        return replace(self._probe(one, probe.path, probe.on_failure), contains=probe.contains)

    def _directly(self, one: Deployment) -> Probe:
        """As the router sees it; whether its process lives is known on its own host alone."""
        check = watched(one)[0]
        return check if one.host_name == self.host_name else replace(check, alive=None)

    def _probe(self, one: Deployment, path: str, failure: Failure) -> Probe:
        tls = self.route.tls.mode is not TlsMode.OFF
        return replace(
            one.check,
            port=self.router.tls_port if tls else self.router.plain_port,
            path=path,
            tries=_TRIES,
            every=_EVERY,
            alive=None,
            on_failure=failure,
            address=self.router.address,
            name=self.route.domain,
            tls=tls,
        )


def dead(one: Deployment) -> str:
    """The fact that it did not answer before the switch."""
    return f"dead_{one.number}"


def watched(one: Deployment) -> tuple[Probe, ...]:
    """How the app server is asked on its own host while it is watched: check, then `smoke`."""
    check = one.check
    return tuple(
        _broken(one, check, path) for path in dict.fromkeys((check.path, *one.recipe.smoke))
    )


def _broken(one: Deployment, check: Probe, path: str) -> Probe:
    failure = Failure(
        "site-broken",
        f"{one.title} answers {path} wrongly after the switch",
        f"Read the log of {one.title}, which this job shows; it is kept, out of service: "
        f"liftlock app-servers list {one.instance}",
    )
    if path != check.path or check.alive is None:
        return replace(check, path=path, contains=None, alive=None, on_failure=failure)
    died = replace(failure, title=f"{one.title} stopped by itself after the switch")
    alive = replace(check.alive, failures=any_exit(died))
    return replace(check, alive=alive, on_failure=failure)
