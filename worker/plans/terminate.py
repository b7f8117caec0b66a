"""Terminate: an app server is stopped and its files are removed; it may be asked for again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from app.domain.job import JobKind
from worker.plans.deployment import Deployment
from worker.plans.plan import Plan
from worker.steps import background, removing
from worker.steps.machine import DestroyMachine
from worker.steps.step import Note, Step


@dataclass(frozen=True, kw_only=True)
class TerminateRequest:
    """The app server that is to go, which is not in service."""

    target: Deployment
    own_host: str
    #: Removes the host with all that is on it, unless another app server is; None for a host that
    #: somebody registered.
    machine: DestroyMachine | None = None
    #: Somebody states that it is gone: nothing is stopped or removed, and no host is asked.
    gone: bool = False


def plan(request: TerminateRequest) -> Plan:
    """Nothing is undone: what is half gone is repeated until it is gone."""
    one, at = request.target, request.target.at(request.own_host)
    note = Note("app-server.terminated", {"id": str(one.id)})
    record = Step("record-terminated", f"Record that {one.title} is gone", note)
    if request.gone:
        return Plan(JobKind.TERMINATE, (record,))
    files = removing.remove(one.site)
    on_host = (
        *_background(request),
        Step("stop", f"Stop {one.title}", removing.stop(one.service), at=at),
        Step("remove", f"Remove the files of {one.title}", files, at=at),
    )
    return Plan(JobKind.TERMINATE, (*_removed(request, on_host), record), hint=one.hint)


def _removed(request: TerminateRequest, on_host: Iterable[Step]) -> Iterator[Step]:
    """Whatever goes with a machine anyway is no reason to keep that."""
    if request.machine is None:
        yield from on_host
        return
    for step in on_host:
        yield replace(step, dispensable=True)
    title = f"Have {request.machine.provider} remove {request.target.host_name}"
    title = f"{title}, unless another app server is on it"
    yield Step("destroy-machine", title, request.machine)


def _background(request: TerminateRequest) -> Iterator[Step]:
    """They are stopped already, unless its host was cut off when it went out of service."""
    one, section = request.target, request.target.recipe.background
    if section:
        failure = background.failed(one.title, "stop", one.hint)
        yield Step(
            "background-stop",
            f"Stop the background parts of {one.title}, if any of them still runs",
            removing.stop_background(section.stop, one.surroundings, failure),
            at=one.at(request.own_host),
        )
