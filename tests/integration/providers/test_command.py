import asyncio
import os
import shlex
import signal
import socket
import subprocess
import sys

import pytest

from tests.support.machine_maker import HOST_KEY

CHECK = (sys.executable, "-m", "worker.providers", "check")


@pytest.fixture
async def answering(executed):
    """The program, whose machines begin to speak as an SSH server does."""

    async def greet(reader, writer):
        writer.write(b"SSH-2.0-test\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        (executed.folder / "port").write_text(str(server.sockets[0].getsockname()[1]))
        yield executed


@pytest.fixture
def silent(executed):
    """The program, at whose machines' port nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        (executed.folder / "port").write_text(str(bound.getsockname()[1]))
        yield executed


def command(executed, *options):
    program, *arguments = executed.words
    fixed = (f"--arg={argument}" for argument in arguments)
    return (*CHECK, "--program", program, *fixed, *options)


async def check(executed, *options):
    process = await asyncio.create_subprocess_exec(
        *command(executed, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def test_a_program_that_does_all_right_passes(answering):
    code, out, err = await check(answering)
    assert (code, out.count("ok  ")) == (0, 6), err
    assert not list(answering.folder.glob("*.machine"))


async def test_the_tag_is_told_before_the_program_is_asked_for_the_machine(answering):
    _, _, err = await check(answering)
    first = err.splitlines()[0].strip()
    assert first.startswith("liftlock-check-")
    assert first.endswith(": pending (remove it by this tag)")


async def test_a_machine_is_kept_when_that_is_wanted(answering):
    code, _, _ = await check(answering, "--keep")
    assert code == 0
    assert len(list(answering.folder.glob("liftlock-check-*.machine"))) == 1


async def test_keys_that_may_log_in_are_handed_over(answering, tmp_path):
    keys = tmp_path / "keys"
    keys.write_text(f"{HOST_KEY} me\n")
    await check(answering, "--authorized-keys", str(keys))
    assert answering.requests("create")[0]["authorized_keys"] == f"{HOST_KEY} me\n"


async def test_a_program_is_found_from_where_the_command_is_typed(answering):
    program = answering.folder / "program"
    program.write_text(f"#!/bin/sh\nexec {shlex.join(answering.words)}\n")
    program.chmod(0o755)
    words = (*CHECK, "--program", f"./{program.name}")
    process = await asyncio.create_subprocess_exec(
        *words,
        cwd=answering.folder,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    _, err = await process.communicate()
    assert process.returncode == 0, err


async def test_what_is_wrong_is_told_with_the_next_command(executed):
    executed.fault("create", "echo quota exceeded >&2; exit 1")
    code, _, err = await check(executed)
    assert code == 1
    assert "The machine could not be made: " in err
    assert "quota exceeded" in err
    assert "Try it: python -m worker.providers check" in err


async def test_a_machine_that_never_answers_is_told_and_removed(silent):
    code, _, err = await check(silent, "--wait", "1")
    assert (code, "does not answer SSH at 127.0.0.1:" in err) == (1, True), err
    assert not list(silent.folder.glob("*.machine"))


@pytest.mark.parametrize("wait", ["0", "-1", "nan"])
async def test_a_wait_that_would_not_begin_is_refused(executed, wait):
    """Case 22."""
    code, _, err = await check(executed, "--wait", wait)
    assert code == 2
    assert "more than 0" in err


async def test_an_interrupted_check_removes_its_machine(answering, tmp_path):
    """Cases 23 and 24: the machine is made, and its maker hangs."""
    door = tmp_path / "door"
    os.mkfifo(door)
    (answering.folder / "after-create").write_text(f"echo hangs >{door}; exec sleep 600")
    process = await asyncio.create_subprocess_exec(
        *command(answering), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    await asyncio.to_thread(door.read_text)
    assert list(answering.folder.glob("*.machine"))
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130, err
    assert not list(answering.folder.glob("*.machine"))
