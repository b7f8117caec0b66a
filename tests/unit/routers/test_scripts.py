"""Every script of every router is sh that a checker accepts."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.router import Route, RouterKind
from worker.routers import router_of

#: Values come from the environment, texts are for other programs, `$SUDO` is several words.
EXPECTED = "SC2154,SC2153,SC2034,SC2016,SC2086,SC2012,SC2317,SC2329"


@pytest.mark.parametrize("kind", RouterKind)
def test_a_checker_finds_nothing(kind, tmp_path):
    checker = Path(sys.executable).with_name("shellcheck")
    program = str(checker) if checker.exists() else shutil.which("shellcheck")
    assert program, "shellcheck comes with the dev extra: pip install -e .[dev]"
    router, route = router_of(kind, {}, sudo=False), Route("guest")
    commands = {
        "find": router.find(),
        "configure": router.configure(route),
        "switch": router.switch(route),
        "read-back": router.read_back(route),
        "close": router.close(route, message="", retry_after=1),
        "open": router.open(route),
        "forget": router.forget("guest"),
    }
    for name, command in commands.items():
        (tmp_path / name).write_text(command.script)
    files = [str(tmp_path / name) for name in commands]
    done = subprocess.run(
        [program, "--shell=sh", f"--exclude={EXPECTED}", "--format=gcc", *files],
        check=False,
        capture_output=True,
        text=True,
    )
    assert not done.stdout
