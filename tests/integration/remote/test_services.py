"""What scripts of a step ask of the runner: keeping variables, launching and ending services."""

import asyncio
import os
import signal
import stat
from pathlib import Path

import pytest

from worker.steps.step import Command

RUN = {"RUN_DIR": "apps/a/run/1"}
#: Two processes, one of which leaves the group and ignores TERM.
SERVICE = """\
echo "up $GREETING" >>"$RUN_DIR/proof"
[ -z "${STUBBORN:-}" ] || trap '' TERM
setsid sh -c "trap '' TERM; sleep 300; :" &
while :; do sleep 0.1; done
"""
LAUNCH = """\
mkdir -p "$RUN_DIR"
printf '%s' "$SERVICE" >"$RUN_DIR/run"
sh "$LIFTLOCK_RUNNER" launch "$RUN_DIR"
"""


@pytest.fixture
def call(any_machine, connect, output):
    """Run one script under a name of its own; its exit code."""
    host, numbers = connect(any_machine), iter(range(100))

    async def call(script, **values):
        env = {"SERVICE": SERVICE, "GREETING": "hello", **values}
        command = Command(script, env=env, paths=RUN, timeout=30)
        name = f"j-{next(numbers)}"
        return await host.run(command, name=name, secrets={}, output=output)

    return call


@pytest.fixture
def run_dir(any_machine):
    return any_machine.base / "apps/a/run/1"


@pytest.fixture
def service(any_machine, run_dir):
    """The processes of the service that are left."""
    return lambda: any_machine.processes(f"LIFTLOCK_SERVICE={run_dir}")


async def _alive(call):
    return await call('sh "$LIFTLOCK_RUNNER" alive "$RUN_DIR"') == 0


async def _until(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.02)


async def test_a_service_outlives_its_step_and_its_connection(call, any_machine, run_dir):
    assert await call(LAUNCH) == 0
    await any_machine.drop()
    await _until((run_dir / "proof").exists)
    assert await _alive(call)
    assert (run_dir / "proof").read_text() == "up hello\n"


async def test_a_service_is_not_part_of_the_step_that_launched_it(call, any_machine, run_dir):
    assert await call(LAUNCH) == 0
    pid = (run_dir / "pid").read_text().split()[0]
    assert b"LIFTLOCK_STEP" not in Path(f"/proc/{pid}/environ").read_bytes()


async def test_launching_twice_starts_once(call, run_dir):
    assert await call(LAUNCH) == 0
    await _until((run_dir / "proof").exists)
    assert await call(LAUNCH) == 0
    assert (run_dir / "proof").read_text() == "up hello\n"


async def test_a_stopped_service_is_gone_with_its_descendants(call, service):
    await call(LAUNCH)
    await _until(lambda: len(service()) > 1)
    assert await call('sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" 1') == 0
    assert service() == []
    assert not await _alive(call)


async def test_a_service_that_ignores_term_is_stopped(call, run_dir, service):
    await call(LAUNCH, STUBBORN="yes")
    await _until((run_dir / "proof").exists)
    assert await call('sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" 1') == 0
    assert service() == []


async def test_stopping_what_does_not_run_is_no_failure(call):
    assert await call('sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" 1') == 0
    assert await call('mkdir -p "$RUN_DIR"; sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" 1') == 0


async def test_a_dead_service_is_not_alive(call, run_dir):
    await call(LAUNCH)
    await _until((run_dir / "proof").exists)
    os.kill(int((run_dir / "pid").read_text().split()[0]), signal.SIGKILL)
    assert not await _alive(call)


async def test_a_recycled_process_number_is_not_taken_for_the_service(call, run_dir):
    run_dir.mkdir(parents=True)
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    (run_dir / "pid").write_text(f"{os.getpid()} 1 {boot}\n")
    assert not await _alive(call)
    assert await call('sh "$LIFTLOCK_RUNNER" stop "$RUN_DIR" 0') == 0


async def test_saved_variables_are_private_and_exact(call, run_dir, output):
    value = 'it\'s\n$(id) \\n "x"\n\n'
    save = 'mkdir -p "$RUN_DIR"; sh "$LIFTLOCK_RUNNER" saveenv "$RUN_DIR/env" VALUE UNSET RUN_DIR'
    assert await call(save, VALUE=value) == 0
    assert stat.S_IMODE((run_dir / "env").stat().st_mode) == 0o600
    assert [item.name for item in run_dir.iterdir()] == ["env"]
    show = 'printf %s "$VALUE" >"$RUN_DIR/proof"; printf %s "${UNSET-unset}" >>"$RUN_DIR/proof"'
    serve = 'printf %s "$SERVICE" >"$RUN_DIR/run"; exec env -i PATH="$PATH" sh "$LIFTLOCK_RUNNER" '
    assert await call(serve + 'serve "$RUN_DIR"', SERVICE=show) == 0
    assert (run_dir / "proof").read_text() == value + "unset"


async def test_a_service_starts_in_its_release(call, run_dir):
    script = 'mkdir -p "$RUN_DIR" rel; echo "pwd >\\"\\$RUN_DIR/proof\\"" >"$RUN_DIR/run"; '
    script += 'export RELEASE_DIR="$PWD/rel"; sh "$LIFTLOCK_RUNNER" serve "$RUN_DIR"'
    assert await call(script) == 0
    assert (run_dir / "proof").read_text().endswith("/liftlock/rel\n")


async def test_a_misspelled_verb_or_name_is_refused(call, output):
    assert await call('sh "$LIFTLOCK_RUNNER" lunch "$RUN_DIR"') == 64
    assert await call('sh "$LIFTLOCK_RUNNER" saveenv "$PWD/env" "A;id"') == 64
    assert "no such verb: lunch" in str(output)
