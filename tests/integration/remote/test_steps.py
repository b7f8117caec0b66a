"""Steps on a host: what goes in, what comes out, and that they happen once."""

import asyncio
import contextlib
import os
import signal
import time

import pytest

from worker.remote.errors import StepSilent, StepTimeout, StepVanished
from worker.steps.step import Command

HOSTILE = 'it\'s "quoted" $(touch pwned) `id` \\n * ; rm -rf ~\n\ttabs, then newlines\n\n'


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def left(any_machine):
    """The processes of step j-1 that live."""
    return lambda: any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}")


async def _until(condition, seconds=10):
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_step_tells_its_output_and_exit_code(host, output):
    command = Command('echo "out $A"; echo err >&2; exit 7', env={"A": "1"})
    assert await host.run(command, name="j-1", secrets={}, output=output) == 7
    assert str(output) == "out 1\nerr\n"


async def test_a_failing_line_ends_the_step(host, output):
    command = Command("echo one; false; echo two")
    assert await host.run(command, name="j-1", secrets={}, output=output) == 1
    assert str(output) == "one\n"


async def test_values_arrive_exactly(host, any_machine, output):
    command = Command('printf %s "$VALUE" >value', env={"VALUE": HOSTILE}, cwd="apps/a")
    assert await host.run(command, name="j-1", secrets={}, output=output) == 0
    folder = any_machine.base / "apps/a"
    assert (folder / "value").read_bytes() == HOSTILE.encode()
    assert [item.name for item in folder.iterdir()] == ["value"]


async def test_an_empty_value_is_set(host, output):
    command = Command('echo "[${EMPTY-unset}]"', env={"EMPTY": ""})
    assert await host.run(command, name="j-1", secrets={}, output=output) == 0
    assert str(output) == "[]\n"


async def test_paths_become_absolute(host, any_machine, output):
    command = Command('echo "$DIR"; echo "$LIFTLOCK_BASE"; pwd', paths={"DIR": "apps/a"}, cwd="x")
    await host.run(command, name="j-1", secrets={}, output=output)
    base = any_machine.base
    assert str(output).split() == [f"{base}/apps/a", str(base), f"{base}/x"]


async def test_a_secret_is_in_no_argument_and_no_file(host, any_machine, output):
    command = Command(
        'for f in /proc/[0-9]*/cmdline; do cat "$f" 2>/dev/null || :; done | tr "\\0" " "'
    )
    await host.run(command, name="j-1", secrets={"TOKEN": "hunter2-secret"}, output=output)
    assert "j-1" in str(output)
    assert "hunter2" not in str(output)
    files = [path for path in any_machine.home.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if b"hunter2" in path.read_bytes()]


async def test_a_step_under_the_same_name_is_not_run_again(host, any_machine, output):
    command = Command("echo once >>count; echo hello; exit 3")
    for _ in range(3):
        assert await host.run(command, name="j-1", secrets={}, output=output) == 3
    assert (any_machine.base / "count").read_text() == "once\n"
    assert str(output) == "hello\n" * 3


async def test_two_who_start_the_same_step_share_it(host, any_machine, output):
    command = Command("echo once >>count; sleep 0.3; exit 4")
    runs = [host.run(command, name="j-1", secrets={}, output=output) for _ in range(4)]
    assert await asyncio.gather(*runs) == [4] * 4
    assert (any_machine.base / "count").read_text() == "once\n"


async def test_a_hundred_megabytes_cost_neither_disk_nor_memory(host, any_machine, output):
    command = Command("echo first; head -c 100000000 /dev/zero | tr '\\0' x; echo; echo last")
    assert await host.run(command, name="j-1", secrets={}, output=output) == 0
    text = str(output)
    assert text.startswith("first\nxxx")
    assert text.endswith("xxx\nlast\n")
    left_out = 100_000_012 - 4 * 1024 * 1024 - 65536
    assert f"[liftlock: {left_out} bytes of output are left out here]" in text
    assert sum(path.stat().st_size for path in any_machine.step("j-1").iterdir()) < 4_400_000


async def test_output_just_over_the_limit_is_complete(host, output):
    command = Command("head -c 4200000 /dev/zero | tr '\\0' x; echo; echo last")
    await host.run(command, name="j-1", secrets={}, output=output)
    assert str(output) == "x" * 4_200_000 + "\nlast\n"


async def test_invalid_utf8_and_nul_become_replacement_characters(host, output):
    command = Command(r"printf 'a\377b\000c\303'")
    await host.run(command, name="j-1", secrets={}, output=output)
    assert str(output) == "a\ufffdb\ufffdc\ufffd"


async def test_a_character_that_arrives_in_two_pieces_is_whole(host, output):
    command = Command(r"printf 'f\303'; sleep 0.4; printf '\274r\n'")
    await host.run(command, name="j-1", secrets={}, output=output)
    assert str(output) == "für\n"


async def test_output_shows_while_the_step_runs(host, any_machine, output):
    command = Command("echo ready; while [ ! -e go ]; do sleep 0.05; done; echo done")
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "ready\n")
    (any_machine.base / "go").touch()
    assert await run == 0


async def test_a_process_left_in_the_background_does_not_hold_the_step(host, left, output):
    command = Command("sleep 30 & echo started")
    async with asyncio.timeout(15):
        assert await host.run(command, name="j-1", secrets={}, output=output) == 0
    assert str(output) == "started\n"
    assert left()
    later = Command("exit 0", timeout=600)
    assert await host.run(later, name="j-1", secrets={}, output=output) == 0


async def test_a_step_that_takes_too_long_is_killed_with_its_descendants(host, left, output):
    command = Command(
        "echo begin; setsid sh -c 'sleep 300; :' & (trap '' TERM; sleep 300; :) & sleep 300; :",
        timeout=1.0,
    )
    with pytest.raises(StepTimeout, match="It was killed"):
        await host.run(command, name="j-1", secrets={}, output=output)
    assert str(output).startswith("begin\n")
    assert left() == []


async def test_a_killed_step_stays_ended(host, output):
    with pytest.raises(StepTimeout):
        await host.run(Command("sleep 60", timeout=0.3), name="j-1", secrets={}, output=output)
    assert await host.run(Command("sleep 60"), name="j-1", secrets={}, output=output) > 128


async def test_a_lost_connection_is_taken_up_where_it_broke(host, any_machine, output):
    count = 40
    command = Command(
        "echo once >>count; i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; sleep 0.03; done"
    )
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    for line in (3, 15, 25):
        await _until(lambda line=line: f"line {line}\n" in str(output))
        await any_machine.drop()
    assert await run == 0
    assert str(output) == "".join(f"line {number}\n" for number in range(1, count + 1))
    assert (any_machine.base / "count").read_text() == "once\n"


async def test_a_cancelled_call_leaves_the_step_to_its_successor(
    host, any_machine, connect, output
):
    command = Command("echo a; while [ ! -e go ]; do sleep 0.05; done; echo b; exit 5")
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "a\n")
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    (any_machine.base / "go").touch()
    output.clear()
    successor = connect(any_machine)
    assert await successor.run(command, name="j-1", secrets={}, output=output) == 5
    assert str(output) == "a\nb\n"


async def test_a_step_whose_process_vanished_has_no_outcome(host, left, output):
    command = Command("echo up; sleep 60")
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "up\n")
    for process in left():
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    with pytest.raises(StepVanished, match="without an exit code: its process is gone"):
        await run
    with pytest.raises(StepVanished):
        await host.run(command, name="j-1", secrets={}, output=output)


async def test_a_step_that_ran_when_the_host_was_restarted_has_no_outcome(
    host, any_machine, left, output
):
    command = Command("echo up; sleep 60")
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "up\n")
    await _stop(run)
    # What a restart leaves behind: no process, and the number of a boot that is over.
    for process in left():
        os.kill(process, signal.SIGKILL)
    signed = any_machine.step("j-1") / "pid"
    pid, born, boot, *starter = signed.read_text().split()
    signed.write_text(" ".join((pid, born, boot.swapcase().replace("-", "0"), *starter)) + "\n")
    with pytest.raises(StepVanished, match="the host was restarted while it ran"):
        await host.run(command, name="j-1", secrets={}, output=output)


async def test_an_exit_code_that_was_only_not_renamed_counts(host, any_machine, output):
    assert await host.run(Command("exit 7"), name="j-1", secrets={}, output=output) == 7
    folder = any_machine.step("j-1")
    (folder / "rc").rename(folder / "rc.new")
    assert await host.run(Command("exit 7"), name="j-1", secrets={}, output=output) == 7


async def test_a_step_that_says_nothing_for_too_long_is_killed(host, left, output):
    command = Command("echo begin; trap '' TERM; sleep 300; :", timeout=60, silence=0.5)
    with pytest.raises(StepSilent, match=r"said nothing for 0\.5 s. It was killed"):
        await host.run(command, name="j-1", secrets={}, output=output)
    assert str(output) == "begin\n"
    assert left() == []


async def test_a_step_that_says_something_now_and_then_may_take_its_time(host, output):
    command = Command("for i in 1 2 3 4 5 6; do sleep 0.3; echo $i; done", silence=1.5)
    assert await host.run(command, name="j-1", secrets={}, output=output) == 0


async def test_time_goes_on_while_nobody_follows(host, any_machine, connect, output):
    command = Command("echo begin; sleep 300", timeout=60)
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "begin\n")
    await _stop(run)
    log = any_machine.step("j-1") / "log"
    await _until(lambda: time.time() - log.stat().st_mtime > 2)
    async with asyncio.timeout(20):
        short = Command(command.script, timeout=2)
        with pytest.raises(StepTimeout, match="ran longer than 2 s"):
            await connect(any_machine).run(short, name="j-1", secrets={}, output=output)


async def test_a_step_that_was_silent_before_has_less_time_left(host, any_machine, connect, output):
    command = Command("echo begin; sleep 300", timeout=600, silence=30)
    run = asyncio.create_task(host.run(command, name="j-1", secrets={}, output=output))
    await _until(lambda: str(output) == "begin\n")
    await _stop(run)
    log = any_machine.step("j-1") / "log"
    await _until(lambda: time.time() - log.stat().st_mtime > 3)
    began = time.monotonic()
    quiet = Command(command.script, timeout=600, silence=3)
    with pytest.raises(StepSilent):
        await connect(any_machine).run(quiet, name="j-1", secrets={}, output=output)
    assert time.monotonic() - began < 9


async def _stop(task):
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_a_cleaned_step_is_forgotten(host, any_machine, output):
    await host.run(Command("echo 1"), name="j-1", secrets={}, output=output)
    await host.clean("j-1")
    assert not any_machine.step("j-1").exists()
    await host.clean("j-1")
