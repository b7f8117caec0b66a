"""A folder that stands for a host, and a repository to check out from."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.local_shell import LocalShell


@dataclass(frozen=True)
class Repository:
    path: Path

    def git(self, *arguments: str) -> str:
        who = ("-c", "user.name=Somebody", "-c", "user.email=somebody@example.org")
        command = ["git", "-C", str(self.path), *who, *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit(self, text: str) -> str:
        (self.path / "page.txt").write_text(text)
        self.git("add", "page.txt")
        self.git("commit", "--quiet", "--message", text)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def shell(tmp_path: Path) -> LocalShell:
    # A space and a quote in every path: scripts that forget to quote fail here.
    base = tmp_path / "it's a host"
    base.mkdir()
    return LocalShell(base)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    path = tmp_path / "a repository"
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(path)], check=True)
    return Repository(path)
