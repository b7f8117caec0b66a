"""The predecessor's case of a full disk, and that of one that fills up in the middle of a copy."""

import shutil
import subprocess
from contextlib import contextmanager

import pytest

from tests.support import extended_sshd
from tests.support.extended import package
from tests.support.extended_sshd import make_hosted

pytestmark = [pytest.mark.root, pytest.mark.timeout(180)]

MEGABYTE = 2**20


@contextmanager
def disk(folder, options):
    """A small file system there, until the end of the block."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], check=True)
    try:
        yield
    finally:
        # What runs on it ends later.
        subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture(scope="module")
def arena(postgres_server, template_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arena")
    with extended_sshd.extended_arena(postgres_server, template_database, folder) as made:
        yield made


@pytest.fixture(scope="module")
def machine(arena):
    with extended_sshd.user_machine(arena) as made:
        made.base.mkdir(exist_ok=True)
        with disk(made.base, f"size=64m,{owned(made)}"):
            yield made


@pytest.fixture
def shop(arena, machine):
    made = make_hosted(arena, machine, recipe="extended-silent")
    made.install("blog", "0.9")
    yield made
    arena.end_workers()


def owned(machine):
    stat = machine.home.stat()
    return f"uid={stat.st_uid},gid={stat.st_gid},mode=755"


def resize(folder, size):
    subprocess.run(["mount", "-o", f"remount,size={size}", folder], check=True)


def check_the_version_before_serves(shop, job):
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["service_state"] == "serving_old"
    assert shop.stamp("blog") == "0.9\n"
    assert len(list(shop.app.glob("releases/*/.liftlock/extensions/blog.version"))) == 1
    assert shop.served() == shop.tree("0.9")
    assert shop.file("enabled") == ["blog 0.9"]


def test_a_full_disk_under_the_lock_fails_at_once(arena, shop):
    # Case 26.
    folder = shop.lock("blog").parent
    with disk(folder, f"nr_inodes=1,{owned(shop.machine)}"):
        job = shop.done("install", "blog", "1.0")
    assert job["error"]["code"] == "disk-full"
    assert "after 1 attempt(s)" in job["error"]["detail"]
    assert "No space left on device" in job["error"]["detail"]
    assert str(shop.lock("blog")) in job["error"]["detail"]
    # No other attempt was announced.
    assert "attempt 1 of" not in arena.output(job)
    assert shop.effects("install") == ["install blog 0.9"]
    check_the_version_before_serves(shop, job)
    shop.install("blog")
    assert shop.served() == shop.tree("1.0")


def test_a_disk_that_fills_up_in_the_middle_of_a_copy_costs_the_old_release_nothing(shop):
    # Case 26, behind the lock.
    large = {"large.bin": "x" * 4 * MEGABYTE}
    package(shop.packages, "blog", "2.0", **large)
    base = shop.machine.base
    resize(base, shutil.disk_usage(base).used + 3 * MEGABYTE)
    try:
        with shop.read_meanwhile("0.9"):
            job = shop.done("install", "blog", "2.0")
    finally:
        resize(base, "64m")
    assert "No space left on device" in job["error"]["detail"]
    assert shop.effects("install") == ["install blog 0.9", "install blog 2.0"]
    check_the_version_before_serves(shop, job)
    shop.install("blog", "2.0")
    assert shop.stamp("blog") == "2.0\n"
    assert shop.media("blog/large.bin") == large["large.bin"]
