"""A demo host as SSH clients see it."""

import asyncio
import contextlib
import signal
import sys

import asyncssh
import pytest

from local import demo, demo_host, ports, processes
from local.data import open_data
from local.processes import identify

HUNDRED_MB = 100 * 1024 * 1024


@pytest.fixture
def client_key():
    return asyncssh.generate_private_key("ssh-ed25519")


@pytest.fixture
async def host(tmp_path, client_key, monkeypatch):
    """A running demo host that knows the client's key."""
    monkeypatch.setattr(demo, "FIRST_SSH_PORT", ports.claim("127.0.0.1", 0))
    data = open_data(tmp_path / "data")
    held = contextlib.ExitStack()
    host = demo.prepare(data, held)[0]
    data.close()
    host.admit(client_key.export_public_key().decode())
    child, answers = host.children()[0]
    process = await asyncio.create_subprocess_exec(*child.argv, env=child.env, cwd=child.cwd)
    async with asyncio.timeout(20):
        while not answers():
            await asyncio.sleep(0.05)
    yield host
    process.send_signal(signal.SIGTERM)
    await process.wait()
    held.close()


def connection(host, key, *, user="demo", host_key=None):
    pinned = f"[127.0.0.1]:{host.port} {host_key or host.host_key}\n"
    return asyncssh.connect(
        "127.0.0.1",
        host.port,
        username=user,
        client_keys=[key],
        known_hosts=asyncssh.import_known_hosts(pinned),
        config=None,
        agent_path=None,
    )


@pytest.fixture
async def client(host, client_key):
    async with connection(host, client_key) as client:
        yield client


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.02)


def running(host):
    """The commands that run on the host."""
    return {processes.name(p.pid) for p in processes.marked(demo_host.MARK, str(host.home))}


async def test_a_command_runs_in_the_hosts_own_folder_without_the_environment_of_up(
    client, host, monkeypatch
):
    done = await client.run('pwd; echo "$HOME $USER"; env', check=True)
    where, home, *env = done.stdout.splitlines()
    assert (where, home) == (str(host.home), f"{host.home} demo")
    assert not [
        line for line in env if line.startswith(("LIFTLOCK_DATABASE", "VIRTUAL_ENV", "PYTHON"))
    ]


async def test_exit_codes_and_error_output_arrive(client):
    done = await client.run("echo out; echo err >&2; exit 7")
    assert (done.stdout, done.stderr, done.exit_status) == ("out\n", "err\n", 7)


async def test_death_by_a_signal_is_told_as_such(client):
    done = await client.run("kill -KILL $$")
    assert (done.exit_status, done.exit_signal[0]) == (-1, "KILL")


async def test_input_reaches_the_command_and_ends(client):
    done = await client.run("wc -c", input="x" * 300_000)
    assert done.stdout.strip() == "300000"


async def test_a_channel_without_a_command_is_a_shell(client):
    done = await client.run(input="echo $((6 * 7))\n")
    assert done.stdout == "42\n"


async def test_much_output_arrives_whole_though_the_client_reads_late(client):
    process = await client.create_process(f"head -c {HUNDRED_MB} /dev/zero", encoding=None)
    count = 0
    while chunk := await process.stdout.read(1024 * 1024):
        count += len(chunk)
    assert count == HUNDRED_MB


async def test_a_detached_process_survives_the_connection(host, client_key):
    async with connection(host, client_key) as client:
        done = await client.run("setsid sleep 600 >/dev/null 2>&1 </dev/null & echo $!", check=True)
        pid = int(done.stdout)
    sleeping = [p for p in processes.marked(demo_host.MARK, str(host.home)) if p.pid == pid]
    assert sleeping


async def test_what_prints_to_a_lost_connection_ends_and_a_silent_command_goes_on(host, client_key):
    client = await connection(host, client_key)
    await client.create_process("yes")
    await client.create_process("sleep 600")
    await until(lambda: {"yes", "sleep 600"} <= running(host))
    client.abort()
    await client.wait_closed()
    await until(lambda: "yes" not in running(host))
    assert "sleep 600" in running(host)


async def test_a_signal_from_the_client_reaches_the_command(client):
    process = await client.create_process("echo ready; exec sleep 600")
    await process.stdout.readline()
    process.terminate()
    done = await process.wait()
    assert done.exit_signal[0] == "TERM"


async def test_only_the_admitted_key_and_user_log_in(host, client_key):
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        await connection(host, stranger)
    with pytest.raises(asyncssh.PermissionDenied):
        await connection(host, client_key, user="root")
    host.admit(stranger.export_public_key().decode())
    async with connection(host, stranger):
        pass


async def test_the_host_key_is_the_pinned_one(host, client_key):
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        await connection(host, client_key, host_key=other)


async def test_connections_are_forwarded_to_this_machine_only(client, host):
    reader, writer = await client.open_connection("127.0.0.1", host.port)
    assert (await reader.readline()).startswith(b"SSH-2.0-")
    writer.close()
    with pytest.raises(asyncssh.ChannelOpenError):
        await client.open_connection("192.0.2.1", 80)


async def test_the_end_of_the_host_ends_all_that_was_started_on_it(tmp_path):
    script = "import signal; print('x', flush=True); signal.pause()"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", script),
        env={demo_host.MARK: str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    await process.stdout.readline()
    await asyncio.to_thread(demo_host.power_off, tmp_path)
    assert await process.wait() == -signal.SIGTERM
    assert identify(process.pid) is None
    process._transport.close()
