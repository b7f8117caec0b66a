"""When a host of a pool takes no new app servers any more, without anybody having said so."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.domain.host import CLOSED, HostStatus

#: So many provisions that end because of the host are enough.
IN_A_ROW = 2
#: The host shows another key than the pinned one: it is not the machine that it was.
DRIFT = "host-key-changed"

#: Errors that speak of the host alone, whatever was to be built there.
_OF_HOST = frozenset(
    {
        DRIFT,
        "connection-lost",
        "forwarding-refused",
        "host-unreachable",
        "runner-failed",
        "ssh-auth-failed",
    }
)
#: Errors that speak of the host, or of a recipe that wants too much of it.
_OF_EITHER = frozenset({"disk-full", "not-writable"})


@dataclass(frozen=True)
class End:
    """How a job on the host ended."""

    #: Of its error; None: it succeeded.
    code: str | None
    #: The name of the recipe that was to be built.
    recipe: str | None = None


def is_of_host(code: str | None) -> bool:
    """Whether another host may spare another try what this one met."""
    return code in _OF_HOST | _OF_EITHER


def is_due(status: HostStatus, pool: str | None, ends: Sequence[End]) -> bool:
    """Whether the host goes into quarantine: at once when it drifted, else when two provisions in
    a row ended because of it.

    `ends` are the newest first, since somebody set the host's status. One recipe alone cannot bring
    it about with what may be its own doing, or it would empty the whole pool.
    """
    if pool is None or status in CLOSED:
        return False
    if any(end.code == DRIFT for end in ends[:1]):
        return True
    row = ends[:IN_A_ROW]
    if len(row) < IN_A_ROW or not all(is_of_host(end.code) for end in row):
        return False
    return all(end.code in _OF_HOST for end in row) or len({end.recipe for end in row}) > 1
