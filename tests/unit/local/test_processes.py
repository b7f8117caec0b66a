"""Processes by id and start time."""

import os
import signal
import subprocess
import sys

from local import processes
from local.processes import Process, identify

WAIT = "import signal; print('ready', flush=True); signal.pause()"


def waiting(**env):
    process = subprocess.Popen([sys.executable, "-I", "-c", WAIT], stdout=subprocess.PIPE, env=env)
    process.stdout.readline()
    return process


def finish(process):
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_living_process_is_recognized_and_an_id_used_again_is_not():
    ours = identify(os.getpid())
    assert ours.is_alive()
    assert not Process(ours.pid, "1").is_alive()


def test_a_dead_process_that_nobody_waited_for_counts_as_gone():
    process = waiting()
    found = identify(process.pid)
    process.kill()
    assert processes.end(found, [(signal.SIGKILL, 10.0)])
    finish(process)


def test_one_that_ignores_a_signal_gets_the_next(tmp_path):
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    process = subprocess.Popen(
        [sys.executable, "-I", "-c", deaf + WAIT.partition(";")[2]], stdout=subprocess.PIPE
    )
    process.stdout.readline()
    assert processes.end(identify(process.pid), [(signal.SIGTERM, 0.1), (signal.SIGKILL, 10.0)])
    finish(process)


def test_processes_are_found_by_a_mark_in_their_environment():
    marked, other = waiting(HOST_MARK="/here"), waiting(HOST_MARK="/here/too")
    assert [found.pid for found in processes.marked("HOST_MARK", "/here")] == [marked.pid]
    finish(marked)
    finish(other)
