"""The lock of an extension, and a stamp or lock that cannot be written, in real shells."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from app.domain.recipe_parts import Action
from tests.support.extended_host import (
    AROUND,
    COPY,
    QUICK,
    ROOT,
    SITE,
    TAGS,
    ExtendedHost,
    closed,
    extended_host,
    given,
)
from tests.support.local_shell import LocalShell
from worker.steps import extension
from worker.steps.extension import Patience


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest) -> Iterator[ExtendedHost]:
    with extended_host(request.param) as host:
        yield host


def test_a_lock_that_stays_busy_is_tried_ten_times_and_then_named(host: ExtendedHost) -> None:
    with host.held():
        ran, command = host.install()
    assert command.failures[ran.exit_code].code == "extension-locked"
    assert "There have been 10 attempts" in ran.output
    assert str(host.lock) in ran.output
    assert str(host.release) in ran.output
    assert "sudo fuser -v" in ran.output
    assert host.log == []
    assert host.found() == "no"


def test_an_old_stamp_under_a_busy_lock_is_never_called_a_success(host: ExtendedHost) -> None:
    host.stamp.parent.mkdir(parents=True)
    host.stamp.write_text("0.9\n")
    with host.held():
        ran = host.write_stamp()
    assert host.code(ran) == "extension-locked"
    assert host.stamp.read_text() == "0.9\n"


def test_a_busy_lock_is_no_matter_where_the_stamp_says_so_already(host: ExtendedHost) -> None:
    host.write_stamp()
    with host.held():
        assert host.write_stamp().exit_code == 0
        assert host.install()[0].exit_code == 0


def test_between_ten_attempts_are_nine_pauses(host: ExtendedHost) -> None:
    began = time.monotonic()
    with host.held():
        ran = host.write_stamp(Patience(every=0.2))
    assert time.monotonic() - began >= 9 * 0.2
    assert ran.output.count("attempt ") == 10


def test_no_attempt_begins_after_the_longest_time(host: ExtendedHost) -> None:
    with host.held():
        ran = host.write_stamp(Patience(attempts=1000, every=0.3, longest=1))
    assert host.code(ran) == "extension-locked"
    assert 2 <= ran.output.count("attempt ") <= 10


def test_a_lock_that_is_given_back_in_time_is_taken(host: ExtendedHost) -> None:
    with ThreadPoolExecutor(1) as pool:
        with host.held():
            later = pool.submit(host.install, COPY, TAGS, Patience(every=0.1, attempts=100))
            time.sleep(0.5)
        assert later.result()[0].exit_code == 0
    assert host.log == ["copied tags 1.0"]


def test_the_file_of_the_lock_stays(host: ExtendedHost) -> None:
    host.install()
    before = host.lock.stat().st_ino
    host.write_stamp()
    assert host.lock.stat().st_ino == before


def test_a_holder_that_is_killed_leaves_no_lock(host: ExtendedHost) -> None:
    item = Action(name="package", run='echo $$ >"$APP_DIR/pid"; sleep 1')
    command = extension.install(extension.around(AROUND, TAGS), TAGS, item, patience=QUICK)
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(host.shell.run, command, secrets={"TOKEN": ""})
        pid = host.app / "pid"
        while not (pid.exists() and pid.read_text().strip()):
            time.sleep(0.02)
        os.kill(int(pid.read_text()), signal.SIGKILL)
        assert killed.result().exit_code != 0
    assert host.install()[0].exit_code == 0
    assert host.log == ["copied tags 1.0"]


def test_a_lock_that_cannot_be_written_is_tried_ten_times_with_the_command_that_repairs_it(
    host: ExtendedHost,
) -> None:
    closed(host.lock.parent)
    ran, command = host.install()
    assert command.failures[ran.exit_code].code == "not-writable"
    assert "There have been 10 attempts" in ran.output
    owner = "root:root" if ROOT else ""
    assert f"found:  dr-xr-xr-x {owner}" in ran.output
    assert "wanted: drwxr-xr-x" in ran.output
    assert "sudo chown -R " in ran.output
    assert str(host.lock) in ran.output
    assert str(host.release) in ran.output
    assert host.log == []


def test_the_command_that_repairs_it_does(host: ExtendedHost, tmp_path: Path) -> None:
    closed(host.lock.parent)
    ran, _ = host.install()
    line = next(line for line in ran.output.splitlines() if "to repair it" in line)
    sudo = tmp_path / "sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    command = line.partition(": ")[2]
    subprocess.run(["sh", "-c", command], check=True, env={"PATH": path})
    assert host.install()[0].exit_code == 0


def test_a_stamp_that_cannot_be_written_is_its_own_error_and_the_next_run_writes_it(
    host: ExtendedHost,
) -> None:
    assert host.install()[0].exit_code == 0
    closed(host.stamp.parent)
    ran = host.write_stamp()
    assert host.code(ran) == "stamp-unwritten"
    assert "There have been 10 attempts" in ran.output
    assert "wanted: drwxr-xr-x" in ran.output
    assert str(host.stamp) in ran.output
    assert host.found() == "no"
    host.stamp.parent.chmod(0o755)
    given(host.stamp.parent)
    assert host.write_stamp().exit_code == 0
    assert host.found() == "yes"


def test_a_folder_that_becomes_writable_in_time_is_used(host: ExtendedHost) -> None:
    closed(host.lock.parent)
    with ThreadPoolExecutor(1) as pool:
        later = pool.submit(host.install, COPY, TAGS, Patience(every=0.1, attempts=100))
        time.sleep(0.5)
        host.lock.parent.chmod(0o777)
        assert later.result()[0].exit_code == 0


def test_another_error_of_the_lock_fails_at_once(host: ExtendedHost) -> None:
    host.lock.parent.write_text("a file is in the way")
    ran, command = host.install()
    assert command.failures[ran.exit_code].code == "extension-locked"
    assert "unexpected error with the lock" in ran.output
    assert "after 1 attempt(s)" in ran.output
    assert "sudo mv" in ran.output


def mounted(host: ExtendedHost, folder: Path, options: str) -> ExtendedHost:
    """The same host, on which the folder is a small file system of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in (host.shell.base, *host.shell.base.rglob("*")):
        os.chown(path, os.geteuid(), os.getegid())
    mount = f'mount -t tmpfs -o {options} none "$MOUNT" && exec "$@"'
    words = ("unshare", "-rm", "/bin/sh", "-c", mount, "sh", *host.shell.shell)
    path = f"{host.shell.env['PATH']}:{os.environ['PATH']}"
    env = {"PATH": path, "MOUNT": str(folder)}
    return ExtendedHost(LocalShell(host.shell.base, env, words))


def test_a_full_disk_under_the_lock_fails_at_once(host: ExtendedHost) -> None:
    full = mounted(host, host.lock.parent, "nr_inodes=1")
    ran, command = full.install()
    assert command.failures[ran.exit_code].code == "disk-full"
    assert "after 1 attempt(s)" in ran.output
    assert "No space left on device" in ran.output
    assert host.log == []


def test_a_full_disk_under_the_stamp_fails_at_once(host: ExtendedHost) -> None:
    full = mounted(host, host.stamp.parent, "nr_inodes=1")
    ran = full.write_stamp()
    assert host.code(ran) == "disk-full"
    assert "after 1 attempt(s)" in ran.output


def test_a_file_system_that_cannot_be_written_is_named_with_its_remount(host: ExtendedHost) -> None:
    ran, command = mounted(host, host.lock.parent, "ro").install()
    assert command.failures[ran.exit_code].code == "not-writable"
    assert "There have been 10 attempts" in ran.output
    assert "sudo mount -o remount,rw '" in ran.output
    assert "apps/site/extensions'" in ran.output


def test_no_stamp_is_written_without_a_release(host: ExtendedHost) -> None:
    shutil.rmtree(host.release)
    command = replace(extension.stamp(SITE, TAGS, patience=QUICK), cwd=".")
    assert host.code(host.shell.run(command)) == "stamp-unwritten"


@pytest.mark.parametrize(
    ("said", "code", "attempts"),
    [
        ("No locks available", "extension-locked", 1),
        ("Interrupted system call", "not-writable", 10),
    ],
)
def test_a_lock_that_the_system_refuses_is_no_busy_one(
    host: ExtendedHost, said: str, code: str, attempts: int
) -> None:
    flock = host.shell.base.parent / "bin" / "flock"
    flock.unlink(missing_ok=True)
    flock.write_text(
        f"#!/bin/sh\necho tried >>\"$APP_DIR/tries\"; echo 'flock: 4: {said}' >&2; exit 71\n"
    )
    flock.chmod(0o755)
    ran, command = host.install()
    assert command.failures[ran.exit_code].code == code
    assert said in ran.output
    assert (host.app / "tries").read_text().count("tried") == attempts
