"""Files under the fence: nobody puts any where another attempt, or another job, works now."""

import asyncio
import threading

import pytest

from worker.remote import tree
from worker.remote.errors import HostBusy, StaleToken
from worker.remote.host import Fence, Sent
from worker.steps.step import Command

LOCK = "instance:0199-é/x"
#: Bytes of a stream that arrive before it stands still.
_BEGINNING = 512 * 1024


def fence(token, job="j"):
    return Fence({LOCK: token}, job=job, note=f"upgrade by {job}")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "a").write_text("A")
    return folder


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def place(any_machine):
    return any_machine.base / "apps/x"


@pytest.fixture
def go_on():
    """Set it, and what is being sent is sent to its end."""
    event = threading.Event()
    yield event
    event.set()


@pytest.fixture
def begun(any_machine, connect, go_on, monkeypatch):
    """Begin to send files; the host has the first of them when this returns."""
    pack = tree.pack

    def stand_still(entries):
        whole = b"".join(pack(entries))
        yield whole[:_BEGINNING]
        go_on.wait()
        yield whole[_BEGINNING:]

    async def begin(source, fence):
        (source / "large").write_bytes(bytes(2 * _BEGINNING))
        with monkeypatch.context() as patched:
            patched.setattr(tree, "pack", stand_still)
            sending = asyncio.create_task(connect(any_machine).send(source, "apps/x", fence))
            async with asyncio.timeout(20):
                while not list((any_machine.base / "apps").glob("**/.liftlock-*/tree/a")):
                    await asyncio.sleep(0.01)
        return sending

    return begin


async def test_a_fenced_out_worker_changes_no_file(host, source, place):
    await host.send(source, "apps/x", fence(7))
    (source / "a").write_text("of the past")
    (source / "b").write_text("B")
    with pytest.raises(StaleToken, match=r"refuses token 6 of lock instance:0199-é/x.* seen 7"):
        await host.send(source, "apps/x", fence(6))
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a": "A"}


async def test_also_whoever_has_nothing_to_send_is_refused(host, source):
    await host.send(source, "apps/x", fence(7))
    with pytest.raises(StaleToken):
        await host.send(source, "apps/x", fence(6))
    assert await host.send(source, "apps/x", fence(7)) == Sent(1, 0, 0)


async def test_files_wait_for_a_command_of_another_job_and_say_whose(host, source, place, output):
    command = Command("sleep 300 & :")
    await host.run(command, name="j-1", secrets={}, output=output, fence=fence(1))
    with pytest.raises(HostBusy, match=r"that job j started holds lock .* now: upgrade by j\.$"):
        await host.send(source, "apps/x", fence(2, "i"))
    assert not place.exists()
    await host.send(source, "apps/x", fence(2, "j"))


async def test_a_command_waits_for_files_of_another_job_and_says_whose(
    host, source, output, begun, go_on
):
    sending = await begun(source, fence(1))
    command, successor = Command("true"), fence(2, "i")
    with pytest.raises(HostBusy, match=r"that job j started holds lock .* now: upgrade by j\.$"):
        await host.run(command, name="i-1", secrets={}, output=output, fence=successor)
    go_on.set()
    # The successor's token counts although it has to wait.
    with pytest.raises(StaleToken):
        await sending
    assert await host.run(command, name="i-1", secrets={}, output=output, fence=successor) == 0


async def test_a_stream_that_stood_still_is_refused_when_it_goes_on(
    host, source, place, output, begun, go_on
):
    """The next attempt of the same job passes the lock; only the token tells the two apart."""
    await host.send(source, "apps/x", fence(1))
    (source / "a").write_text("of the past")
    sending = await begun(source, fence(1))
    command, successor = Command("true"), fence(2)
    assert await host.run(command, name="j-2", secrets={}, output=output, fence=successor) == 0
    go_on.set()
    with pytest.raises(StaleToken, match=r"refuses token 1 .* seen 2"):
        await sending
    assert {path.name: path.read_text() for path in place.iterdir()} == {"a": "A"}


async def test_the_lock_is_free_when_the_files_are_there(host, source, output):
    await host.send(source, "apps/x", fence(1))
    command, free = Command("true"), fence(2, "i")
    assert await host.run(command, name="i-1", secrets={}, output=output, fence=free) == 0
