"""How PostgreSQL is started, which refuses to run as root and needs a name for its user id."""

import os
import pwd
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from local.errors import Refused

NAMESPACE_SCRIPT = Path(__file__).with_name("namespace.py")
#: The id inside the namespace when the machine knows it; any other with a name does as well.
PREFERRED_INSIDE = 1000
UNPRIVILEGED = "nobody"


class Mechanism(StrEnum):
    ORDINARY = "ordinary"
    NAMESPACE = "namespace"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Launch:
    """One way to start a program; `uid` is the id the program sees for itself."""

    mechanism: Mechanism
    uid: int
    gid: int

    def argv(self, program: Sequence[str]) -> tuple[str, ...]:
        if self.mechanism is not Mechanism.NAMESPACE:
            return tuple(program)
        script = str(NAMESPACE_SCRIPT)
        return (sys.executable, "-I", "-S", script, str(self.uid), *program)

    def options(self) -> dict[str, Any]:
        """Keyword arguments for subprocess."""
        if self.mechanism is not Mechanism.NOBODY:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def own(self, directory: Path) -> None:
        """Give the folder to whoever the program will be, on the outside."""
        if os.geteuid() != 0:
            return
        dropped = self.mechanism is Mechanism.NOBODY
        uid, gid = (self.uid, self.gid) if dropped else (os.geteuid(), os.getegid())
        if directory.stat().st_uid == uid:
            return
        for folder, _, files in os.walk(directory):
            for path in (folder, *(os.path.join(folder, name) for name in files)):  # noqa: PTH118
                os.chown(path, uid, gid, follow_symlinks=False)


def choose(program: Path, *, forced: Mechanism | None = None) -> Launch:
    """The first mechanism that can run the program here; Refused when there is none."""
    candidates = _candidates() if forced is None else _forced(forced)
    for launch in candidates:
        if _works(launch, program):
            return launch
    raise Refused(
        f"PostgreSQL does not run as root, and neither a user namespace nor the user"
        f" {UNPRIVILEGED} could start {program} here. Run `liftlock up` as an ordinary user, or"
        " use a PostgreSQL of your own: set LIFTLOCK_DATABASE_URL."
    )


def _candidates() -> list[Launch]:
    if os.geteuid() != 0 and _has_name(os.geteuid()):
        return [Launch(Mechanism.ORDINARY, os.geteuid(), os.getegid())]
    launches = _forced(Mechanism.NAMESPACE)
    return launches + _forced(Mechanism.NOBODY) if os.geteuid() == 0 else launches


def _forced(mechanism: Mechanism) -> list[Launch]:
    if mechanism is Mechanism.ORDINARY:
        return [Launch(mechanism, os.geteuid(), os.getegid())]
    if mechanism is Mechanism.NAMESPACE:
        inside = _named_inside()
        return [] if inside is None else [Launch(mechanism, inside, inside)]
    try:
        nobody = pwd.getpwnam(UNPRIVILEGED)
    except KeyError:
        return []
    return [Launch(mechanism, nobody.pw_uid, nobody.pw_gid)]


def _named_inside() -> int | None:
    if _has_name(PREFERRED_INSIDE):
        return PREFERRED_INSIDE
    return next((user.pw_uid for user in pwd.getpwall() if user.pw_uid != 0), None)


def _has_name(uid: int) -> bool:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        return False
    return True


def _works(launch: Launch, program: Path) -> bool:
    try:
        done = subprocess.run(
            launch.argv([str(program), "--version"]),
            cwd="/",
            capture_output=True,
            check=False,
            timeout=20,
            **launch.options(),
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
