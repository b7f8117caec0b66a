"""API and workers under a real supervisord, with the configuration that is shipped."""

import asyncio
import base64
import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import asyncssh
import httpx
import pytest

from app import services
from app.domain.job import JobKind
from tests.conftest import MASTER_KEY
from tests.support import factories
from tests.support.postgres import ROOT
from tests.support.stack import eventually, free_port

CONFIGURATION = ROOT / "deploy" / "supervisord.conf"
STATE = re.compile(r"^(\S+) +(\S+) +(?:pid (\d+), )?")


@dataclass(frozen=True)
class Program:
    state: str
    pid: int


@dataclass(frozen=True)
class Supervised:
    """A running supervisord and how to ask it."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]

    @property
    def url(self):
        return f"http://127.0.0.1:{self.environment['LIFTLOCK_PORT']}"

    def control(self, *command):
        return subprocess.run(
            [sys.executable, "-m", "supervisor.supervisorctl", "-c", CONFIGURATION, *command],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )

    def programs(self):
        """What supervisorctl says of each program; nothing while supervisord does not answer."""
        lines = self.control("status").stdout.splitlines()
        found = (STATE.match(line) for line in lines)
        return {
            match[1].rpartition(":")[2]: Program(match[2], int(match[3] or 0))
            for match in found
            if match
        }

    def running(self, name, *, but=0):
        """The process id of the program once it runs, as another process than `but`."""
        program = self.programs().get(name)
        if program is None or program.state != "RUNNING" or program.pid == but:
            return None
        return program.pid

    def logs(self):
        return "\n".join(f"== {p.name}\n{p.read_text()[-3000:]}" for p in self.folder.glob("*.log"))


@pytest.fixture
def supervised(database_url, redis_url):
    # pytest's own folders are too deep for a unix socket.
    folder = Path(tempfile.mkdtemp(prefix="liftlock-s-"))
    program = folder / "liftlock"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m app.cli.main "$@"\n')
    program.chmod(0o700)
    own = {name: value for name, value in os.environ.items() if not name.startswith("LIFTLOCK_")}
    environment = {
        **own,
        "LIFTLOCK_DATABASE_URL": database_url,
        "LIFTLOCK_REDIS_URL": redis_url,
        "LIFTLOCK_MASTER_KEY": base64.b64encode(MASTER_KEY).decode(),
        "LIFTLOCK_PORT": str(free_port()),
        "LIFTLOCK_BIN": str(folder),
        "LIFTLOCK_RUN": str(folder),
        "LIFTLOCK_LOGS": str(folder),
        "LIFTLOCK_WORKERS": "1",
        "PYTHONPATH": str(ROOT),
    }
    with (folder / "output.log").open("wb") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", CONFIGURATION],
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
        )
    yield Supervised(started, folder, environment)
    # A second TERM in the middle of its end would kill it.
    if started.poll() is None:
        started.terminate()
    try:
        started.wait(60)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    assert started.returncode == 0


@contextlib.asynccontextmanager
async def ssh_server():
    """Shows a host key; nobody may log in."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    listener = await asyncssh.listen("127.0.0.1", 0, server_host_keys=[key])
    try:
        yield listener.get_port(), key.get_fingerprint()
    finally:
        listener.close()
        await listener.wait_closed()


async def until(look, what, supervised):
    """Waits in a thread, so that the SSH server goes on answering."""
    return await asyncio.to_thread(eventually, look, what, seconds=60, explain=supervised.logs)


async def ended(db, job_id):
    async with asyncio.timeout(60):
        while True:
            view = await services.jobs.get(db, job_id)
            if view.job.finished_at:
                return view.job
            await asyncio.sleep(0.1)


@pytest.mark.timeout(240)
async def test_a_killed_worker_comes_back_and_takes_a_job(supervised, db, queue, vault):
    first = await until(lambda: supervised.running("worker-1"), "the worker", supervised)
    os.kill(first, signal.SIGKILL)
    second = await until(
        lambda: supervised.running("worker-1", but=first), "the worker to come back", supervised
    )
    async with ssh_server() as (port, fingerprint):
        host = await factories.add_host(db, port=port, host_key=None)
        view = await factories.request(
            db, queue, vault, kind=JobKind.ENROLL, instance=None, host=host.name
        )
        job = await ended(db, view.job.id)
        events = await factories.events(db, job.id)
    told = {event.type: event.data for event in events}
    assert job.status == "succeeded", told
    assert told["host.key_read"]["fingerprint"] == fingerprint
    assert told["job.started"]["worker"].endswith(f":{second}")


@pytest.mark.timeout(240)
def test_a_killed_api_comes_back(supervised):
    def is_ready():
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{supervised.url}/readyz", trust_env=False).is_success or None

    first = eventually(lambda: supervised.running("api"), "the API", seconds=60)
    eventually(is_ready, "the API to be ready", seconds=30, explain=supervised.logs)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: supervised.running("api", but=first), "the API to come back", seconds=60)
    eventually(is_ready, "the new API to be ready", seconds=30, explain=supervised.logs)


@pytest.mark.timeout(240)
def test_the_supervisor_takes_its_programs_along(supervised):
    pids = [
        eventually(lambda name=name: supervised.running(name), name, seconds=60)
        for name in ("api", "worker-1")
    ]
    supervised.process.terminate()
    assert supervised.process.wait(60) == 0, supervised.logs()
    assert not [pid for pid in pids if Path(f"/proc/{pid}").exists()]
