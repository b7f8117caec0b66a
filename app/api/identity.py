"""/v1/identity: the SSH key with which Liftlock logs in to hosts."""

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from pydantic.config import JsonDict

from app import services
from app.api.access import ADMIN, READ
from app.api.documented import BODY, problems
from app.api.handles import Here
from app.api.route import router as routes_of
from app.services.identities import PublicIdentity

router = routes_of("identity")

_KEY: JsonDict = {
    "id": "0198c5a2-6c1e-7d64-9b1f-2f6f0a6b8c11",
    "authorized_keys": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLW… liftlock",
    "fingerprint": "SHA256:uNiVztksCsDhcc0u9e8BrrJXVGDqdFfOTd9C5gVqSEw",
    "created_at": "2026-11-21T05:00:00Z",
}


class Key(BaseModel):
    id: UUID
    #: The line for ~/.ssh/authorized_keys of the hosts' users.
    authorized_keys: str
    fingerprint: str
    created_at: datetime


class Identity(Key):
    model_config = ConfigDict(json_schema_extra={"examples": [{**_KEY, "previous": [_KEY]}]})

    #: Still tried after the current one, so that hosts can learn the new key at leisure.
    previous: list[Key]

    @classmethod
    def of(cls, found: list[PublicIdentity]) -> Self:
        current, *previous = [asdict(key) for key in found]
        return cls(**current, previous=[Key(**key) for key in previous])


class KeyImport(BaseModel):
    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"private_key": "-----BEGIN OPENSSH PRIVATE KEY-----\n…"}]},
    )

    #: OpenSSH's format, without passphrase.
    private_key: Annotated[str, Field(min_length=1, max_length=65_536)]


@router.get("/identity", responses=problems(404), dependencies=READ)
async def get_identity(here: Here) -> Identity:
    """The public half, as hosts need it."""
    return Identity.of(await services.identities.list_all(here.db))


@router.put("/identity", responses=BODY, dependencies=ADMIN)
async def import_identity(body: KeyImport, here: Here) -> Identity:
    """Use a key of your own; the one before is kept as a second try, older ones go."""
    return Identity.of(await services.identities.import_key(here.db, here.vault, body.private_key))


@router.post("/identity/rotate", dependencies=ADMIN)
async def rotate_identity(here: Here) -> Identity:
    """Make a new key; the one before is kept as a second try, older ones go."""
    return Identity.of(await services.identities.rotate(here.db, here.vault))
