"""The example program as a provider: its machines are network namespaces, each with a sshd."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from app.domain.provider_spec import OrphanPolicy, ProviderSpec, Timeouts

PROGRAM = Path(__file__).parents[2] / "examples" / "providers" / "namespaces.py"
PATH = f"{os.environ['PATH']}:/usr/sbin:/sbin"


@dataclass(frozen=True)
class NamespaceCloud:
    """Below a folder of its own."""

    folder: Path

    def __post_init__(self) -> None:
        self._tools.mkdir(parents=True)

    @property
    def _tools(self) -> Path:
        return self.folder / "tools"

    @property
    def environ(self) -> dict[str, str]:
        """What a worker has to have set."""
        return {"PATH": f"{self._tools}:{PATH}", "NAMESPACES_FOLDER": str(self.folder / "made")}

    def spec(self, orphans: OrphanPolicy = OrphanPolicy.REPORT) -> ProviderSpec:
        return ProviderSpec(
            program=[sys.executable, "-P", str(PROGRAM)],
            variables=["NAMESPACES_FOLDER"],
            timeouts=Timeouts(boot=20),
            orphans=orphans,
        )

    @property
    def _lock(self) -> Path:
        return self.folder / "made" / "lock"

    def break_tool(self, tool: str) -> None:
        """It refuses; only the program has it."""
        file = self._tools / tool
        file.write_text(f"#!/bin/sh\necho no {tool} today >&2\nexit 1\n")
        file.chmod(0o755)

    def jam(self) -> None:
        """Nothing is made or removed any more; what there is goes on."""
        self._lock.unlink()
        self._lock.mkdir()

    def mend(self) -> None:
        for file in self._tools.iterdir():
            file.unlink()
        if self._lock.is_dir():
            self._lock.rmdir()

    @property
    def namespaces(self) -> list[str]:
        """Of its machines, as this machine has them."""
        made = {one.name for one in (self.folder / "made").glob("ll-*")}
        there = self._ran("ip", "netns", "list").split()
        return sorted(made & set(there))

    @property
    def tags(self) -> list[str]:
        return [one.read_text() for one in (self.folder / "made").glob("ll-*/tag")]

    def create(self, tag: str, *, hours_ago: float = 0) -> None:
        """One that nobody asked for through a worker."""
        self._ask(action="create", tag=tag, authorized_keys="")
        (file,) = [one for one in self.folder.glob("made/*/tag") if one.read_text() == tag]
        made = time.time() - hours_ago * 3600
        os.utime(file, (made, made))

    def remove(self) -> None:
        """All of it; fails when a namespace or a cable is left."""
        self.mend()
        names = {one.name for one in (self.folder / "made").glob("ll-*")}
        for tag in self.tags:
            self._ask(action="destroy", tag=tag)
        places = (Path("/run/netns"), Path("/sys/class/net"))
        left = [one for place in places for one in place.iterdir() if one.name in names]
        assert not left, left

    def _ask(self, **request: str) -> None:
        self._ran(sys.executable, "-P", str(PROGRAM), given=json.dumps(request))

    def _ran(self, *words: str, given: str = "") -> str:
        environ = {**os.environ, **self.environ}
        done = subprocess.run(
            words, input=given, env=environ, check=True, capture_output=True, text=True
        )
        return done.stdout
