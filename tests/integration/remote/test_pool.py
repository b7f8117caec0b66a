"""Connections shared by all jobs of a worker: when one is used again, and when it is not."""

import asyncio
import shutil
import signal

import asyncssh
import pytest

from tests.support.ssh_server import running_server
from tests.support.sshd import running_sshd
from worker.remote.errors import HostKeyChanged
from worker.remote.hosts import Pool
from worker.steps.step import Command


@pytest.fixture
async def pool():
    async with Pool() as pool:
        yield pool


@pytest.fixture
def run(output):
    async def run(host, script="echo hello", name="j-1"):
        return await host.run(Command(script), name=name, secrets={}, output=output)

    return run


@pytest.fixture
def impatient(monkeypatch):
    """Nobody waits a minute for an idle connection to be closed."""
    monkeypatch.setattr("worker.remote.link.IDLE", 0.1)


def _with(address, **changes):
    return type(address)(**{**vars(address), **changes})


def _key():
    return asyncssh.generate_private_key("ssh-ed25519")


async def _until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_two_jobs_share_a_connection(server, pool, run):
    hosts = [pool.hosts([server.identity]).host(server.address) for _ in range(2)]
    await asyncio.gather(*(run(host, name=f"j-{n}") for n, host in enumerate(hosts)))
    hosts.clear()
    await run(pool.hosts([server.identity]).host(server.address), name="j-3")
    assert len(server.connections) == 1


async def test_a_login_shell_is_paid_once_for_many_calls(server, pool, run):
    host = pool.hosts([server.identity]).host(server.address)
    for number in range(5):
        await run(host, name=f"j-{number}")
        await host.clean(f"j-{number}")
    # To find the runner missing, to bring it, and to call it ten times.
    assert len(server.commands) == 3


async def test_a_runner_that_was_removed_is_brought_again(machine, pool, run, output):
    host = pool.hosts([machine.identity]).host(machine.address)
    await run(host, name="j-1")
    shutil.rmtree(machine.base)
    await run(host, name="j-2")
    assert str(output) == "hello\nhello\n"


async def test_a_long_step_leaves_the_channel_clean_for_the_next_call(machine, pool, run, output):
    """The runner watches its caller during a long step: it must not swallow what comes next."""
    host = pool.hosts([machine.identity]).host(machine.address)
    for number in range(3):
        await run(host, script="sleep 1; echo slow", name=f"j-{number}")
        await run(host, name=f"j-next-{number}")
    assert str(output) == "slow\nhello\n" * 3


async def test_a_call_that_was_given_up_does_not_answer_the_next_one(machine, pool, run, output):
    host = pool.hosts([machine.identity]).host(machine.address)
    given_up = asyncio.create_task(run(host, script="echo begin; sleep 2; echo end"))
    await _until(lambda: output)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    await run(host, name="j-2")
    assert str(output) == "begin\nhello\n"


async def test_a_job_with_newer_identities_gets_its_own_connection(server, pool, run):
    await run(pool.hosts([server.identity]).host(server.address))
    rotated = [_key().export_private_key().decode(), server.identity]
    await run(pool.hosts(rotated).host(server.address), name="j-2")
    assert len(server.connections) == 2
    await run(pool.hosts(rotated).host(server.address), name="j-3")
    assert len(server.connections) == 2


async def test_the_connection_of_older_identities_is_closed_when_idle(server, pool, run, impatient):
    await run(pool.hosts([server.identity]).host(server.address))
    rotated = [_key().export_private_key().decode(), server.identity]
    step = run(pool.hosts(rotated).host(server.address), script="sleep 1", name="j-2")
    running = asyncio.create_task(step)
    await _until(lambda: len(server.connections) == 2)
    await _until(lambda: len(server.connections) == 1)
    assert await running == 0


async def test_a_job_with_another_pin_does_not_use_the_older_connection(server, pool, run):
    hosts = pool.hosts([server.identity])
    await run(hosts.host(server.address))
    line = " ".join(_key().export_public_key().decode().split()[:2])
    with pytest.raises(HostKeyChanged):
        await run(hosts.host(_with(server.address, host_key=line)), name="j-2")
    await run(hosts.host(server.address), name="j-3")
    assert len(server.connections) == 1


async def test_an_idle_connection_is_closed_and_made_anew(machine, pool, run, output, impatient):
    host = pool.hosts([machine.identity]).host(machine.address)
    await run(host)
    link = pool.link(machine.address, [asyncssh.import_private_key(machine.identity)])
    await _until(lambda: not link.is_open)
    await run(host, name="j-2")
    assert str(output) == "hello\nhello\n"


async def test_a_connection_in_use_is_not_idle(server, pool, run, output, impatient):
    host = pool.hosts([server.identity]).host(server.address)
    await run(host, script="sleep 1; echo done")
    assert str(output) == "done\n"
    assert len([line for line in server.commands if "while" in line]) == 2


async def test_a_jump_host_is_shared_and_stays_while_somebody_jumps(
    server, tmp_path, pool, run, impatient
):
    async with (
        running_server(tmp_path / "a", name="a") as first,
        running_server(tmp_path / "b", name="b") as second,
    ):
        hosts = pool.hosts([server.identity, first.identity, second.identity])
        inner = [hosts.host(_with(each.address, jump=server.address)) for each in (first, second)]
        steps = [run(host, script="sleep 1", name=f"j-{n}") for n, host in enumerate(inner)]
        running = asyncio.gather(*steps)
        await _until(lambda: first.connections and second.connections)
        jump = set(server.connections)
        assert len(jump) == 1
        assert await running == [0, 0]
        await _until(lambda: not first.connections and not second.connections)
        assert server.connections in (jump, set())
        await _until(lambda: not server.connections)


async def test_a_closed_pool_leaves_no_connection(server, run):
    async with Pool() as pool:
        await run(pool.hosts([server.identity]).host(server.address))
        assert server.connections
    await _until(lambda: not server.connections)


@pytest.mark.sshd
async def test_a_peer_that_froze_while_nobody_spoke_costs_the_next_job_little(
    tmp_path, pool, run, output, monkeypatch
):
    monkeypatch.setattr("worker.remote.link.SILENCE", 0)
    monkeypatch.setattr("worker.remote.link.ANSWER", 1)
    async with running_sshd(tmp_path / "machine") as sshd:
        host = pool.hosts([sshd.identity]).host(sshd.address)
        await run(host)
        sshd.signal_sessions(signal.SIGSTOP)
        async with asyncio.timeout(10):
            await run(host, name="j-2")
    assert str(output) == "hello\nhello\n"


@pytest.mark.sshd
async def test_31_steps_at_once_share_one_connection(tmp_path, pool, run, output):
    async with running_sshd(tmp_path / "machine", extra="MaxSessions 10") as sshd:
        host = pool.hosts([sshd.identity]).host(sshd.address)
        steps = (run(host, script="sleep 0.2; echo hello", name=f"j-{n}") for n in range(31))
        assert await asyncio.gather(*steps) == [0] * 31
        log = (tmp_path / "machine/sshd.log").read_text()
    assert str(output) == "hello\n" * 31
    assert log.count("Accepted publickey") == 1


@pytest.mark.sshd
async def test_files_are_sent_even_over_the_only_session(tmp_path, pool, run):
    (tmp_path / "file").write_text("content")
    async with running_sshd(tmp_path / "machine", extra="MaxSessions 1") as sshd:
        host = pool.hosts([sshd.identity]).host(sshd.address)
        await run(host)
        assert (await host.send(tmp_path / "file", "sent")).sent_files == 1
        await run(host, name="j-2")
        assert (sshd.base / "sent").read_text() == "content"


@pytest.mark.sshd
async def test_20_first_connections_at_once_pass_a_narrow_door(tmp_path, pool, run):
    async with running_sshd(tmp_path / "machine", extra="MaxStartups 2:100:2") as sshd:
        hosts = pool.hosts([sshd.identity])
        each = [hosts.host(_with(sshd.address, name=f"host-{n}")) for n in range(20)]
        steps = (run(host, name=f"j-{n}") for n, host in enumerate(each))
        assert await asyncio.gather(*steps) == [0] * 20


@pytest.mark.sshd
async def test_a_slow_bashrc_is_paid_once(tmp_path, pool, run):
    async with running_sshd(tmp_path / "machine") as sshd:
        (sshd.home / ".bashrc").write_text("echo noise; echo . >>~/paid; sleep 0.1\n")
        host = pool.hosts([sshd.identity]).host(sshd.address)
        await run(host)
        paid = (sshd.home / "paid").read_text()
        for number in range(5):
            await run(host, name=f"j-{number}")
        assert (sshd.home / "paid").read_text() == paid
