"""A host's public SSH key: one line, and the fingerprint that people compare."""

import base64
import binascii
import hashlib
import re
from typing import Annotated

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_ssh_public_key
from pydantic import AfterValidator, Field

_TYPES = frozenset(
    {
        "ssh-ed25519",
        "ssh-rsa",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_WANTED = "give one line such as `ssh-ed25519 AAAA…`, as in /etc/ssh/ssh_host_ed25519_key.pub"
_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


def check_key(text: str) -> str:
    """The key as `type base64`, its comment dropped; raises ValueError."""
    words = text.split()
    if len(words) < 2 or words[0] not in _TYPES or "\n" in text.strip():  # noqa: PLR2004
        raise ValueError(_WANTED)
    try:
        blob = base64.b64decode(words[1], validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(_WANTED) from None
    name = words[0].encode()
    key = f"{words[0]} {words[1]}"
    # RFC 4253: the blob begins with the length and name of its type.
    if not blob.startswith(len(name).to_bytes(4, "big") + name) or not _loads(key):
        raise ValueError(f"the key is damaged, or it is no {words[0]} key")
    return key


def _loads(key: str) -> bool:
    try:
        load_ssh_public_key(key.encode())
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def fingerprint(key: str) -> str:
    """As OpenSSH shows it: SHA256 and base64 without padding."""
    digest = hashlib.sha256(base64.b64decode(key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _fingerprint(text: str) -> str:
    if not _FINGERPRINT.fullmatch(text):
        raise ValueError("a fingerprint is SHA256: and 43 characters, as `ssh-keygen -lf` shows it")
    return text


HostKey = Annotated[str, AfterValidator(check_key), Field(max_length=4096)]
Fingerprint = Annotated[str, AfterValidator(_fingerprint), Field(max_length=64)]
