"""The fence on the host: who comes with an older token, or to another's locks, is refused."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from worker.remote.errors import HostBusy, RunnerFailed, StaleToken
from worker.remote.host import Fence
from worker.steps.step import Command

LOCK = "instance:0199-é/x"
FILE = "instance%3A0199-%C3%A9%2Fx"


def fence(token, job="j", name=LOCK, **more):
    return Fence({name: token, **more}, job=job, note=f"upgrade by {job}")


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def run(host, output):
    async def run(script, name, fence):
        return await host.run(Command(script), name=name, secrets={}, output=output, fence=fence)

    return run


@pytest.fixture
def locks(any_machine):
    return any_machine.base / "locks"


async def until(condition):
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_lower_token_is_refused_and_nothing_runs(run, any_machine, locks):
    assert await run("true", "j-1", fence(7)) == 0
    assert (locks / f"{FILE}.token").read_text() == "7\n"
    with pytest.raises(StaleToken, match=r"refuses token 6 of lock instance:0199-é/x.* seen 7"):
        await run("touch ran", "i-1", fence(6, "i"))
    assert not (any_machine.base / "ran").exists()
    assert not (any_machine.step("i-1") / "pid").exists()


async def test_a_fenced_out_worker_can_neither_follow_nor_kill(run, host, any_machine, output):
    running = asyncio.create_task(run("echo up; sleep 300", "j-1", fence(7)))
    await until(lambda: str(output) == "up\n")
    for refused in (
        run("sleep 300", "j-1", fence(6)),
        host.kill("j-1", fence(6)),
        host.reap("j", fence(6)),
    ):
        with pytest.raises(StaleToken):
            await refused
    assert any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}")
    await host.kill("j-1", fence(7))
    await running


async def test_whoever_ends_a_step_with_a_higher_token_shuts_out_the_lower(run, host):
    assert await run("true", "j-1", fence(7)) == 0
    await host.reap("j", fence(8))
    with pytest.raises(StaleToken):
        await run("true", "j-2", fence(7))
    assert await run("true", "j-2", fence(8)) == 0


async def test_another_job_s_process_keeps_the_lock_until_it_is_gone(run, host, any_machine):
    script = "sleep 300 & echo $! >a"
    assert await run(script, "j-1", fence(1)) == 0
    with pytest.raises(
        HostBusy, match=r"that job j started holds lock instance:0199.* s now: upgrade by j\.$"
    ) as busy:
        await run("true", "i-1", fence(2, "i"))
    assert busy.value.transient
    assert not (any_machine.step("i-1") / "pid").exists()
    # The successor's token counts although it has to wait.
    with pytest.raises(StaleToken):
        await run("true", "j-2", fence(1))
    os.kill(int((any_machine.base / "a").read_text()), signal.SIGKILL)
    assert await run("true", "i-1", fence(2, "i")) == 0


async def test_what_a_job_left_running_does_not_stop_its_own_next_step(run, any_machine):
    assert await run("sleep 300 & :", "j-1", fence(1)) == 0
    assert await run("sleep 300 & :", "j-2", fence(1)) == 0
    assert await run("true", "j-3", fence(2)) == 0
    # The second one holds on when the first is gone.
    for process in any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}"):
        os.kill(process, signal.SIGKILL)
    with pytest.raises(HostBusy):
        await run("true", "i-1", fence(3, "i"))
    for process in any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-2')}"):
        os.kill(process, signal.SIGKILL)
    assert await run("true", "i-1", fence(4, "i")) == 0


async def test_a_lock_is_waited_for_a_moment(run, output):
    first = asyncio.create_task(run("echo up; sleep 0.7", "j-1", fence(1)))
    await until(lambda: "up" in str(output))
    assert await run("true", "i-1", fence(2, "i")) == 0
    assert await first == 0


async def test_of_several_locks_all_or_none_are_taken(run):
    assert await run("sleep 300 & :", "j-1", fence(1, name="b")) == 0
    with pytest.raises(HostBusy):
        await run("true", "i-1", fence(2, "i", name="a", b=2, c=2))
    assert await run("true", "k-1", fence(3, "k", name="a", c=3)) == 0


async def test_other_locks_are_not_waited_for(run):
    assert await run("sleep 300 & :", "j-1", fence(1, name="a")) == 0
    assert await run("true", "i-1", fence(1, "i", name="b")) == 0
    assert await run("true", "k-1", None) == 0


async def test_a_service_does_not_keep_the_lock(run, any_machine):
    launch = (
        'mkdir -p "$PWD/run"; echo "exec sleep 300" >run/run; '
        'sh "$LIFTLOCK_RUNNER" launch "$PWD/run"'
    )
    assert await run(launch, "j-1", fence(1)) == 0
    assert any_machine.processes(f"LIFTLOCK_SERVICE={any_machine.base}/run")
    assert await run("true", "i-1", fence(2, "i")) == 0


async def test_tokens_grow_however_many_come_at_once(run, locks):
    tokens = [5, 9, 2, 7, 1, 8, 3]
    runs = [run("true", f"{token}-1", fence(token, f"{token}")) for token in tokens]
    ended = await asyncio.gather(*runs, return_exceptions=True)
    assert ended[tokens.index(9)] == 0
    assert all(end == 0 or isinstance(end, StaleToken) for end in ended)
    assert (locks / f"{FILE}.token").read_text() == "9\n"


async def test_of_two_jobs_at_one_lock_only_one_is_inside(run, any_machine):
    script = 'set -C; : >inside; sleep 0.05; rm inside; echo done >>"done"'
    jobs = [run(script, f"{number}-1", fence(1, str(number))) for number in range(6)]
    ended = await asyncio.gather(*jobs, return_exceptions=True)
    assert all(end == 0 or isinstance(end, HostBusy) for end in ended)
    done = (any_machine.base / "done").read_text().split()
    assert len(done) == ended.count(0) > 0


async def test_the_fence_survives_a_restart_of_the_host(run, any_machine, locks):
    assert await run("sleep 300 & :", "j-1", fence(7)) == 0
    # What a restart leaves behind: no process, and the number of a boot that is over.
    for process in any_machine.processes(f"LIFTLOCK_STEP_DIR={any_machine.step('j-1')}"):
        os.kill(process, signal.SIGKILL)
    signed = any_machine.step("j-1") / "pid"
    pid, born, boot, *starter = signed.read_text().split()
    signed.write_text(" ".join((pid, born, boot.swapcase().replace("-", "0"), *starter)) + "\n")
    with pytest.raises(StaleToken, match=r"refuses token 6 .* seen 7"):
        await run("true", "i-1", fence(6, "i"))
    # Nothing runs, so nobody holds the lock.
    assert await run("true", "i-1", fence(8, "i")) == 0
    assert (locks / f"{FILE}.token").read_text() == "8\n"


async def test_numbers_from_a_backup_of_postgres_are_refused_until_they_are_higher(run):
    """Postgres forgot attempts that the host has seen, and counts from where it was."""
    assert await run("true", "j-1", fence(41)) == 0
    for token in (12, 13, 40):
        with pytest.raises(StaleToken, match=f"refuses token {token} .* seen 41"):
            await run("true", f"i-{token}", fence(token, "i"))
    assert await run("true", "i-42", fence(42, "i")) == 0


async def test_a_refused_step_leaves_nothing_on_the_host(run, any_machine):
    assert await run("true", "j-1", fence(7)) == 0
    with pytest.raises(StaleToken):
        await run("true", "i-1", fence(6, "i"))
    assert not any_machine.step("i-1").exists()


async def test_a_fenced_out_worker_cannot_make_the_host_forget_what_was_done(
    run, host, any_machine
):
    """A step whose folder is gone is a new one: its successor would do it a second time."""
    assert await run("echo done >>effects", "j-1", fence(7)) == 0
    with pytest.raises(StaleToken):
        await host.clean("j-1", fence=fence(6))
    assert await run("echo done >>effects", "j-1", fence(7)) == 0
    assert (any_machine.base / "effects").read_text() == "done\n"


@pytest.mark.parametrize("damaged", ["8x\n", "9" * 20 + "\n", ""])
async def test_a_damaged_token_keeps_everybody_out(run, host, locks, damaged):
    """Who cannot tell a newer attempt from an older one lets neither in."""
    assert await run("true", "j-1", fence(8)) == 0
    path = locks / f"{FILE}.token"
    path.write_text(damaged)
    found = damaged.strip() or "nothing"
    for refused in (lambda: run("true", "j-2", fence(9)), lambda: host.reap("j", fence(9))):
        with pytest.raises(RunnerFailed, match=rf"holds no token: {found}\.$") as caught:
            await refused()
        assert caught.value.hint.endswith(f"sudo rm {path}")
    assert path.read_text() == damaged
    path.unlink()
    assert await run("true", "j-2", fence(9)) == 0
    assert path.read_text() == "9\n"


async def test_a_host_without_flock_says_what_to_install(server, connect, output, tmp_path):
    programs = tmp_path / "programs"
    programs.mkdir()
    for program in (*Path("/bin").iterdir(), *Path("/usr/bin").iterdir()):
        if program.name != "flock" and not (programs / program.name).is_symlink():
            (programs / program.name).symlink_to(program)
    command = Command("true", env={"PATH": str(programs)})
    with pytest.raises(RunnerFailed, match=r"needs the program flock .* finds none") as caught:
        await connect(server).run(command, name="j-1", secrets={}, output=output, fence=fence(1))
    assert "apt-get install util-linux" in caught.value.hint
