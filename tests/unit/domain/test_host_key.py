import base64

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from app.domain.host_key import check_key, fingerprint

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ"


def test_the_fingerprint_is_the_one_that_openssh_shows():
    # ssh-keygen -lf of the key above
    assert fingerprint(KEY) == "SHA256:T7SvZ2cslqpPj6nKzitCBHHlpVF3r3MvLwmFL0fk0IE"


@pytest.mark.parametrize("text", [KEY, f"  {KEY}\n", f"{KEY} root@web-1", f"{KEY}\troot at web"])
def test_a_key_is_kept_without_its_comment(text):
    assert check_key(text) == KEY


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ssh-ed25519",
        KEY.split()[1],
        KEY.replace("ssh-ed25519", "ssh-dss"),
        KEY.replace("ssh-ed25519", "ssh-rsa"),
        KEY[:-1],
        KEY + "!",
        f"{KEY}\n{KEY}",
        "ssh-ed25519 " + base64.b64encode(b"\0\0\0\x0bssh-ed25519").decode(),
        f"@cert-authority * {KEY}",
    ],
)
def test_what_is_no_single_key_is_refused(text):
    with pytest.raises(ValueError):
        check_key(text)


def line(key):
    openssh = serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    return key.public_key().public_bytes(*openssh).decode()


def damaged(key, *, drop=0, more=b"", flip=False):
    kind, text = key.split()
    blob = bytearray(base64.b64decode(text))
    blob = blob[: len(blob) - drop] + more
    if flip:
        blob[-1] ^= 1
    return f"{kind} {base64.b64encode(blob).decode()}"


RSA = line(rsa.generate_private_key(public_exponent=65537, key_size=1024))
CURVES = [line(ec.generate_private_key(c())) for c in (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)]


@pytest.mark.parametrize("key", [RSA, *CURVES], ids=lambda key: key.split()[0])
def test_keys_of_every_type_are_taken(key):
    assert check_key(key) == key


@pytest.mark.parametrize("key", [KEY, RSA, *CURVES], ids=lambda key: key.split()[0])
@pytest.mark.parametrize("damage", [{"drop": 1}, {"drop": 20}, {"more": b"x"}], ids=str)
def test_a_damaged_key_is_refused(key, damage):
    with pytest.raises(ValueError, match="damaged"):
        check_key(damaged(key, **damage))


@pytest.mark.parametrize("key", CURVES, ids=lambda key: key.split()[0])
def test_a_point_beside_its_curve_is_refused(key):
    with pytest.raises(ValueError, match="damaged"):
        check_key(damaged(key, flip=True))
