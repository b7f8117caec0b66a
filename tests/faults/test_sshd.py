"""A real OpenSSH server fails in every way that it can, at every step of a provision."""

import os
import secrets
import shutil
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.machines import register, sshd_machine
from tests.support.stack import FINAL, eventually

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(180)]


class Sshd:
    """The server of one machine, and the processes that it has for its connections."""

    def __init__(self, config):
        self.config, self.started = config, []

    @property
    def listener(self):
        return next(
            pid
            for pid in processes()
            if of(pid, "comm").startswith("sshd")
            and str(self.config) in of(pid, "cmdline").replace("\0", " ")
            and not of(pid, "cmdline").endswith("-R\0")
        )

    def sessions(self):
        """Of all connections, also the halves that OpenSSH gives away."""
        servers = {
            pid: int(stat.rpartition(")")[2].split()[1])
            for pid in processes()
            # Read once: those of other tests come and go meanwhile.
            if "(sshd" in (stat := of(pid, "stat"))
        }
        found, todo = [], [self.listener]
        while todo:
            above = todo.pop()
            below = [pid for pid, parent in servers.items() if parent == above]
            found, todo = found + below, todo + below
        return found

    def signal_sessions(self, number):
        told = self.sessions()
        for pid in told:
            tell(pid, number)
        return told

    def restart(self):
        sessions, listener = self.sessions(), self.listener
        for pid in (listener, *sessions):
            tell(pid, signal.SIGKILL)
        eventually(lambda: not of(listener, "cmdline") or None, "sshd to go", seconds=5)
        sshd = shutil.which("sshd", path="/usr/sbin:/usr/bin")
        command = [sshd, "-D", "-e", "-f", str(self.config)]
        self.started.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        eventually(lambda: self.answers() or None, "sshd to come back", seconds=10)

    def answers(self):
        try:
            return bool(self.listener)
        except StopIteration:
            return False

    def end(self):
        for process in self.started:
            process.kill()
            process.wait()


def tell(pid, number):
    """Send a signal; one half of a session that is gone takes the other with it."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def processes():
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def of(pid, what):
    """What /proc says of a process; nothing when it is gone."""
    try:
        return Path(f"/proc/{pid}/{what}").read_text(errors="replace")
    except OSError:
        return ""


@pytest.fixture(scope="module")
def machine(arena, tmp_path_factory):
    folder, name = tmp_path_factory.mktemp("sshd"), f"sshd-{secrets.token_hex(3)}"
    for made in sshd_machine(arena, name, folder):
        register(arena, made, capacity=20)
        yield made


@pytest.fixture(scope="module")
def sshd(machine):
    made = Sshd(machine.home.with_suffix(".conf"))
    yield made
    made.end()


def kill(sshd):
    return sshd.signal_sessions(signal.SIGKILL)


def freeze(sshd):
    return sshd.signal_sessions(signal.SIGSTOP)


def restart(sshd):
    sshd.restart()
    return []


@pytest.mark.parametrize("fault", [kill, freeze, restart])
def test_a_fault_at_every_step(arena, site, sshd, fault):
    """The worker stands still with each step's intent written; then nobody listens any more."""
    here, hit = site(), []
    worker = arena.worker(point="every intent")
    job = here.request()

    def at_a_step():
        """True while the worker stands still; False when the job is over."""
        if arena.job(job)["status"] in FINAL:
            return False
        state = of(worker.pid, "stat").rpartition(")")[2].split()
        return True if state and state[0] == "T" else None

    while eventually(at_a_step, "the next step", seconds=30, explain=arena.logs):
        hit.append(fault(sshd))
        arena.goes_on(worker)
    here.check(job, attempts=1)
    assert len(hit) > 10
    for pid in {pid for told in hit for pid in told}:
        if of(pid, "comm").startswith("sshd"):
            tell(pid, signal.SIGKILL)


def test_sessions_that_are_killed_again_and_again_in_one_step(arena, site, sshd):
    here = site()
    with arena.workers():
        job = here.request()
        for line in (3, 6, 9, 12, 15, 18):
            arena.said(job, f"line {line}\n")
            sshd.signal_sessions(signal.SIGKILL)
        here.check(job, attempts=1)


def test_a_connection_that_went_silent_is_given_up_within_20_seconds(arena, site, sshd):
    slow = 'echo "line 1"; echo build >> "$SHARED_DIR/effects"; n=2; while [ "$n" -le 20 ]; do'
    here = site(BUILD=f'{slow} sleep 0.2; echo "line $n"; n=$((n + 1)); done')
    with arena.workers(hasty=False):
        job = here.request()
        arena.said(job, "line 2\n")
        frozen = sshd.signal_sessions(signal.SIGSTOP)
        before = len(arena.lines(job))
        eventually(lambda: len(arena.lines(job)) > before + 5 or None, "news", seconds=20)
        here.check(job, attempts=1)
    for pid in frozen:
        tell(pid, signal.SIGKILL)
