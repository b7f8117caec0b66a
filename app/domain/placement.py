"""Which hosts of a pool get the next app servers of an instance."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.domain.host import CLOSED, HostStatus


@dataclass(frozen=True)
class Candidate:
    """A host of the pool as it is now."""

    id: UUID
    name: str
    status: HostStatus
    enrolled: bool
    #: Somebody keeps new jobs away from it by hand.
    locked: bool
    labels: Mapping[str, Any]
    capacity: int
    #: App servers that hold a place on it, and how many may; None: as many as there are ports.
    held: int
    places: int | None
    free_ports: int
    #: Of whom it is a machine, when another instance's.
    made_for: str | None = None

    @property
    def room(self) -> int:
        """How many more app servers fit on it."""
        free = self.free_ports if self.places is None else self.places - self.held
        return max(0, min(free, self.free_ports))


@dataclass(frozen=True)
class Wanted:
    """What the instance needs."""

    count: int
    labels: Mapping[str, Any]
    #: All of them on one host, where its data is; only there, once there is any.
    together: bool = False
    home: UUID | None = None


class NoPlace(Exception):
    """They do not fit; `reasons` tells of each host why not."""

    def __init__(self, reasons: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {why}" for name, why in reasons.items()))
        self.reasons = dict(reasons)


def choose(candidates: Sequence[Candidate], wanted: Wanted) -> tuple[UUID, ...]:
    """A host for each app server: the emptiest in relation to its capacity, then by name.

    Those of one request spread as far as they can. Raises NoPlace.
    """
    reasons = {one.name: _refusal(one, wanted) for one in _by_name(candidates)}
    fit = [one for one in candidates if reasons[one.name] is None]
    if wanted.together:
        if fit:
            return (min(fit, key=_order(Counter())).id,) * wanted.count
    elif sum(one.room for one in fit) >= wanted.count:
        return tuple(_spread(fit, wanted.count))
    raise NoPlace({name: why or _short(candidates, name) for name, why in reasons.items()})


def _refusal(one: Candidate, wanted: Wanted) -> str | None:
    """Why the host takes none of them."""
    missing = [
        f"{key}={value}" for key, value in wanted.labels.items() if one.labels.get(key) != value
    ]
    needed = wanted.count if wanted.together else 1
    reasons = (
        (one.status in CLOSED, f"is {one.status}"),
        (not one.enrolled, "is not enrolled"),
        (one.locked, "is locked by hand"),
        (one.made_for is not None, f"was made {one.made_for}"),
        (bool(missing), f"lacks the label {', '.join(missing)}"),
        (wanted.home not in {None, one.id}, "has none of the instance's data"),
        (one.room < needed, _full(one)),
    )
    return next((why for is_so, why in reasons if is_so), None)


def _full(one: Candidate) -> str:
    if one.room:
        return f"has room for {one.room} only"
    if one.free_ports <= 0:
        return "has no free port"
    return f"is full: {one.held} of {one.places} places are taken"


def _short(candidates: Sequence[Candidate], name: str) -> str:
    room = next(one.room for one in candidates if one.name == name)
    return f"has room for {room} only"


def _spread(fit: Sequence[Candidate], count: int) -> Iterator[UUID]:
    given: Counter[UUID] = Counter()
    for _ in range(count):
        free = [one for one in fit if given[one.id] < one.room]
        chosen = min(free, key=_order(given))
        given[chosen.id] += 1
        yield chosen.id


def _order(given: Counter[UUID]) -> Callable[[Candidate], tuple[int, bool, float, str]]:
    return lambda one: (
        given[one.id],
        # It may be back; but one that answers is the better choice.
        one.status is HostStatus.UNREACHABLE,
        (one.held + given[one.id]) / one.capacity,
        one.name,
    )


def _by_name(candidates: Sequence[Candidate]) -> list[Candidate]:
    return sorted(candidates, key=lambda one: one.name)
