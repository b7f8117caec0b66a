"""Encryption of what must be readable again: AES-256-GCM under the master key."""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

#: First byte of every ciphertext, so that the format can change.
_FORMAT = b"\x01"
_NONCE = 12


class CannotDecrypt(Exception):
    """The ciphertext was made with another master key, or for another place."""


class Vault:
    """Seals text for one place; `context` is authenticated, so a row cannot be moved elsewhere."""

    def __init__(self, key: bytes) -> None:
        self._cipher = AESGCM(key)

    def seal(self, plaintext: str, *, context: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return _FORMAT + nonce + self._cipher.encrypt(nonce, plaintext.encode(), context.encode())

    def open(self, ciphertext: bytes, *, context: str) -> str:
        """The plaintext; raises CannotDecrypt."""
        nonce, sealed = ciphertext[1 : 1 + _NONCE], ciphertext[1 + _NONCE :]
        try:
            return self._cipher.decrypt(nonce, sealed, context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise CannotDecrypt(
                f"{context} cannot be decrypted. Is LIFTLOCK_MASTER_KEY the one it was made with?"
            ) from error
