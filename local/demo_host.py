"""A demo host: an SSH server that runs commands as this user in one folder.

Usage: python -m local.demo_host --root FOLDER --port PORT --host-key FILE

Like a machine's sshd it leaves detached processes alone when a connection ends. Its own end is the
machine's power switch: then all that was started through it is stopped.
"""

import argparse
import asyncio
import contextlib
import os
import signal
from pathlib import Path

import asyncssh

from local import processes

#: Marks what was started on this host; whoever detaches from a session keeps it.
MARK = "LIFTLOCK_DEMO_HOST"
USER = "demo"
REACHABLE = ("127.0.0.1", "localhost")
CHUNK = 64 * 1024


class DemoServer(asyncssh.SSHServer):
    """Lets in one user with the keys that stand in the folder now; forwards to this machine."""

    def __init__(self, root: Path) -> None:
        self._keys = root / ".ssh" / "authorized_keys"
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    def begin_auth(self, username: str) -> bool:
        if self._connection is not None and username == USER and self._keys.stat().st_size:
            # Read at each login, so that a new key needs no restart.
            self._connection.set_authorized_keys(str(self._keys))
        return True

    def connection_requested(
        self, dest_host: str, dest_port: int, orig_host: str, orig_port: int
    ) -> bool:
        del dest_port, orig_host, orig_port
        return dest_host in REACHABLE


async def session(root: Path, channel: "asyncssh.SSHServerProcess[bytes]") -> None:
    """Run one command to its end; `sh` reads from the channel when there is none."""
    command = ("-c", channel.command) if channel.command is not None else ()
    process = await asyncio.create_subprocess_exec(
        "/bin/sh",
        *command,
        cwd=root,
        env=_login(root),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdin is not None  # noqa: S101  (all three are pipes)
    assert process.stdout is not None  # noqa: S101
    assert process.stderr is not None  # noqa: S101
    feeding = asyncio.create_task(_feed(channel, process, process.stdin))
    printing = asyncio.create_task(_print_both(channel, process.stdout, process.stderr))
    over = asyncio.create_task(channel.wait_closed())
    await asyncio.wait([printing, over], return_when=asyncio.FIRST_COMPLETED)
    if not (printing.done() and printing.result()):
        _hang_up(process)
    status = await process.wait()
    _report(channel, status)
    for task in (feeding, printing, over):
        task.cancel()
    await asyncio.gather(feeding, printing, over, return_exceptions=True)


async def serve(root: Path, port: int, host_key: Path) -> None:
    """Serve until SIGTERM, then stop what runs on the host."""
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    listener = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=lambda: DemoServer(root),
        server_host_keys=[str(host_key)],
        process_factory=lambda channel: session(root, channel),
        encoding=None,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        keepalive_interval=5,
        reuse_address=True,
    )
    await stopping.wait()
    listener.close()
    await asyncio.to_thread(power_off, root)


def power_off(root: Path) -> None:
    """Stop every process that was started on the host (blocks)."""
    left = processes.marked(MARK, str(root))
    for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 3.0)):
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, number)
        left = [process for process in left if not processes.end(process, [(number, seconds)])]


def _login(root: Path) -> dict[str, str]:
    # Ours is needed to find this module; a site must not find our packages in place of its own.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return {**inherited, MARK: str(root)}


async def _feed(
    channel: "asyncssh.SSHServerProcess[bytes]",
    process: asyncio.subprocess.Process,
    stdin: asyncio.StreamWriter,
) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        while True:
            try:
                data = await channel.stdin.read(CHUNK)
            except asyncssh.SignalReceived as received:
                _signal(process.pid, received.signal)
                continue
            if not data:
                break
            stdin.write(data)
            await stdin.drain()
    stdin.close()


async def _print_both(
    channel: "asyncssh.SSHServerProcess[bytes]",
    stdout: asyncio.StreamReader,
    stderr: asyncio.StreamReader,
) -> bool:
    """Whether the client took all that the command printed."""
    complete = await asyncio.gather(_print(stdout, channel.stdout), _print(stderr, channel.stderr))
    return all(complete)


async def _print(source: asyncio.StreamReader, target: "asyncssh.SSHWriter[bytes]") -> bool:
    try:
        while data := await source.read(CHUNK):
            target.write(data)
            # Waits for the client, and the command for us: nothing piles up here.
            await target.drain()
    except (OSError, asyncssh.Error):
        return False
    return True


def _hang_up(process: asyncio.subprocess.Process) -> None:
    """The client is gone: close the pipes, as sshd does; whoever writes on is told by SIGPIPE."""
    # The stream API has no public way to close the reading ends without killing the process.
    transport = process._transport  # type: ignore[attr-defined]  # noqa: SLF001
    for descriptor in (0, 1, 2):
        pipe = transport.get_pipe_transport(descriptor)
        if pipe is not None:
            pipe.close()


def _signal(pid: int, name: str) -> None:
    with contextlib.suppress(ProcessLookupError, KeyError):
        os.killpg(pid, signal.Signals[f"SIG{name}"])


def _report(channel: "asyncssh.SSHServerProcess[bytes]", status: int) -> None:
    with contextlib.suppress(OSError, asyncssh.Error):
        if status < 0:
            channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
        else:
            channel.exit(status)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.demo_host")
    parser.add_argument("--root", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--host-key", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.root, options.port, options.host_key))


if __name__ == "__main__":
    main()
