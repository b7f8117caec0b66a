import base64

import pytest

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
