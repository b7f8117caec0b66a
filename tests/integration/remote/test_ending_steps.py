"""Ending steps: whatever they started is gone afterwards, and services are not."""

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from worker.remote.errors import RunnerFailed, StepVanished
from worker.remote.host import Fence
from worker.steps.step import Command


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def start(host, output):
    """Start a step and wait until it says that it is ready; the task that follows it."""

    async def start(script, name="j-1", **more):
        said = len(str(output))
        task = asyncio.create_task(
            host.run(
                Command(f"{script}\necho ready\nsleep 300; :"),
                name=name,
                secrets={},
                output=output,
                **more,
            )
        )
        await until(lambda: "ready" in str(output)[said:] or task.done())
        if task.done():
            task.result()
        return task

    return start


async def until(condition, seconds=15):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


def lives(pid):
    """Whether the process is there, and more than a zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


async def numbers(machine, *names):
    """Process numbers that scripts wrote into files of the base folder."""
    files = [machine.base / name for name in names]
    await until(lambda: all(file.exists() and file.read_text().endswith("\n") for file in files))
    return [int(file.read_text()) for file in files]


async def test_a_killed_step_tells_its_follower_how_it_ended(host, start):
    run = await start("true")
    await host.kill("j-1")
    assert await run in (137, 143)


async def test_a_step_that_ends_well_when_it_is_told_to_stop_keeps_its_exit_code(host, start):
    run = await start("trap 'exit 5' TERM; sleep 300 & echo ready; wait; exit 6")
    await host.kill("j-1")
    assert await run == 5


async def test_processes_that_do_not_want_to_end_are_ended(host, any_machine, start):
    run = await start(
        "(trap '' TERM; echo $PPID >a; exec sleep 300) &\n"
        "setsid sh -c 'trap \"\" TERM; echo $$ >b; while :; do sleep 0.05; done' &\n"
        'env -i PATH="$PATH" sh -c \'trap "" TERM; echo $$ >c; sleep 300; :\' &\n'
        'env -i PATH="$PATH" setsid sh -c \'trap "" TERM; echo $$ >d; sleep 300; :\' &'
    )
    pids = await numbers(any_machine, "a", "b", "c", "d")
    await host.kill("j-1")
    assert [pid for pid in pids if lives(pid)] == []
    assert await run in (137, 143)


async def test_one_that_hides_from_the_first_signal_is_found_by_its_session(
    host, any_machine, start
):
    """It left the session, emptied its environment, and its parent dies of TERM."""
    run = await start(
        'env -i PATH="$PATH" setsid sh -c \'trap "" TERM; '
        '(trap "" TERM; sleep 300; :) & echo $! >a; wait; sleep 300\' &'
    )
    pids = await numbers(any_machine, "a")
    await host.kill("j-1")
    assert not lives(pids[0])
    await run


async def test_one_that_passes_itself_on_all_the_time_is_ended(host, any_machine, start):
    """Each of a line of processes ignores TERM and starts the next in a session of its own."""
    script = "trap '' TERM; echo $$ >alive; sleep 1; setsid sh \"$0\" & sleep 1"
    any_machine.base.mkdir()
    (any_machine.base / "line").write_text(script + "\n")
    run = await start("setsid sh line &")
    await until((any_machine.base / "alive").exists)
    await host.kill("j-1")
    assert not any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}")
    await run


#: Leaves its session under a name that looks like the rest of a line of /proc.
HIDING = """\
import ctypes, os, time
ctypes.CDLL(None).prctl(15, b") R 1\\n1 (", 0, 0, 0)
os.setsid()
open("a", "w").write(f"{os.getpid()}\\n")
time.sleep(300)
"""


async def test_a_name_with_brackets_and_line_breaks_hides_nobody(host, any_machine, start):
    any_machine.base.mkdir()
    (any_machine.base / "hiding").write_text(HIDING)
    run = await start(f"env -i {sys.executable} hiding &")
    (pid,) = await numbers(any_machine, "a")
    await host.kill("j-1")
    assert not lives(pid)
    await run


async def test_killing_a_step_spares_its_neighbours(host, any_machine, start):
    first, second = await start("true", "j-1"), await start("true", "j-10")
    await host.kill("j-1")
    await first
    assert any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-10')}")
    await host.kill("j-10")
    await second


async def test_a_step_that_was_never_started_can_be_killed_and_is_not_started_then(
    host, any_machine, output
):
    await host.kill("j-1")
    command = Command("touch ran")
    assert await host.run(command, name="j-1", secrets={}, output=output) == 137
    assert not (any_machine.base / "ran").exists()
    await host.clean("j-1")
    assert await host.run(command, name="j-1", secrets={}, output=output) == 0


async def test_killing_a_step_that_has_ended_changes_nothing(host, output):
    assert await host.run(Command("exit 3"), name="j-1", secrets={}, output=output) == 3
    await host.kill("j-1")
    assert await host.run(Command("exit 3"), name="j-1", secrets={}, output=output) == 3


async def test_a_step_that_vanished_stays_unknown_after_a_kill(host, any_machine, start, output):
    run = await start("true")
    for process in any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with pytest.raises(StepVanished):
        await run
    await host.kill("j-1")
    with pytest.raises(StepVanished):
        await host.run(Command("true"), name="j-1", secrets={}, output=output)


async def test_reaping_a_job_ends_all_its_steps_and_no_others(host, any_machine, start):
    runs = [await start("trap '' TERM", name) for name in ("j-1", "j-2-undo", "j-3")]
    other = await start("true", "i-1")
    await host.reap("j")
    assert [await run for run in runs] == [137] * 3
    assert any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('i-1')}")
    await host.reap("i")
    await other


async def test_reaping_finds_what_an_ended_step_left_behind(host, any_machine, output):
    script = (
        "setsid sh -c 'echo $$ >a; exec sleep 300' & "
        'env -i PATH="$PATH" sh -c "echo \\$\\$ >b; exec sleep 300" & '
        "while [ ! -s a ] || [ ! -s b ]; do sleep 0.01; done"
    )
    await host.run(Command(script), name="j-1", secrets={}, output=output)
    pids = await numbers(any_machine, "a", "b")
    assert all(lives(pid) for pid in pids)
    await host.reap("j")
    assert not any(lives(pid) for pid in pids)


async def test_reaping_finds_who_left_everything_but_holds_the_job_s_lock(
    host, any_machine, output
):
    fence = Fence({"instance:1": 1}, job="j", note="a test")
    hidden = (
        "env -i PATH=\"$PATH\" setsid sh -c 'sleep 300 & echo $! >a' </dev/null >/dev/null 2>&1"
    )
    assert await host.run(Command(hidden), name="j-1", secrets={}, output=output, fence=fence) == 0
    (pid,) = await numbers(any_machine, "a")
    assert lives(pid)
    await host.reap("j")
    assert not lives(pid)


async def test_reaping_a_job_without_any_step_is_no_failure(host):
    await host.reap("nobody")


async def test_a_service_outlives_the_kill_of_the_step_that_launched_it(host, any_machine, start):
    folders = ("apps/a/run/1", "apps/b[1]/run/12")
    runs = [
        await start(
            f'mkdir -p "$PWD/{folder}"; cd "{folder}"; echo "echo up >up; exec sleep 300" >run\n'
            'sh "$LIFTLOCK_RUNNER" launch "$PWD"',
            f"j-{number}",
        )
        for number, folder in enumerate(folders)
    ]
    services = [any_machine.base / folder for folder in folders]
    await until(lambda: all((service / "up").exists() for service in services))
    await host.kill("j-0")
    await host.reap("j")
    await asyncio.gather(*runs)
    assert all(lives((service / "pid").read_text().split()[0]) for service in services)


@pytest.mark.parametrize("signed", ["never", "by one who is gone"])
async def test_whoever_only_says_that_it_is_a_service_is_not_spared(
    host, any_machine, start, signed
):
    run_dir = any_machine.base / "apps/a/run/1"
    if signed != "never":
        run_dir.mkdir(parents=True)
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        (run_dir / "pid").write_text(f"{os.getpid()} 1 {boot}\n")
    run = await start(
        "LIFTLOCK_SERVICE=x setsid sleep 300 & echo $! >a\n"
        f"export LIFTLOCK_SERVICE='{run_dir}'; sh -c 'echo $$ >b; exec sleep 300' & "
    )
    pids = await numbers(any_machine, "a", "b")
    await host.kill("j-1")
    assert [pid for pid in pids if lives(pid)] == []
    await run


async def test_reaping_ends_what_only_says_that_it_is_a_service(host, any_machine, output):
    script = "LIFTLOCK_SERVICE=/x setsid sh -c 'echo $$ >a; exec sleep 300' >/dev/null 2>&1 &"
    await host.run(Command(script), name="j-1", secrets={}, output=output)
    (pid,) = await numbers(any_machine, "a")
    assert lives(pid)
    await host.reap("j")
    assert not lives(pid)


async def test_a_step_that_somebody_else_told_to_stop_has_no_outcome(
    host, any_machine, start, output
):
    """As the host's own shutdown does.

    Not with SIGHUP or SIGINT: they may be ignored where the tests run, and then everywhere below.
    """
    run = await start("true")
    leader = int((any_machine.step("j-1") / "pid").read_text().split()[0])
    os.killpg(leader, signal.SIGTERM)
    with pytest.raises(StepVanished, match="All of its processes were sent TERM"):
        await run
    assert not (any_machine.step("j-1") / "rc").exists()
    await host.kill("j-1")
    with pytest.raises(StepVanished):
        await host.run(Command("true"), name="j-1", secrets={}, output=output)


async def test_a_shutdown_that_reaches_the_script_first_leaves_no_outcome(host, any_machine, start):
    run = await start("echo $$ >a")
    (script,) = await numbers(any_machine, "a")
    keeper = int(Path(f"/proc/{script}/stat").read_text().rpartition(") ")[2].split()[1])
    os.kill(script, signal.SIGTERM)
    os.kill(keeper, signal.SIGTERM)
    with pytest.raises(StepVanished):
        await run


@pytest.mark.parametrize("code", [129, 130, 137, 143])
async def test_a_script_s_own_code_is_a_code_though_it_looks_like_a_signal(host, output, code):
    command = Command(f"exit {code}")
    assert await host.run(command, name="j-1", secrets={}, output=output) == code


async def test_a_script_that_was_told_to_stop_and_says_how_it_ended_is_believed(
    host, any_machine, start
):
    run = await start("trap 'exit 5' TERM; sleep 300 & echo ready; wait; exit 6")
    os.killpg(int((any_machine.step("j-1") / "pid").read_text().split()[0]), signal.SIGTERM)
    assert await run == 5


async def test_what_a_step_vanished_from_is_ended_before_it_is_forgotten(host, any_machine, start):
    run = await start("sh -c 'echo $$ >a; exec sleep 300' &")
    (pid,) = await numbers(any_machine, "a")
    leader = int((any_machine.step("j-1") / "pid").read_text().split()[0])
    os.kill(leader, signal.SIGKILL)
    with pytest.raises(StepVanished):
        await run
    assert lives(pid)
    await host.clean("j-1")
    assert not lives(pid)
    assert not any_machine.step("j-1").exists()


async def test_several_steps_are_forgotten_at_once(host, any_machine, output):
    for name in ("j-1", "j-2", "j-3"):
        await host.run(Command("true"), name=name, secrets={}, output=output)
    await host.clean("j-1", "j-3", "j-4")
    assert [folder.name for folder in (any_machine.base / "steps").iterdir()] == ["j-2"]


async def test_a_running_step_is_not_forgotten(host, start):
    run = await start("true")
    with pytest.raises(RunnerFailed, match="still running"):
        await host.clean("j-1")
    await host.kill("j-1")
    await run


async def test_only_old_steps_and_unneeded_runners_are_tidied_away(
    host, any_machine, start, output
):
    for name in ("old-1", "new-1"):
        await host.run(Command("true"), name=name, secrets={}, output=output)
    run = await start("true", "running-1")
    runners = any_machine.base / "runner"
    current = next(runners.iterdir())
    for name in ("runner-unneeded.sh", "runner-served.sh", "runner-recent.sh"):
        (runners / name).write_text(":\n")
    unit = any_machine.base / "apps/a/run/1/site.service"
    unit.parent.mkdir(parents=True)
    unit.write_text(f'ExecStart=/bin/sh "{runners}/runner-served.sh" serve x\n')
    long_ago = time.time() - 8 * 86400
    steps = any_machine.base / "steps"
    for path in (
        steps / "old-1",
        steps / "running-1",
        current,
        runners / "runner-unneeded.sh",
        runners / "runner-served.sh",
    ):
        os.utime(path, (long_ago, long_ago))
    await host.tidy(7)
    assert {path.name for path in steps.iterdir()} == {"new-1", "running-1"}
    kept = {"runner-served.sh", "runner-recent.sh", current.name}
    assert {path.name for path in runners.iterdir()} == kept
    await host.kill("running-1")
    await run


async def test_a_killed_connection_at_any_moment_leaves_one_step_with_its_end(
    host, any_machine, output
):
    """The server's processes for the session die 0 to 60 ms after the call."""
    for number in range(12):
        command = Command(f"echo once >>count-{number}; exit 9")
        run = asyncio.create_task(host.run(command, name=f"k-{number}", secrets={}, output=output))
        await asyncio.sleep(number * 0.005)
        await any_machine.drop()
        assert await run == 9
        assert (any_machine.base / f"count-{number}").read_text() == "once\n"
