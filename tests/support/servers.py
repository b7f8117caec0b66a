"""The folder of one test run, in which the workers share servers that end with the run."""

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

RUN = "LIFTLOCK_TEST_RUN"
GUARD = Path(__file__).with_name("guard.py")
ALIVE = "alive"
PATIENCE = 30.0
PREPARED = pytest.StashKey[bool]()


def prepare(config: pytest.Config) -> None:
    """The controlling process makes the folder, once; xdist's workers inherit its name."""
    if hasattr(config, "workerinput") or config.stash.get(PREPARED, False):
        return
    config.stash[PREPARED] = True
    run = Path(tempfile.mkdtemp(prefix="liftlock-tests-"))
    os.environ[RUN] = str(run)
    held = (run / ALIVE).open("w")
    fcntl.flock(held, fcntl.LOCK_SH)
    config.add_cleanup(lambda: _end(run, held.close))


def run_folder() -> Path:
    """The folder of this run; every worker sees the same."""
    return Path(os.environ[RUN])


@contextlib.contextmanager
def one_at_a_time(run: Path, name: str) -> Iterator[None]:
    """Only one worker of the run is inside."""
    with (run / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def start(
    run: Path,
    program: Sequence[str],
    *,
    folder: Path,
    stop: signal.Signals,
    log: Path,
    options: Mapping[str, Any],
) -> None:
    """Start a server that stops, and whose folder goes, when the run ends."""
    user = f"{options['user']}:{options['group']}" if "user" in options else "-"
    guard = [sys.executable, "-I", "-S", str(GUARD), str(int(stop))]
    with log.open("ab") as output:
        subprocess.run(
            [*guard, str(run / ALIVE), str(folder), user, *program],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=options.get("cwd", run),
            start_new_session=True,
            check=True,
        )


def wait_until(condition: Callable[[], bool], what: str, *, log: Path | None = None) -> None:
    """Poll a condition; after 30 s fail with the end of the log."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log and log.exists() else ""
            raise TimeoutError(f"waited {PATIENCE:.0f} s for {what}\n{tail}")
        time.sleep(0.02)


def _end(run: Path, release: Callable[[], None]) -> None:
    release()
    with contextlib.suppress(TimeoutError):
        wait_until(lambda: not any(path.is_dir() for path in run.iterdir()), "servers to stop")
    shutil.rmtree(run, ignore_errors=True)
