"""What plans do with one app server that stands already, each as a step or a few."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from app.domain.recipe_parts import Action
from app.domain.step import OnCancel, OnUnknown
from worker.plans.deployment import Deployment, slug
from worker.steps import background, draining, recipe_step
from worker.steps.step import Command, Failure, Note, Step


def start_background(one: Deployment, own_host: str) -> Iterator[Step]:
    """Undone, whatever of it was begun is stopped."""
    section = one.recipe.background
    if section:
        undo = background.whole(section.stop, one.surroundings, _failed(one, "stop"))
        yield from _background(one, "start", section.start, own_host, undo)


def stop_background(one: Deployment, own_host: str) -> Iterator[Step]:
    """Undone, all of it is started again.

    A host that is gone is passed over; one that is only cut off goes on with its parts until it is
    back and the app server is terminated. One that answers, and on which nothing can be done, is
    not: its parts would run beside the new ones.
    """
    section = one.recipe.background
    if section:
        undo = background.whole(section.start, one.surroundings, _failed(one, "start"))
        for step in _background(one, "stop", section.stop, own_host, undo):
            yield replace(step, dispensable=True)


def _background(
    one: Deployment, verb: str, items: tuple[Action, ...], own_host: str, undo: Command
) -> Iterator[Step]:
    for number, item in enumerate(items):
        yield Step(
            slug("background", verb, str(one.number), item.name),
            f"{verb.capitalize()} a background part of {one.title}: {item.name}",
            background.one(item, one.surroundings, _failed(one, verb)),
            # The first is undone last, and then the whole list is.
            undo=None if number else undo,
            on_cancel=item.on_cancel or OnCancel.INTERRUPT,
            on_unknown=recipe_step.on_unknown(item, one.surroundings, otherwise=OnUnknown.REPEAT),
            at=one.at(own_host),
        )


def drained(one: Deployment, seconds: float, own_host: str) -> Step:
    """Requests under way end where they are."""
    return Step(
        f"drain-{one.number}",
        f"Let the connections of {one.title} end, for at most {seconds:g} s",
        draining.drain(one.address, one.port, most=seconds),
        at=one.at(own_host),
        dispensable=True,
        harmless=True,
    )


def log(one: Deployment, own_host: str) -> Step:
    title = f"Show the end of the log of {one.title}"
    return Step(f"site-log-{one.number}", title, one.service.log, at=one.at(own_host))


def in_service(
    title: str,
    *,
    on: Iterable[Deployment],
    off: Iterable[Deployment],
    back_on: Iterable[Deployment],
    back_off: Iterable[Deployment],
    versions: tuple[int, int],
    read_back: bool = True,
) -> Step:
    """Who serves from now on, and who when it is undone; `versions` of the route for each.

    Only the first was `read_back`: nobody asked the router what it does after the way back.
    """

    def note(
        those: Iterable[Deployment], others: Iterable[Deployment], version: int, *, seen: bool
    ) -> Note:
        return Note(
            "app-servers.activated",
            {
                "on": [str(one.id) for one in those],
                "off": [str(one.id) for one in others],
                "route_version": version,
                "read_back": seen,
            },
        )

    undo = note(back_on, back_off, versions[1], seen=False)
    return Step("record-in-service", title, note(on, off, versions[0], seen=read_back), undo=undo)


def titles(some: Iterable[Deployment]) -> str:
    """As a sentence has them."""
    return " and ".join(one.title for one in some)


def _failed(one: Deployment, verb: str) -> Failure:
    return background.failed(one.title, verb, one.hint)
