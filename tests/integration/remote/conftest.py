"""The hosts of these tests: one behind asyncssh for each shell found, one behind OpenSSH."""

import pytest

from tests.support.ssh_server import FOUND_SHELLS, running_server
from tests.support.sshd import running_sshd
from worker.remote.hosts import Pool

SSHD = pytest.param("sshd", marks=pytest.mark.sshd)


@pytest.fixture(params=["sh", SSHD])
async def machine(request, tmp_path):
    """Each kind of SSH server."""
    running = running_sshd if request.param == "sshd" else running_server
    async with running(tmp_path / "machine") as machine:
        yield machine


@pytest.fixture(params=[*FOUND_SHELLS, SSHD])
async def any_machine(request, tmp_path):
    """Each kind of SSH server, and each shell that the runner has to work with."""
    if request.param == "sshd":
        async with running_sshd(tmp_path / "machine") as machine:
            yield machine
    else:
        async with running_server(tmp_path / "machine", shell=request.param) as machine:
            yield machine


@pytest.fixture
async def server(tmp_path):
    """The server inside the test process, which can be told to misbehave."""
    async with running_server(tmp_path / "machine") as server:
        yield server


@pytest.fixture
async def connect():
    """Make the hosts of a machine; their connections are closed at the end."""
    pools = []

    def connect(machine, **changes):
        pools.append(Pool())
        return (
            pools[-1]
            .hosts([machine.identity])
            .host(type(machine.address)(**{**vars(machine.address), **changes}))
        )

    yield connect
    for pool in pools:
        await pool.aclose()


class Output(list):
    """Collects what a step says."""

    async def __call__(self, text):
        self.append(text)

    def __str__(self):
        return "".join(self)


@pytest.fixture
def output():
    return Output()
