"""Liftlock's own SSH keys: the current one, and the one before it as a second try."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from sqlmodel.ext.asyncio.session import AsyncSession

from app import store
from app.domain import host_key
from app.errors import FieldError, Invalid, NotFound
from app.gateways.vault import Vault
from app.models import Identity
from app.store.database import Database

_PrivateKey = ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_SMALLEST_RSA = 2048
_CONVERT = "ssh-keygen -p -N '' -f COPY_OF_THE_KEY turns it into an OpenSSH key without passphrase"


@dataclass(frozen=True)
class PublicIdentity:
    """What may be shown of a key."""

    id: UUID
    authorized_keys: str
    fingerprint: str
    created_at: datetime


async def ensure(db: Database, vault: Vault) -> bool:
    """Make the first key when there is none; raises CannotDecrypt for another master key."""
    async with db.transaction() as session:
        await store.identities.lock_all(session)
        found = await store.identities.list_all(session)
        for identity in found:
            vault.open(identity.ciphertext, context=_context(identity.id))
        if not found:
            await _add(session, vault, ed25519.Ed25519PrivateKey.generate())
    return not found


async def private_keys(db: Database, vault: Vault) -> list[str]:
    """Every usable key in OpenSSH's format, the newest first."""
    async with db.statement() as session:
        found = await store.identities.list_sealed(session)
    return [vault.open(sealed, context=_context(key)) for key, sealed in found]


async def list_all(db: Database) -> list[PublicIdentity]:
    """The current key and then the one before it; raises NotFound when there is none."""
    async with db.transaction() as session:
        return _shown(await store.identities.list_all(session))


async def rotate(db: Database, vault: Vault) -> list[PublicIdentity]:
    """Make a new key the current one; the one before stays usable, older ones go."""
    async with db.transaction() as session:
        return await _replace(session, vault, ed25519.Ed25519PrivateKey.generate())


async def import_key(db: Database, vault: Vault, text: str) -> list[PublicIdentity]:
    """Make a key of the caller's the current one; the same again changes nothing.

    Raises Invalid for what is no usable private key.
    """
    key = _read(text)
    async with db.transaction() as session:
        return await _replace(session, vault, key)


async def _replace(session: AsyncSession, vault: Vault, key: _PrivateKey) -> list[PublicIdentity]:
    await store.identities.lock_all(session)
    found = await store.identities.list_all(session)
    if found and found[0].public_key == _public(key):
        return _shown(found)
    for old in found[1:]:
        await store.identities.delete(session, old)
    await store.identities.deactivate_all(session)
    return _shown([await _add(session, vault, key), *found[:1]])


async def _add(session: AsyncSession, vault: Vault, key: _PrivateKey) -> Identity:
    identity = Identity(public_key=_public(key), ciphertext=b"")
    identity.ciphertext = vault.seal(_private(key), context=_context(identity.id))
    return await store.identities.add(session, identity)


def _read(text: str) -> _PrivateKey:
    if "PRIVATE KEY-----" not in text:
        detail = "this is a public key" if text.startswith(("ssh-", "ecdsa-")) else "this is no key"
        raise _invalid(f"{detail}; give the whole file that begins with -----BEGIN OPENSSH")
    if "BEGIN OPENSSH PRIVATE KEY" not in text:
        raise _invalid("this private key is not in OpenSSH's format", hint=_CONVERT)
    try:
        key = serialization.load_ssh_private_key(text.strip().encode() + b"\n", password=None)
    except TypeError:
        raise _invalid("this key is locked with a passphrase", hint=_CONVERT) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _invalid("this private key is damaged or of an unknown type") from None
    if not isinstance(key, _PrivateKey):
        raise _invalid("use an ed25519, ECDSA or RSA key")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < _SMALLEST_RSA:
        raise _invalid(f"this RSA key has {key.key_size} bits; at least {_SMALLEST_RSA} are needed")
    return key


def _invalid(detail: str, *, hint: str | None = None) -> Invalid:
    return Invalid(errors=(FieldError("/private_key", detail),), hint=hint)


def _public(key: _PrivateKey) -> str:
    encoding, form = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(encoding, form).decode()


def _private(key: _PrivateKey) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH
    return key.private_bytes(encoding, form, serialization.NoEncryption()).decode()


def _shown(found: Sequence[Identity]) -> list[PublicIdentity]:
    if not found:
        raise NotFound("Liftlock has no SSH key yet.", hint="It is made when the API starts.")
    return [
        PublicIdentity(
            id=row.id,
            authorized_keys=f"{row.public_key} liftlock",
            fingerprint=host_key.fingerprint(row.public_key),
            created_at=row.created_at,
        )
        for row in found
    ]


def _context(identity_id: UUID) -> str:
    return f"identity:{identity_id}"
