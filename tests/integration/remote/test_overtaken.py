"""Endings take seconds: who is overtaken meanwhile does no further harm on the host."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.ssh_server import FOUND_SHELLS, links_to
from worker.remote import runner
from worker.remote.errors import StaleToken, StepVanished
from worker.remote.host import Fence
from worker.steps.step import Command

LOCK, FILE = "instance:1", "instance%3A1"
#: What works until the test lets it go.
WORK = "echo up; until [ -e go ]; do sleep 0.05 || :; done"
#: Notes that it was told to end, and goes on.
STUBBORN = f"trap ': >told' TERM; {WORK}"


def fence(token):
    return Fence({LOCK: token}, job="j", note="attempt")


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def old(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def new(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
async def start(output):
    """Start a step and wait for its first word; the tasks that follow end with the test."""
    tasks = []

    async def start(host, script, name, token):
        said = len(str(output))
        command = Command(script)
        tasks.append(
            asyncio.create_task(
                host.run(command, name=name, secrets={}, output=output, fence=fence(token))
            )
        )
        await until(lambda: len(str(output)) > said)
        return tasks[-1]

    yield start
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def alive(machine, step):
    return machine.processes(f"LIFTLOCK_STEP_DIR={machine.step(step)}")


@pytest.mark.parametrize("what", ["kill", "reap"])
async def test_an_ending_stops_where_a_successor_begins(old, new, any_machine, start, what):
    step = await start(old, STUBBORN, "j-1", 7)
    name = {"kill": "j-1", "reap": "j"}[what]
    ending = asyncio.create_task(getattr(old, what)(name, fence(7)))
    await until((any_machine.base / "told").exists)
    successor = await start(new, WORK, "j-2", 8)
    with pytest.raises(StaleToken, match=r"refuses token 7 .* seen 8"):
        await ending
    assert not (any_machine.step("j-1") / "rc").exists()
    (any_machine.base / "go").touch()
    assert [await step, await successor] == [0, 0]


async def test_a_removal_stops_where_a_successor_begins(old, new, any_machine, start):
    """What vanished with a process left is ended first; the successor wants its folder then."""
    vanished = await start(old, f"({STUBBORN}) & wait", "j-1", 7)
    leader = int((any_machine.step("j-1") / "pid").read_text().split()[0])
    os.kill(leader, signal.SIGKILL)
    with contextlib.suppress(StepVanished):
        await vanished
    removal = asyncio.create_task(old.clean("j-1", fence=fence(7)))
    await until((any_machine.base / "told").exists)
    successor = await start(new, WORK, "j-2", 8)
    with pytest.raises(StaleToken):
        await removal
    assert (any_machine.step("j-1") / "pid").exists()
    (any_machine.base / "go").touch()
    assert await successor == 0


async def test_a_step_that_takes_too_long_is_left_to_whoever_follows(old, any_machine, output):
    script = f'echo 9 >"$LIFTLOCK_BASE/locks/{FILE}.token"; sleep 300'
    command = Command(script, timeout=2)
    with pytest.raises(StaleToken, match=r"refuses token 7 .* seen 9"):
        await old.run(command, name="j-1", secrets={}, output=output, fence=fence(7))
    assert alive(any_machine, "j-1")


@pytest.fixture(params=FOUND_SHELLS)
def signaling(request, tmp_path):
    """Send a signal as the runner does, token 7 against the one seen, to a process it stopped."""
    path = links_to(request.param, tmp_path / "bin")
    parts = Path(runner.__file__).parent
    script = tmp_path / "base/runner/parts.sh"
    script.parent.mkdir(parents=True)
    text = "".join((parts / part).read_text() for part in ("fence.sh", "step.sh", "processes.sh"))
    call = f"ll_mark=m ll_locks='{FILE} 7' ll_left=$1 ll_stopped=$1\nll_signal KILL\n"
    script.write_text(text + call)
    (tmp_path / "base/locks").mkdir()

    def signaling(pid, seen):
        (tmp_path / f"base/locks/{FILE}.token").write_text(f"{seen}\n")
        told = subprocess.run(
            [tmp_path / "bin/sh", script, str(pid)],
            env={"PATH": path},
            stdout=subprocess.PIPE,
            check=False,
        )
        return told.returncode, told.stdout.decode()

    return signaling


@pytest.fixture
def stopped():
    process = subprocess.Popen(["sleep", "300"])
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
    yield process
    process.kill()
    process.wait()


def test_each_signal_is_fenced_and_nobody_is_left_stopped(signaling, stopped):
    assert signaling(stopped.pid, 8) == (76, f"\x1em STALE {FILE} 7 8\n")
    os.waitid(os.P_PID, stopped.pid, os.WCONTINUED)
    assert stopped.poll() is None
    assert signaling(stopped.pid, 7) == (0, "")
    assert stopped.wait() == -signal.SIGKILL
