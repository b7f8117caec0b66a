"""Installations repeat exactly: pinned, hashed, and from whatever index the machine uses."""

import re

import pytest

from tests.architecture import source
from tests.architecture.test_documented import direct_dependencies

IMAGE = ("deploy/requirements.lock", "deploy/build.lock")
LOCKS = ("requirements.lock", *IMAGE)
PIN = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]+\])?==([^\s;\\]+)", re.MULTILINE)


def pins(lock):
    return dict(PIN.findall(source.read(lock)))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_file_names_no_address(lock):
    text = source.read(lock)
    assert not re.findall(r"(?:https?|file|ssh)://\S+|^--(?!hash).*index.*$", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_locked_package_has_a_hash(lock):
    blocks = re.split(r"^(?=[A-Za-z0-9])", source.read(lock), flags=re.MULTILINE)
    bare = [
        block.split()[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block
    ]
    assert not bare


def test_every_direct_dependency_is_locked():
    assert not {name.lower() for name in direct_dependencies()} - pins("requirements.lock").keys()


@pytest.mark.parametrize("lock", IMAGE)
def test_the_image_holds_what_was_tested(lock):
    assert pins(lock)
    assert pins(lock).items() <= pins("requirements.lock").items()
