"""Runs step commands with sh in a folder of this machine: what the runner does, without SSH."""

import os
import subprocess
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from worker.remote.runner import TEXT
from worker.steps.step import Command


@dataclass(frozen=True)
class Ran:
    exit_code: int
    output: str
    facts: Mapping[str, str]


@dataclass(frozen=True)
class LocalShell:
    """`base` stands for the base folder of a host, and for the home of its user."""

    base: Path
    env: Mapping[str, str] = field(default_factory=dict)
    #: The program and its first words.
    shell: tuple[str, ...] = ("/bin/sh",)
    #: Whose processes they are; None: one's own.
    user: int | None = None

    @property
    def runner(self) -> Path:
        """The shipped runner, in the place from which it knows its base folder."""
        path = self.base / "runner" / "runner.sh"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(TEXT)
        return path

    def run(
        self,
        command: Command,
        *,
        facts: Mapping[str, str] | None = None,
        secrets: Mapping[str, str] | None = None,
    ) -> Ran:
        cwd = self.base / command.cwd
        cwd.mkdir(parents=True, exist_ok=True)
        script = self.base / f"script-{threading.get_ident()}"  # several may run at a time
        script.write_text(command.script)
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.base),
            "LIFTLOCK_RUNNER": str(self.runner),
            "LIFTLOCK_BASE": str(self.base),
            **self.env,
            **{name.upper(): value for name, value in (facts or {}).items()},
            **command.env,
            **{name: str(self.base / path) for name, path in command.paths.items()},
            **{name: (secrets or {})[name] for name in command.secrets},
        }
        done = subprocess.run(
            [*self.shell, "-eu", str(script)],
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdin=subprocess.DEVNULL,
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=command.timeout,
            check=False,
        )
        pairs = (line.partition("=") for line in done.stdout.splitlines())
        found = {name: value for name, _, value in pairs if name in command.reports}
        return Ran(done.returncode, done.stdout, found)
