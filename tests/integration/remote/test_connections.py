"""Reaching a host, and what is said when it cannot be reached."""

import asyncio
import signal
import socket

import asyncssh
import pytest

from tests.support.ssh_server import running_server
from tests.support.sshd import running_sshd
from worker.remote.errors import (
    AuthFailed,
    ForwardingRefused,
    HostKeyChanged,
    HostKeyMissing,
    HostUnreachable,
    RunnerFailed,
    StepTimeout,
)
from worker.remote.hosts import Pool
from worker.steps.step import Command

HELLO = Command("echo hello")


def _key(algorithm="ssh-ed25519"):
    return asyncssh.generate_private_key(algorithm)


def _line(key):
    return " ".join(key.export_public_key().decode().split()[:2])


async def _run(host, output, name="j-1"):
    return await host.run(HELLO, name=name, secrets={}, output=output)


@pytest.mark.parametrize("algorithm", ["ssh-ed25519", "ecdsa-sha2-nistp256"])
async def test_a_changed_host_key_is_refused(machine, connect, output, algorithm):
    pinned = _key(algorithm)
    host = connect(machine, host_key=_line(pinned))
    with pytest.raises(HostKeyChanged) as caught:
        await _run(host, output)
    found = asyncssh.import_public_key(machine.address.host_key).get_fingerprint()
    assert pinned.get_fingerprint() in caught.value.detail
    assert found in caught.value.detail
    assert not machine.base.exists()


async def test_a_changed_host_key_is_not_tried_again(server, connect, output):
    host = connect(server, host_key=_line(_key()))
    async with asyncio.timeout(2):
        with pytest.raises(HostKeyChanged) as caught:
            await _run(host, output)
    assert not caught.value.transient


async def test_a_host_without_a_pinned_key_gets_no_login(server, connect, output):
    host = connect(server, host_key=None)
    with pytest.raises(HostKeyMissing, match="not enrolled") as caught:
        await _run(host, output)
    assert "liftlock hosts enroll demo" in caught.value.hint


async def test_a_host_key_is_read_without_a_login(machine):
    pool = Pool()
    key = await pool.hosts([]).read_host_key(machine.address)
    await pool.aclose()
    pinned = asyncssh.import_public_key(machine.address.host_key)
    assert key.line == machine.address.host_key
    assert key.fingerprint == pinned.get_fingerprint()


async def test_a_refused_key_comes_with_the_line_to_add(machine, output):
    stranger = _key()
    pool = Pool()
    hosts = pool.hosts([stranger.export_private_key().decode()])
    with pytest.raises(AuthFailed) as caught:
        await _run(hosts.host(machine.address), output)
    await pool.aclose()
    assert f"echo '{_line(stranger)} liftlock' >> ~/.ssh/authorized_keys" in caught.value.hint


async def test_without_any_identity_the_hint_is_to_make_one(server, output):
    pool = Pool()
    hosts = pool.hosts([])
    with pytest.raises(AuthFailed, match="no identity yet"):
        await _run(hosts.host(server.address), output)
    await pool.aclose()


async def test_an_older_identity_still_opens_the_door(server, output):
    pool = Pool()
    hosts = pool.hosts([_key().export_private_key().decode(), server.identity])
    assert await _run(hosts.host(server.address), output) == 0
    await pool.aclose()


async def test_a_closed_port_is_tried_four_times(server, connect, output, monkeypatch):
    monkeypatch.setattr("worker.remote.link.PAUSES", (0.01, 0.01, 0.01))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = connect(server, port=taken.getsockname()[1])
        with pytest.raises(HostUnreachable, match="Tried 4 times") as caught:
            await _run(host, output)
    assert caught.value.transient


async def test_an_unknown_name_says_so(server, connect, output, monkeypatch):
    monkeypatch.setattr("worker.remote.link.PAUSES", ())
    host = connect(server, host="nowhere.invalid")
    with pytest.raises(HostUnreachable, match=r"nowhere\.invalid.*cannot be resolved"):
        await _run(host, output)


async def test_a_connection_is_shared_and_made_anew(machine, connect, output):
    host = connect(machine)
    await asyncio.gather(*(_run(host, output, name=f"j-{n}") for n in range(25)))
    await machine.drop()
    assert await _run(host, output, name="j-again") == 0
    assert str(output) == "hello\n" * 26


async def test_the_runner_is_uploaded_once(server, connect, output):
    for number in range(3):
        await _run(connect(server), output, name=f"j-{number}")
    assert len([line for line in server.commands if " upload " in line]) == 1
    assert len(list((server.base / "runner").iterdir())) == 1


async def test_a_host_behind_a_jump_host_is_reached_through_it(machine, tmp_path, output):
    async with running_server(tmp_path / "inner", name="inner") as inner:
        address = type(inner.address)(**{**vars(inner.address), "jump": machine.address})
        pool = Pool()
        hosts = pool.hosts([inner.identity, machine.identity])
        assert await _run(hosts.host(address), output) == 0
        assert (await hosts.read_host_key(address)).line == inner.address.host_key
        await pool.aclose()
    assert (inner.base / "steps/j-1").exists()
    assert not machine.base.exists()


async def test_a_jump_host_that_cannot_reach_the_target_is_named(
    server, tmp_path, output, monkeypatch
):
    monkeypatch.setattr("worker.remote.link.PAUSES", ())
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        changes = {"name": "inner", "port": taken.getsockname()[1], "jump": server.address}
        pool = Pool()
        hosts = pool.hosts([server.identity])
        host = hosts.host(type(server.address)(**{**vars(server.address), **changes}))
        with pytest.raises(HostUnreachable, match="from its jump host demo"):
            await _run(host, output)
        await pool.aclose()


async def test_a_jump_host_that_forbids_forwarding_is_named(server, output):
    server.forwarding = False
    address = type(server.address)(**{**vars(server.address), "name": "in", "jump": server.address})
    pool = Pool()
    hosts = pool.hosts([server.identity])
    with pytest.raises(ForwardingRefused, match=r"host demo .* forbids"):
        await _run(hosts.host(address), output)
    await pool.aclose()


async def test_a_base_that_cannot_be_written_is_named_with_the_fix(machine, connect, output):
    (machine.home / "taken").write_text("a file")
    host = connect(machine, base_dir="taken/base")
    with pytest.raises(RunnerFailed) as caught:
        await _run(host, output)
    assert f"{machine.home}/taken" in caught.value.detail
    assert "-rw" in caught.value.detail
    assert "sudo chown" in caught.value.hint


async def test_somebody_elses_folder_is_named_with_its_owner(machine, connect, output):
    with pytest.raises(RunnerFailed, match=r"dr-xr-xr-x .* root "):
        await _run(connect(machine, base_dir="/proc/nowhere"), output)


async def test_a_steps_folder_that_cannot_be_made_is_named(machine, connect, output):
    host = connect(machine)
    await _run(host, output)
    (machine.base / "apps").write_text("a file")
    with pytest.raises(RunnerFailed, match="apps/x"):
        await host.run(Command("echo", cwd="apps/x"), name="j-2", secrets={}, output=output)


async def test_sudo_that_does_not_work_comes_with_the_fix(server, connect, output, tmp_path):
    sudo = tmp_path / "machine/bin/sudo"
    sudo.write_text("#!/bin/sh\necho 'sudo: a password is required' >&2\nexit 1\n")
    sudo.chmod(0o755)
    with pytest.raises(RunnerFailed, match="a password is required") as caught:
        await _run(connect(server, sudo=True), output)
    assert "NOPASSWD" in caught.value.hint


async def test_sudo_runs_the_whole_runner(server, connect, output, tmp_path):
    sudo = tmp_path / "machine/bin/sudo"
    sudo.write_text('#!/bin/sh\n[ "$1" = -n ] && shift && HOME=/nowhere AS_ROOT=yes exec "$@"\n')
    sudo.chmod(0o755)
    sudo_env = Command('echo "$AS_ROOT"')
    sudoed = connect(server, sudo=True)
    assert await sudoed.run(sudo_env, name="j-1", secrets={"X": "y"}, output=output) == 0
    assert str(output) == "yes\n"
    assert server.step("j-1").exists()


async def test_a_noisy_login_shell_does_not_disturb(tmp_path, connect, output):
    async with running_server(
        tmp_path / "machine", noise="echo WELCOME; echo beware >&2;"
    ) as noisy:
        assert await _run(connect(noisy), output) == 0
    assert str(output) == "hello\n"


@pytest.mark.sshd
async def test_a_noisy_bashrc_does_not_disturb(tmp_path, connect, output):
    async with running_sshd(tmp_path / "machine") as sshd:
        (sshd.home / ".bashrc").write_text("echo WELCOME; printf 'no newline'; echo beware >&2\n")
        assert await _run(connect(sshd), output) == 0
    assert str(output) == "hello\n"


@pytest.mark.sshd
async def test_a_server_with_few_sessions_is_enough(tmp_path, connect, output):
    async with running_sshd(tmp_path / "machine", extra="MaxSessions 1") as sshd:
        host = connect(sshd)
        codes = await asyncio.gather(*(_run(host, output, name=f"j-{n}") for n in range(4)))
    assert codes == [0] * 4


@pytest.mark.sshd
async def test_a_step_is_killed_even_over_the_only_session(tmp_path, connect, output):
    async with running_sshd(tmp_path / "machine", extra="MaxSessions 1") as sshd:
        step = Command("echo begin; sleep 60", timeout=0.5)
        with pytest.raises(StepTimeout, match="It was killed"):
            await connect(sshd).run(step, name="j-1", secrets={}, output=output)
    assert str(output).startswith("begin\n")


@pytest.mark.sshd
async def test_a_peer_that_froze_is_noticed_and_replaced(tmp_path, connect, output):
    async with running_sshd(tmp_path / "machine") as sshd:
        step = Command("echo begin; while [ ! -e go ]; do sleep 0.1; done; echo end")
        host = connect(sshd)
        run = asyncio.create_task(host.run(step, name="j-1", secrets={}, output=output))
        async with asyncio.timeout(10):
            while not output:
                await asyncio.sleep(0.01)
        sshd.signal_sessions(signal.SIGSTOP)
        (sshd.base / "go").touch()
        async with asyncio.timeout(20):
            assert await run == 0
    assert str(output) == "begin\nend\n"
