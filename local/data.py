"""The data directory: whose it is, what it holds, and who works in it now."""

import base64
import contextlib
import fcntl
import json
import os
import re
import secrets
import shlex
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from local.errors import Refused
from local.processes import Process

LAYOUT = 1
LOCK = "lock"
STATE = "state.json"
#: Bytes of a path below the directory that ends in a socket; the system's limit is about 104.
SOCKET_ROOM, SOCKET_LIMIT = 32, 104
#: What every part takes in a URL or a configuration file without quotes.
PLAIN = re.compile(r"[A-Za-z0-9_./-]+")


@dataclass
class State:
    """What the next `up` must know."""

    layout: int = LAYOUT
    has_token: bool = False
    #: A private folder with a link to the data directory, when its own path is no socket address.
    short: str | None = None
    processes: dict[str, Process] = field(default_factory=dict)
    #: SSH ports of the demo hosts by name.
    demo_ports: dict[str, int] = field(default_factory=dict)
    #: Where published static files are served; pages of running sites name it.
    assets_port: int | None = None
    #: Where the router takes requests; people have its address.
    router_port: int | None = None


class Data:
    """An opened data directory; only one `up` has it open."""

    def __init__(self, directory: Path, lock: IO[str], state: State) -> None:
        self.directory = directory
        self.state = state
        self._lock = lock
        self.reach = self._reach()
        for name in ("run", "logs"):
            (directory / name).mkdir(mode=0o700, exist_ok=True)

    @property
    def postgres(self) -> Path:
        return self.directory / "postgres"

    @property
    def logs(self) -> Path:
        return self.directory / "logs"

    @property
    def master_key(self) -> Path:
        path = self.directory / "master.key"
        if not path.exists():
            _write(path, base64.b64encode(secrets.token_bytes(32)).decode() + "\n")
        return path

    def password(self, part: str) -> str:
        """The part's password, made at its first use."""
        path = self.directory / f"{part}.password"
        if not path.exists():
            # Hexadecimal: it stands in URLs, and arq does not decode what is escaped there.
            _write(path, secrets.token_hex(24) + "\n")
        return path.read_text().strip()

    def save(self) -> None:
        _write(self.directory / STATE, json.dumps(asdict(self.state), indent=1) + "\n")

    def remember(self, name: str, process: Process | None) -> None:
        """Note a started child, or that it is gone, before anything else happens."""
        self.state.processes.pop(name, None)
        if process is not None:
            self.state.processes[name] = process
        self.save()

    def write_environment(self, variables: Mapping[str, str]) -> Path:
        """For `. DATA/env`: what a local command needs to reach these servers."""
        lines = [f"export {name}={shlex.quote(value)}\n" for name, value in variables.items()]
        path = self.directory / "env"
        _write(path, "".join(lines))
        return path

    def close(self) -> None:
        if self.state.short is not None and not self.state.processes:
            shutil.rmtree(self.state.short, ignore_errors=True)
            self.state.short = None
            self.save()
        self._lock.close()

    def _reach(self) -> Path:
        path = str(self.directory)
        fits = len(os.fsencode(path)) + SOCKET_ROOM <= SOCKET_LIMIT
        if fits and PLAIN.fullmatch(path):
            return self.directory
        short = self.state.short
        if short is None or not _is_link(Path(short) / "data", self.directory):
            short = tempfile.mkdtemp(prefix="liftlock-", dir=_short_place())
            (Path(short) / "data").symlink_to(self.directory)
            self.state.short = short
            self.save()
        return Path(short) / "data"


def open_data(path: Path) -> Data:
    """Make or take the directory; Refused, and nothing touched, when it is not ours to use."""
    directory = Path(os.path.abspath(path))  # noqa: PTH100  (the user's own spelling, for messages)
    _check(directory)
    if not directory.exists():
        try:
            directory.mkdir(mode=0o700)
        except OSError as error:
            raise Refused(_cannot_make(directory, error)) from error
    directory = directory.resolve()
    lock = _lock(directory)
    try:
        state = _state(directory)
    except Refused:
        lock.close()
        raise
    directory.chmod(0o700)
    data = Data(directory, lock, state)
    data.save()
    return data


def _check(directory: Path) -> None:
    if not directory.exists():
        return
    if not directory.is_dir():
        raise Refused(f"{directory} is a file; choose a directory with --data.")
    owner = directory.stat().st_uid
    if owner != os.geteuid():
        raise Refused(
            f"{directory} belongs to user id {owner}, and this is {os.geteuid()}. Run `liftlock up`"
            " as its owner, or choose another --data directory."
        )
    if not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        raise Refused(f"No permission to write in {directory}: chmod u+rwx {directory}")
    foreign = sorted({path.name for path in directory.iterdir()} - {LOCK})
    if foreign and STATE not in foreign:
        raise Refused(
            f"{directory} is not empty and not Liftlock's (it holds {', '.join(foreign[:3])})."
            " Choose another --data directory."
        )


def _cannot_make(directory: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{directory.parent} does not exist: mkdir -p {directory.parent}"
    return (
        f"{directory} cannot be made: {error.strerror}."
        f" Choose a place you may write to with --data, or change {directory.parent}."
    )


def _lock(directory: Path) -> IO[str]:
    try:
        lock = (directory / LOCK).open("a+")
    except OSError as error:
        raise Refused(f"{directory / LOCK} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.seek(0)
        holder = lock.read().strip() or "unknown"
        lock.close()
        raise Refused(
            f"Liftlock is already up on {directory} (process {holder}). Stop that one with"
            f" `kill {holder}`, or choose another --data directory and --port."
        ) from error
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
    return lock


def _state(directory: Path) -> State:
    path = directory / STATE
    if not path.exists():
        return State()
    try:
        found: dict[str, Any] = json.loads(path.read_text())
        layout = found["layout"]
    except (ValueError, TypeError, KeyError) as error:
        raise Refused(
            f"{path} cannot be read ({error}). Restore it from a backup; the data beside it is"
            " untouched."
        ) from error
    if layout != LAYOUT:
        raise Refused(
            f"{directory} has layout {layout}; this Liftlock knows layout {LAYOUT}. Use the"
            " Liftlock that made it, or choose another --data directory."
        )
    running = {name: Process(**process) for name, process in found.pop("processes").items()}
    return State(**found, processes=running)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and closed to others from its first byte."""
    unfinished = path.with_name(f"{path.name}.new")
    with contextlib.suppress(FileNotFoundError):
        unfinished.unlink()
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _is_link(link: Path, target: Path) -> bool:
    return link.is_symlink() and link.readlink() == target and link.lstat().st_uid == os.geteuid()


def _short_place() -> str:
    place = tempfile.gettempdir()
    return place if PLAIN.fullmatch(place) and len(place) < SOCKET_ROOM else "/tmp"  # noqa: S108
