"""The handles that the composition root puts into the application, and the request's id."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from app.gateways.queue import JobQueue
from app.gateways.vault import Vault
from app.store.database import Database


@dataclass(frozen=True)
class Handles:
    db: Database
    queue: JobQueue
    vault: Vault
    request_id: str


def _handles(request: Request) -> Handles:
    state = request.app.state
    return Handles(state.db, state.queue, state.vault, request.state.request_id)


Here = Annotated[Handles, Depends(_handles)]
