"""Sites with extensions on a real OpenSSH server, whose user is bound by the modes of folders."""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx

from tests.support import extended, sites
from tests.support.arena import Arena, running_arena
from tests.support.extended import ExtendedSite, make_extended, package
from tests.support.machines import Machine, register, sshd_machine
from tests.support.stack import eventually

ROOT = os.geteuid() == 0

#: The recipe with a folder for media that all releases share, and that `INSTALL` may copy to.
WITH_MEDIA = extended.RECIPE.replace("name: extended", "name: extended-media").replace(
    "{disk_mb: 1}", "{disk_mb: 1, writable: [media]}"
)
#: With a site that writes no log, which would be on the full disk as well.
SILENT = extended.RECIPE.replace("name: extended", "name: extended-silent").replace(
    sites.SERVE, f"{sites.SERVE} 2>/dev/null"
)
TO_MEDIA = 'cp -R "$PACKAGES/$EXTENSION-$EXTENSION_VERSION/media/." "$SHARED_DIR/media"'
#: A setting `INSTALL` that stands still with one of two files in place, until the gate opens.
HALF = """\
mkdir -p static/blog && cp "$PACKAGES/blog-$EXTENSION_VERSION/media/blog/app.js" static/blog
echo "half $$" >> "$SHARED_DIR/effects"
read -r _ < "$PACKAGES/gate"
"""
FILES = {"0.9": {"old.css": "old"}, "1.0": {"new.css": "new"}}


@dataclass(frozen=True)
class HostedSite(ExtendedSite):
    """With what a person on the host can do to it."""

    packages: Path

    def done(self, kind: str, name: str, version: str | None = None, **more: Any) -> dict[str, Any]:
        """By the worker that is there already."""
        return self.arena.finished(self.ask(kind, name, version, **more), seconds=90)

    def lock(self, name: str) -> Path:
        return self.app / "extensions" / f"{name}.lock"

    def tree(self, version: str) -> dict[str, str | None]:
        """The media of `blog`, of both versions, as that version serves them."""
        served = {"app.js": f"// blog {version}", **FILES[version]}
        return {f"blog/{name}": served.get(name) for name in ("app.js", "old.css", "new.css")}

    def served(self) -> dict[str, str | None]:
        return {path: self.media(path) for path in self.tree("1.0")}

    @contextmanager
    def held(self, name: str) -> Iterator[None]:
        """Another process of the same user has the extension's lock."""
        lock = self.lock(name)
        give(self.machine, lock.parent)
        told = ["flock", str(lock), "sh", "-c", "echo held; read -r _"]
        own = pwd.getpwnam(self.machine.user)
        how: dict[str, Any] = {"user": own.pw_uid, "group": own.pw_gid} if ROOT else {}
        with subprocess.Popen(
            told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **how
        ) as holder:
            assert holder.stdout
            assert holder.stdout.readline() == "held\n"
            try:
                yield
            finally:
                holder.communicate("go\n", timeout=10)

    @contextmanager
    def read_meanwhile(self, version: str) -> Iterator[None]:
        """Visitors find all media of that version and no others, until the end of the block."""
        right, url = self.tree(version), f"http://127.0.0.1:{self.port}/static"
        over, seen = threading.Event(), list[dict[str, str | None]]()

        def read() -> None:
            with httpx.Client(trust_env=False, verify=False) as visitor:
                while not over.is_set():
                    answers = {path: visitor.get(f"{url}/{path}") for path in right}
                    seen.append({path: _text(one) for path, one in answers.items()})

        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read)
            try:
                yield
            finally:
                over.set()
            reading.result()
        wrong = [one for one in seen if one != right]
        assert not wrong, wrong[0]
        assert len(seen) > 10, "nobody read"

    def half_copied(self, times: int) -> int:
        """Wait until so many copies have come half way; the pid of the last."""

        def look() -> int | None:
            halves = self.effects("half ")
            return int(halves[-1].split()[1]) if len(halves) == times else None

        return eventually(look, "a copy half way", seconds=30, explain=self.arena.logs)

    def kill_copy(self, pid: int) -> None:
        """With all processes of its step."""
        os.killpg(os.getpgid(pid), signal.SIGKILL)

    def open_gate(self) -> None:
        """For the copy that waits there, or is about to."""
        (self.packages / "gate").write_text("go\n")

    def repair(self, job: dict[str, Any], folder: Path) -> None:
        """Type the command that the job's output names; `folder` is for a `sudo` of the test's."""
        lines = self.arena.output(job).splitlines()
        line = next(line for line in lines if "to repair it on this host: " in line)
        command = line.partition(": ")[2]
        assert command.startswith("sudo ")
        sudo = folder / "sudo"
        sudo.write_text('#!/bin/sh\nexec "$@"\n')
        sudo.chmod(0o755)
        path = f"{folder}:{os.environ['PATH']}"
        subprocess.run(["sh", "-c", command], check=True, env={"PATH": path})


@contextmanager
def extended_arena(postgres_server: Any, template: str, folder: Path) -> Iterator[Arena]:
    """One that knows the recipes."""
    database = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    url = postgres_server.create(database, template=template)
    with running_arena(url, folder) as arena:
        extended.add_recipe(arena)
        with arena.api as api:
            for recipe in (WITH_MEDIA, SILENT):
                headers = {"Content-Type": "application/yaml"}
                answer = api.post("/v1/recipes", content=recipe, headers=headers)
                assert answer.status_code == 201, answer.text
        yield arena
    postgres_server.drop(database)


@contextmanager
def user_machine(arena: Arena) -> Iterator[Machine]:
    """Root is stopped by no mode: whoever is root has a second user made for as long."""
    name = f"sshd-{secrets.token_hex(3)}"
    running = contextmanager(sshd_machine)
    with _open_folder() as folder, _user() as user, running(arena, name, folder) as made:
        machine = replace(made, user=user)
        # The repositories belong to whoever runs the tests.
        (machine.home / ".gitconfig").write_text("[safe]\ndirectory = *\n")
        give(machine, machine.home)
        give(machine, machine.base)
        register(arena, machine, capacity=20)
        yield machine


def make_hosted(arena: Arena, machine: Machine, **body: Any) -> HostedSite:
    """With two versions of `blog` to install, a gate that is shut, and a worker of its own."""
    folder = machine.home.parent
    made = make_extended(arena, machine, folder, **body)
    packages = folder / f"{made.name}-packages"
    for version, files in FILES.items():
        package(packages, "blog", version, **files)
    os.mkfifo(packages / "gate")
    arena.worker()
    return HostedSite(arena, machine, made.name, packages)


def give(machine: Machine, folder: Path) -> None:
    """The folder, made if need be, is its user's."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    if ROOT:
        own = pwd.getpwnam(machine.user)
        os.chown(folder, own.pw_uid, own.pw_gid)


def close(path: Path) -> None:
    """The host's user may write nothing there."""
    if not path.exists():
        path.mkdir()
    path.chmod(0o555)
    if ROOT:
        os.chown(path, 0, 0)


def _text(answer: httpx.Response) -> str | None:
    return answer.text if answer.status_code == httpx.codes.OK else None


@contextmanager
def _open_folder() -> Iterator[Path]:
    """Unlike pytest's own, a second user may look into it."""
    folder = Path(tempfile.mkdtemp(prefix="liftlock-host-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
        shutil.rmtree(folder)


@contextmanager
def _user() -> Iterator[str]:
    if not ROOT:
        yield pwd.getpwuid(os.geteuid()).pw_name
        return
    name = f"liftlock-{secrets.token_hex(4)}"
    # A password that nobody has; without one the account would be locked, for keys as well.
    words = ["useradd", "--no-create-home", "--password", "*", "--shell", "/bin/sh", name]
    subprocess.run(words, check=True)
    try:
        yield name
    finally:
        # A connection may still be about to close.
        subprocess.run(["userdel", "--force", name], check=True, stderr=subprocess.DEVNULL)
