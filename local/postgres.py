"""One PostgreSQL cluster: made once, reached through a unix socket in its own folder."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from local import processes
from local.errors import Failed, Refused
from local.privileges import Launch, Mechanism
from local.processes import Process

USER = "liftlock"
DATABASE = "liftlock"
#: Fast shutdown, then immediate: the log repairs what that leaves.
STOP = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 5.0))
HBA = "# Written by Liftlock: passwords only, unix sockets only.\nlocal all all scram-sha-256\n"
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_directories": ".",
    "unix_socket_permissions": "0700",
    "logging_collector": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


@dataclass(frozen=True)
class Cluster:
    """Where a cluster lives and how its server is started."""

    programs: Path
    directory: Path
    #: The same folder under a name that is short enough for a socket address.
    reach: Path
    password: str = field(repr=False)
    launch: Launch
    settings: Mapping[str, str] = field(default_factory=dict)

    def argv(self) -> tuple[str, ...]:
        settings = SETTINGS | dict(self.settings)
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return self.launch.argv(
            [str(self.programs / "postgres"), "-D", self._location(self.directory), *options]
        )

    def options(self) -> dict[str, Any]:
        """Keyword arguments for subprocess."""
        return {"cwd": self.directory, **self.launch.options()}

    def url(self, database: str = DATABASE) -> str:
        return (
            f"postgresql+asyncpg://{USER}:{self.password}@/{database}?host={quote(str(self.reach))}"
        )

    def initialize(self) -> None:
        """Make the files, whole or not at all; no effect on a cluster that exists."""
        if self.directory.exists():
            return
        unfinished = self.directory.with_name(f"{self.directory.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        self.launch.own(unfinished)
        self._initdb(unfinished)
        (unfinished / "pg_hba.conf").write_text(HBA)
        unfinished.rename(self.directory)

    def answers(self) -> bool:
        """Whether the server lets us in (blocks for at most 5 s)."""
        return self._sql("SELECT 1") == "1"

    def create_database(self) -> None:
        """Make the database; no effect when it is there."""
        if self._sql("SELECT 1 FROM pg_database WHERE datname = current_user") != "1":
            self._sql(f"CREATE DATABASE {DATABASE} OWNER {USER}")

    def _sql(self, statement: str) -> str | None:
        """The answer as text, through the wheel's psql; None when there is none."""
        program = str(self.programs / "psql")
        try:
            done = subprocess.run(
                [program, "-XAtw", "-h", self.reach, "-U", USER, "-d", "postgres", "-c", statement],
                env={"PGPASSWORD": self.password, "PGCONNECT_TIMEOUT": "5"},
                capture_output=True,
                text=True,
                check=False,
                timeout=10,
            )
        except subprocess.TimeoutExpired:
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    def _initdb(self, folder: Path) -> None:
        with _readable(self.password, self.launch) as (pwfile, descriptors):
            done = subprocess.run(
                self.launch.argv(
                    [
                        str(self.programs / "initdb"),
                        *("-D", self._location(folder), "-U", USER, "-A", "scram-sha-256"),
                        *("-E", "UTF8", "--no-locale", "--data-checksums", "--pwfile", pwfile),
                        *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
                    ]
                ),
                cwd=folder,
                pass_fds=descriptors,
                capture_output=True,
                text=True,
                check=False,
                **self.launch.options(),
            )
        if done.returncode != 0:
            raise Failed(f"initdb could not make {self.directory}:\n{done.stderr.strip()}")

    def _location(self, folder: Path) -> str:
        # The user nobody cannot walk through the closed folders above, but stands in this one.
        return "/proc/self/cwd" if self.launch.mechanism is Mechanism.NOBODY else str(folder)


def version(directory: Path) -> int | None:
    """The PostgreSQL major version that made the folder; None when there is no cluster yet."""
    try:
        text = (directory / "PG_VERSION").read_text().strip()
        return int(text)
    except FileNotFoundError:
        if directory.exists():
            raise Refused(
                f"{directory} exists but holds no PostgreSQL cluster (PG_VERSION is missing)."
                " Restore it from a backup, or move it away to begin with an empty one."
            ) from None
        return None
    except ValueError:
        raise Refused(f"{directory / 'PG_VERSION'} is not a version: {text[:40]!r}.") from None


@contextlib.contextmanager
def _readable(password: str, launch: Launch) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The password as something initdb can open by name, and only initdb."""
    reading, writing = os.pipe()
    try:
        if launch.mechanism is Mechanism.NOBODY:
            os.fchown(reading, launch.uid, launch.gid)
        os.write(writing, f"{password}\n".encode())
        os.close(writing)
        yield f"/dev/fd/{reading}", (reading,)
    finally:
        os.close(reading)


def clear(directory: Path) -> None:
    """End the server that an earlier `up` left, or remove the note of one that is gone.

    Otherwise a new server would refuse to start, even if the id now belongs to another program.
    """
    note = directory / "postmaster.pid"
    try:
        pid = int(note.read_text().splitlines()[0])
    except (FileNotFoundError, ValueError, IndexError):
        note.unlink(missing_ok=True)
        return
    server = processes.identify(pid)
    if server is not None and _serves(server, directory):
        processes.end(server, STOP)
    note.unlink(missing_ok=True)


def _serves(server: Process, directory: Path) -> bool:
    where = processes.working_directory(server.pid)
    if where is None:
        return "postgres" in processes.name(server.pid)
    return where == directory.resolve()
