"""A folder that stands for a host, with an app server to which an extension is added."""

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.domain.extension import Extension, PackageSource
from app.domain.recipe_parts import Action
from tests.support.local_shell import LocalShell, Ran
from tests.support.ssh_server import links_to
from worker.steps import extension
from worker.steps.extension import Patience
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site
from worker.steps.step import Command

SITE = Site("site", 7, "v1")
TAGS = Extension("tags", "1.0", PackageSource("Tags", "1.0"), settings={"APP": "it's a $HOME"})
AROUND = Surroundings(SITE, {"PAGE": "home"}, ("TOKEN",))
COPY = 'echo "copied $EXTENSION $EXTENSION_VERSION" >>"$APP_DIR/log"'
NOBODY, ROOT = 65_534, os.geteuid() == 0
#: Ten attempts without the seconds between them.
QUICK = Patience(every=0)


@dataclass
class ExtendedHost:
    shell: LocalShell

    @property
    def app(self) -> Path:
        return self.shell.base / SITE.app_dir

    @property
    def release(self) -> Path:
        return self.shell.base / SITE.release_dir

    @property
    def stamp(self) -> Path:
        return self.shell.base / extension.stamp_path(SITE, "tags")

    @property
    def lock(self) -> Path:
        return self.shell.base / extension.lock_path(SITE, "tags")

    @property
    def log(self) -> list[str]:
        log = self.app / "log"
        return log.read_text().splitlines() if log.exists() else []

    def install(
        self, run: str = COPY, one: Extension = TAGS, patience: Patience = QUICK
    ) -> tuple[Ran, Command]:
        item = Action(name="package", run=run)
        command = extension.install(extension.around(AROUND, one), one, item, patience=patience)
        return self.shell.run(command, secrets={"TOKEN": "s"}), command

    def write_stamp(self, patience: Patience = QUICK) -> Ran:
        return self.shell.run(extension.stamp(SITE, TAGS, patience=patience))

    def code(self, ran: Ran) -> str:
        return extension.stamp(SITE, TAGS).failures[ran.exit_code].code

    def found(self, one: Extension = TAGS) -> str:
        return self.shell.run(extension.find(SITE, 7, one)).facts["installed_7"]

    @contextmanager
    def held(self) -> Iterator[None]:
        """Somebody else has the lock."""
        if not self.lock.exists():
            self.lock.parent.mkdir()
            self.lock.touch()
            given(self.lock.parent)
            given(self.lock)
        with self.lock.open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@contextmanager
def extended_host(shell: str) -> Iterator[ExtendedHost]:
    """Its user is not root, as what root may write says nothing; its scripts run in `shell`."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="liftlock-host-"))
    links = links_to(shell, folder / "bin")
    base = folder / "it's a host"
    (base / SITE.release_dir).mkdir(parents=True)
    folder.chmod(0o755)
    for path in (base, *base.rglob("*")):
        given(path)
    program = shutil.which(shell)
    assert program
    words = (program, "sh") if shell == "busybox" else (program,)
    try:
        yield ExtendedHost(LocalShell(base, {"PATH": links}, words, NOBODY if ROOT else None))
    finally:
        subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
        shutil.rmtree(folder)


def given(path: Path) -> None:
    """To the user of the host."""
    if ROOT:
        os.chown(path, NOBODY, NOBODY)


def closed(path: Path) -> None:
    """The user of the host may write nothing in the folder."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o555)
    if ROOT:
        os.chown(path, 0, 0)
