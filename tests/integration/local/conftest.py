"""`liftlock up` as a process, with stand-ins for the app and the worker."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.servers import wait_until

SCRIPT = Path(__file__).parent / "stand_in" / "up.py"
OURS = re.compile("LIFTLOCK_|PG|TEST_|PYTEST_")


class RunningUp:
    """One `up` process and what it printed."""

    def __init__(self, home, data, arguments, env):
        self.data = data
        self.log = home / f"output-{len(list(home.glob('output-*')))}"
        inherited = {name: value for name, value in os.environ.items() if not OURS.match(name)}
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, SCRIPT, home, "--data", data, *map(str, arguments)],
                stdout=output,
                stderr=output,
                stdin=subprocess.DEVNULL,
                cwd=home,
                env=inherited | env,
                start_new_session=True,
            )

    @property
    def output(self):
        return self.log.read_text()

    @property
    def address(self):
        return re.search(r"address  (\S+)", self.output)[1]

    @property
    def children(self):
        """Process ids by the names of the parts."""
        state = json.loads((self.data / "state.json").read_text())
        return {name: process["pid"] for name, process in state["processes"].items()}

    def wait_for(self, text):
        wait_until(
            lambda: text in self.output or self.process.poll() is not None, text, log=self.log
        )
        assert text in self.output, self.output
        return self

    def exit_code(self):
        return self.process.wait(60)

    def stop(self, number=signal.SIGINT):
        self.process.send_signal(number)
        return self.exit_code()


@pytest.fixture
def home(tmp_path):
    return tmp_path


@pytest.fixture
def run_up(home):
    """Start `up`; whatever still runs at the end is stopped."""
    started = []

    def run(*arguments, data=None, **env):
        up = RunningUp(home, data or home / "data", ("--port", 0, *arguments), env)
        started.append(up)
        return up

    yield run
    for up in started:
        if up.process.poll() is None:
            up.stop()
    if any(up.process.returncode == -signal.SIGKILL for up in started):
        # The next `up` stops what a killed one left: here one that is refused its port after that.
        last = RunningUp(home, started[-1].data, ("--port", 1, "--host", "192.0.2.1"), {})
        last.exit_code()
