"""Install, uninstall, enable, disable: releases with other extensions take the place of those that
serve.

What serves is never changed: an app server is built beside each, of the same commit and settings.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from app.domain.extension import Change, Extension
from app.domain.job import JobKind
from worker.plans import activate, building, extension_parts, parts
from worker.plans.activate import ActivateRequest
from worker.plans.building import Building
from worker.plans.deployment import Deployment, slug
from worker.plans.plan import Plan
from worker.plans.traffic import Traffic
from worker.steps import extension, service
from worker.steps.step import Command, Note, Step


@dataclass(frozen=True, kw_only=True)
class Successor:
    """An app server that is to be made, and the one whose place it takes."""

    new: Building
    old: Deployment

    @property
    def takes_port(self) -> bool:
        """Without a router visitors know the port: one stops before the other starts."""
        return self.new.port == self.old.port


@dataclass(frozen=True, kw_only=True)
class ExtendRequest:
    """Everything the plan depends on."""

    kind: JobKind
    #: The extension that was asked for, as it is to be; for an uninstallation, as it is.
    subject: Extension
    change: Change
    #: The extensions of the releases that serve.
    have: tuple[Extension, ...]
    #: By number; at least one.
    pairs: tuple[Successor, ...]
    #: Whether the old ones are in service.
    in_service: bool
    #: To the new ones; None: nobody passes requests on.
    traffic: Traffic | None = None
    own_host: str
    route_version: int
    drain: float = 30.0
    watch: float = 60.0
    #: Whether stamps that say so already are enough.
    by_stamp: bool = False


def plan(request: ExtendRequest) -> Plan:
    """The whole change, as steps."""
    pairs = request.pairs
    if not pairs:
        return Plan(request.kind, ())  # all is as it was asked for
    found = [_found(request, pair) for pair in pairs] if request.by_stamp else []
    looks = [step for pair in pairs for step in _at(request, pair, building.looks(pair.new))]
    traffic = [request.traffic.find()] if request.traffic else []
    made = [_made(request)]
    work = [
        *(step for pair in pairs for step in _at(request, pair, _build(pair.new))),
        *_hooks(request),
        *_switch(request),
        *(step for pair in pairs for step in _at(request, pair, extension_parts.stamps(pair.new))),
        *_removals(request),
        _recorded(request),
    ]
    enough = tuple(f"installed_{pair.old.number}" for pair in pairs) if found else ()
    rest = [replace(step, unless=enough) for step in (*traffic, *looks, *made, *work)]
    last = pairs[-1].new
    return Plan(
        request.kind,
        (*found, *rest),
        on_failure=tuple(
            step
            for pair in pairs
            for step in _at(request, pair, building.when_it_failed(pair.new, pair.new.service))
        ),
        diagnose_from=len(found) + len(traffic) + len(looks) + len(made) + 1,
        hint=last.hint,
    )


def _found(request: ExtendRequest, pair: Successor) -> Step:
    subject, old = request.subject, pair.old
    return Step(
        f"extension-find-{old.number}",
        f"See which {subject.name} the release of {old.title} has",
        extension.find(old.site, old.number, subject),
        again=True,
        at=old.at(request.own_host),
    )


def _at(request: ExtendRequest, pair: Successor, steps: Iterable[Step]) -> Iterator[Step]:
    """On the pair's host, under names of their own."""
    at, number = pair.new.at(request.own_host), pair.new.number
    for step in steps:
        yield replace(step, name=f"{step.name}-{number}", at=at)


def _made(request: ExtendRequest) -> Step:
    titles = parts.titles(pair.new for pair in request.pairs)
    return Step("record-made", f"Record {titles}", Note("app-servers.made"))


def _build(one: Building) -> Iterator[Step]:
    yield from building.checkout(one)
    yield from extension_parts.listed(one)
    yield from building.actions("build", one.recipe.build, one.surroundings)
    yield from extension_parts.installed(one)
    yield from building.static(one)
    yield from extension_parts.media(one)


def _hooks(request: ExtendRequest) -> Iterator[Step]:
    """Once for the instance, whose data all its app servers share."""
    first = request.pairs[0]
    before = {one.name: one for one in request.have}
    after = {one.name: one for one in request.change.after}
    own = request.own_host

    def on(one: Deployment, steps: Iterable[Step]) -> Iterator[Step]:
        for step in steps:
            yield replace(step, at=one.at(own))

    old, new = first.old, first.new
    for name in request.change.disable:
        steps = extension_parts.hooks("disable", old, before[name], undo="enable")
        yield from on(old, steps)
    for name in request.change.enable:
        yield from on(old, _comes_back(old, before.get(name)))
        steps = extension_parts.hooks("enable", new, after[name], undo="disable")
        yield from on(new, steps)


def _removals(request: ExtendRequest) -> Iterator[Step]:
    """Nobody takes back what they remove, so nothing that may fail comes behind them."""
    old, have = request.pairs[0].old, {one.name: one for one in request.have}
    for name in request.change.uninstall:
        for step in extension_parts.hooks("uninstall", old, have[name]):
            yield replace(step, at=old.at(request.own_host))


def _comes_back(old: Deployment, before: Extension | None) -> Iterator[Step]:
    """Undone after the enabling of the new version: the version before is enabled again."""
    section = old.recipe.extension
    if before is None or not before.enabled or section is None or not section.enable:
        return
    again = list(extension_parts.hooks("enable", old, before, undo="enable"))
    yield Step(
        slug("extension-keep", before.name),
        f"Keep {before.title} at hand",
        Command(":", timeout=60),
        undo=again[0].undo,
    )


def _switch(request: ExtendRequest) -> Iterator[Step]:
    running = _running(request)
    if not request.in_service:
        for pair in request.pairs:
            yield from _started(request, pair)
        yield running
        yield from _current(request)
        return
    own_ports = [pair for pair in request.pairs if not pair.takes_port]
    for pair in own_ports:
        yield from _started(request, pair)
        if request.traffic and pair.new.host_name != request.traffic.host_name:
            yield request.traffic.reach(pair.new)
    if request.traffic and request.watch:
        for pair in request.pairs:
            yield request.traffic.still_serves(pair.old)
    taken = [pair for pair in request.pairs if pair.takes_port]
    handover = [step for pair in taken for step in _started(request, pair)]
    if not handover:
        yield running
    else:
        handover.append(running)
    yield from activate.turn(
        ActivateRequest(
            targets=tuple(pair.new for pair in request.pairs),
            before=tuple(pair.old for pair in request.pairs),
            traffic=request.traffic,
            own_host=request.own_host,
            route_version=request.route_version,
            drain=request.drain,
            watch=request.watch,
            handover=tuple(handover),
        )
    )


def _started(request: ExtendRequest, pair: Successor) -> Iterator[Step]:
    if pair.takes_port:
        old = pair.old
        yield Step(
            f"keep-{old.number}",
            f"Keep {old.title} at hand",
            Command(":", timeout=60),
            # Undone behind the start of the old one: what is taken back answers again.
            undo=old.check,
            at=old.at(request.own_host),
        )
        yield Step(
            f"stop-{old.number}",
            f"Stop {old.title}, whose port {old.port} is needed",
            old.service.stop,
            undo=old.service.start,
            at=old.at(request.own_host),
        )
    yield from _at(request, pair, building.start(pair.new))


def _running(request: ExtendRequest) -> Step:
    """Undone, they have failed."""
    ids = [str(pair.new.id) for pair in request.pairs]
    titles = parts.titles(pair.new for pair in request.pairs)
    return Step(
        "record-running",
        f"Record that {titles} run" if len(ids) > 1 else f"Record that {titles} runs",
        Note("app-servers.status", {"ids": list(ids), "status": "running"}),
        undo=Note("app-servers.status", {"ids": list(ids), "status": "failed"}),
    )


def _current(request: ExtendRequest) -> Iterator[Step]:
    for pair in request.pairs:
        yield Step(
            f"current-{pair.new.number}",
            f"Point `current` at the release of {pair.new.title}",
            service.link_current(pair.new.site),
            undo=service.link_current(pair.old.site),
            at=pair.new.at(request.own_host),
        )


def _recorded(request: ExtendRequest) -> Step:
    title = f"Record the extensions: {', '.join(one.title for one in request.change.after) or '-'}"
    return Step("record-extensions", title, Note("extensions.changed"))
