"""An instance's secrets: set, generated, and opened for one job only."""

import secrets as random
from collections.abc import Collection
from datetime import datetime

from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain.recipe import DEPLOY_KEY, Recipe, name_problem
from app.errors import Conflict, FieldError, Invalid
from app.gateways.vault import Vault
from app.models import Instance
from app.store.database import Database

#: Of all values of one instance: they go to the host together, and that has an end too.
MOST_BYTES = 512 * 1024


async def put(db: Database, vault: Vault, *, instance: str, name: str, value: str) -> datetime:
    """Set or replace one; when it was done. The value is not readable again through the API.

    Raises Invalid for a name that scripts cannot see, and for more than MOST_BYTES together.
    """
    problem = None if name == DEPLOY_KEY else name_problem(name)
    if problem:
        raise Invalid(f"The secret cannot have this name: {problem}.")
    async with db.transaction() as session:
        # Locked, so that two at once cannot each find room for one.
        row = await store.instances.lock(session, instance)
        await _check_room(session, vault, row, name, value)
        return await _seal(session, vault, row, name, value)


async def list_names(db: Database, *, instance: str) -> list[tuple[str, datetime]]:
    async with db.transaction() as session:
        row = await store.instances.get(session, instance)
        found = await store.instances.list_secrets(session, row.id)
    return [(secret.name, secret.updated_at) for secret in found]


async def delete(db: Database, *, instance: str, name: str) -> None:
    async with db.transaction() as session:
        row = await store.instances.get(session, instance)
        await store.instances.delete_secret(session, row.id, name)


async def generate(session: AsyncSession, vault: Vault, instance: Instance, recipe: Recipe) -> None:
    """Make the secrets that the recipe says are generated and that are not there yet."""
    found = await store.instances.list_secrets(session, instance.id)
    await _generate(session, vault, instance, recipe, [row.name for row in found])


async def require(
    session: AsyncSession,
    vault: Vault,
    instance: Instance,
    recipe: Recipe,
    *,
    present: Collection[str],
) -> None:
    """Generate what is generated; raise Conflict when a required one is missing."""
    made = await _generate(session, vault, instance, recipe, present)
    missing = recipe.missing_secrets({*present, *made})
    if missing:
        raise Conflict(
            f"Instance {instance.name} lacks the secret(s) {', '.join(missing)}, which recipe"
            f" {recipe.name} needs.",
            code="secret-missing",
            hint=f"Set each: liftlock secrets set {instance.name} {missing[0]}",
        )


async def reveal(session: AsyncSession, vault: Vault, instance: Instance) -> dict[str, str]:
    """Every secret in plain text, for the worker that is about to use them."""
    found = await store.instances.list_secrets(session, instance.id)
    return {
        row.name: vault.open(row.ciphertext, context=_context(instance, row.name)) for row in found
    }


async def _generate(
    session: AsyncSession,
    vault: Vault,
    instance: Instance,
    recipe: Recipe,
    present: Collection[str],
) -> Collection[str]:
    """Names of those that were made."""
    wanted = recipe.secrets_to_generate(present)
    for name, length in wanted.items():
        value = random.token_urlsafe(length)[:length]
        await _seal(session, vault, instance, name, value)
    return wanted.keys()


async def _check_room(
    session: AsyncSession, vault: Vault, instance: Instance, name: str, value: str
) -> None:
    # Sealing adds the same to every value, so nothing has to be opened to be measured.
    added = len(vault.seal("", context=_context(instance, name)))
    found = await store.instances.list_secrets(session, instance.id)
    others = sum(len(row.ciphertext) - added for row in found if row.name != name)
    size = others + len(value.encode())
    if size > MOST_BYTES:
        detail = (
            f"the secrets of instance {instance.name} would have {size} bytes together;"
            f" {MOST_BYTES} are the limit"
        )
        raise Invalid(errors=(FieldError("/value", detail),))


async def _seal(
    session: AsyncSession, vault: Vault, instance: Instance, name: str, value: str
) -> datetime:
    sealed = vault.seal(value, context=_context(instance, name))
    return await store.instances.put_secret(session, instance.id, name, sealed)


def _context(instance: Instance, name: str) -> str:
    return f"secret:{instance.id}:{name}"
