"""TCP ports: whether one can be taken, and by whom it is taken."""

import contextlib
import errno
import os
import socket
import sys
from pathlib import Path

from local import processes
from local.errors import Refused

LISTEN = "0A"
#: Where to reach a server that listens on every address.
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


def url(host: str, port: int) -> str:
    """Where this machine finds what listens there."""
    return f"http://{bracketed(LOOPBACK.get(host, host))}:{port}"


def bracketed(address: str) -> str:
    """As it stands before a port."""
    return f"[{address}]" if ":" in address else address


def claim(host: str, port: int, *, option: str = "--port") -> int:
    """The port when it can be taken (0: some free one); else Refused, naming who has it."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            return int(probe.getsockname()[1])
    except socket.gaierror as error:
        raise Refused(f"{host} is no address of this machine ({error.strerror}).") from error
    except OSError as error:
        raise Refused(_why_not(host, port, error, option)) from error


def claim_first(host: str, first: int) -> tuple[int, socket.socket]:
    """The first free port from `first` on, and what keeps another `up` from it until closed."""
    last = first + 78
    for port in range(first, last + 1):
        mark = _mark(port)
        if mark is None:
            continue
        with contextlib.suppress(Refused):
            return claim(host, port), mark
        mark.close()
    raise Refused(f"No free port on {host} between {first} and {last}.")


def listener(port: int) -> str:
    """Who listens on the port, as words for a message; empty when it cannot be seen."""
    inodes = _inodes(port)
    for folder in Path("/proc").glob("[0-9]*/fd"):
        if _holds(folder, inodes):
            pid = int(folder.parent.name)
            return f"process {pid} ({processes.name(pid)})"
    return ""


def _holds(folder: Path, inodes: set[str]) -> bool:
    with contextlib.suppress(PermissionError, FileNotFoundError):
        for descriptor in folder.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if os.readlink(descriptor) in inodes:  # noqa: PTH115  (no path, a kernel's word)
                    return True
    return False


def _mark(port: int) -> socket.socket | None:
    """Taken by one process at a time, long before something listens on the port itself."""
    mark = socket.socket(socket.AF_UNIX)
    if sys.platform == "linux":
        try:
            # A name without a file, which the kernel forgets with the process.
            mark.bind(f"\0liftlock-port-{port}")
        except OSError:
            mark.close()
            return None
    return mark


def _why_not(host: str, port: int, error: OSError, option: str) -> str:
    if error.errno == errno.EADDRINUSE:
        who = listener(port)
        return (
            f"Port {port} on {host} is in use{f' by {who}' if who else ''}."
            f" Stop that, or choose another port with {option}."
        )
    if error.errno == errno.EACCES:
        return f"Port {port} needs root: choose one above 1023 with {option}."
    return f"Nothing can listen on {host} port {port}: {error.strerror}."


def _inodes(port: int) -> set[str]:
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        if not table.exists():
            continue
        for line in table.read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(f"socket:[{fields[9]}]")
    return found
