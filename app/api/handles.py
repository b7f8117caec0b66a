"""The handles that the composition root puts into the application, and the request's id."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.gateways.wakeups import Wakeups
from app.services.streams import Streams
from app.store.database import Database


@dataclass(frozen=True)
class Handles:
    db: Database
    queue: JobQueue
    vault: Vault
    wakeups: Wakeups
    streams: Streams
    request_id: str
    #: Names of those that machines can be asked of.
    providers: frozenset[str]
    #: Whether workers look at routers.
    looks: bool


async def _handles(request: Request) -> Handles:
    state = request.app.state
    return Handles(
        db=state.db,
        queue=state.queue,
        vault=state.vault,
        wakeups=state.wakeups,
        streams=state.streams,
        request_id=request.state.request_id,
        providers=state.providers,
        looks=state.looks,
    )


Here = Annotated[Handles, Depends(_handles)]
