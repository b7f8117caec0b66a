"""Two versions of the runner on one host: each goes on with the steps that it started."""

import asyncio
import os
import subprocess
import time

import pytest

from worker.remote import runner
from worker.remote.errors import StaleToken
from worker.remote.host import Fence
from worker.steps.step import Command

#: Started by an older runner, which leaves a line wherever it is asked for something.
TELLS = 'case $ll_verb in run | attach | kill | clean) echo "$ll_verb" >>"$ll_base/asked" ;; esac\n'


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def older(any_machine):
    """An older version of the runner, uploaded to the machine."""
    text = runner.TEXT.replace("\nll_verb=${1:-}\n", f"\nll_verb=${{1:-}}\n{TELLS}")
    assert text != runner.TEXT
    path = any_machine.base / "runner/runner-older.sh"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def begin(any_machine, older):
    """Let it start step j-1, and stop following it."""

    def begin(script):
        stdin = runner.encode("0" * 32, Command(script), {}).decode()
        program = any_machine.home.parent / "bin/sh"
        shell = str(program) if program.exists() else "sh"
        caller = subprocess.Popen(
            [shell, older, "run", "j-1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=any_machine.home,
        )
        caller.stdin.write(stdin.encode())
        caller.stdin.flush()
        assert b"STARTED" in caller.stdout.readline()
        caller.kill()
        caller.communicate()

    return begin


def asked(machine):
    return (machine.base / "asked").read_text().split()


async def test_another_version_knows_the_tokens_of_whom_it_works_for(
    host, any_machine, begin, output
):
    begin("trap ': >told' TERM; while :; do sleep 0.05 || :; done")

    def fence(token):
        return Fence({"instance:1": token}, job="j", note="a test")

    ending = asyncio.create_task(host.kill("j-1", fence(7)))
    async with asyncio.timeout(15):
        while not (any_machine.base / "told").exists():
            await asyncio.sleep(0.02)
    await host.run(Command("true"), name="i-1", secrets={}, output=output, fence=fence(8))
    with pytest.raises(StaleToken):
        await ending
    assert asked(any_machine) == ["run", "kill"]


async def test_a_step_of_another_version_is_followed_by_that_one(host, any_machine, begin, output):
    begin("echo up; while [ ! -e go ]; do sleep 0.05; done; echo down; exit 3")
    run = asyncio.create_task(host.run(Command("exit 4"), name="j-1", secrets={}, output=output))
    async with asyncio.timeout(10):
        while str(output) != "up\n":
            await asyncio.sleep(0.02)
    (any_machine.base / "go").touch()
    assert await run == 3
    assert str(output) == "up\ndown\n"
    assert asked(any_machine) == ["run", "attach"]
    # The line to the host is as good as before.
    assert await host.run(Command("exit 5"), name="j-2", secrets={}, output=output) == 5


async def test_a_step_of_another_version_is_killed_and_removed_by_that_one(
    host, any_machine, begin
):
    begin("echo up; sleep 300")
    await host.kill("j-1")
    assert not any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}")
    await host.clean("j-1", "j-2")
    assert not any_machine.step("j-1").exists()
    assert asked(any_machine) == ["run", "kill", "clean"]


async def test_without_the_other_version_this_one_does_it(host, any_machine, begin, older, output):
    begin("echo up; sleep 300")
    older.unlink()
    run = asyncio.create_task(host.run(Command("exit 4"), name="j-1", secrets={}, output=output))
    async with asyncio.timeout(10):
        while str(output) != "up\n":
            await asyncio.sleep(0.02)
    await host.kill("j-1")
    assert await run in (137, 143)
    await host.clean("j-1")
    assert asked(any_machine) == ["run"]


async def test_a_runner_whose_step_lives_is_not_tidied_away(host, any_machine, begin, older):
    begin("sleep 300")
    long_ago = time.time() - 3 * 86400
    os.utime(older, (long_ago, long_ago))
    await host.tidy(2)
    assert older.exists()
    await host.kill("j-1")
    await host.tidy(2)
    assert not older.exists()
