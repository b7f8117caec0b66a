"""Files from a host: what there is, and the contents of those that are lacking here."""

import asyncio
import contextlib
import hashlib
import os
import signal
from pathlib import Path

import pytest

from worker.remote import asking, fetching
from worker.remote.errors import ConnectionLost, FilesChanged, HostBusy, StaleToken, StepSilent
from worker.remote.host import Fence, Listed
from worker.steps.step import Command

ODD = ("with space", "-rf", "--help", "ünï©ode", "quo'te\"", "$(id)", "back\\slash", "*", "~", ".d")
LOCK = "instance:0199-é/x"


def fence(token, job="j"):
    return Fence({LOCK: token}, job=job, note=f"upgrade by {job}")


def listed(path, content):
    return Listed(path, len(content), hashlib.sha256(content).hexdigest())


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def static(any_machine):
    folder = any_machine.base / "apps/x/static"
    (folder / "css/deep").mkdir(parents=True)
    (folder / "a.css").write_text("A")
    (folder / "none.js").touch()
    (folder / "css/deep/b").write_bytes(bytes(range(256)))
    return folder


@pytest.fixture
def into(tmp_path):
    return tmp_path / "objects"


async def look(host, **more):
    return await host.list_files("apps/x/static", within="apps/x", **more)


def fetched(into):
    return {path.name: path.read_bytes() for path in into.iterdir()}


async def test_every_file_is_listed_with_its_size_and_sum(host, static):
    found = await look(host)
    assert found.files == (
        listed("a.css", b"A"),
        listed("css/deep/b", bytes(range(256))),
        listed("none.js", b""),
    )
    assert found.left_out == ()


async def test_an_empty_folder_has_no_files(host, any_machine):
    (any_machine.base / "apps/x/static").mkdir(parents=True)
    assert (await look(host)).files == ()


async def test_odd_names_are_listed_and_fetched(host, static, into):
    for name in ODD:
        (static / name).mkdir()
        (static / name / name).write_text(name)
    found = await look(host)
    assert {f"{name}/{name}" for name in ODD} <= {file.path for file in found.files}
    await host.fetch("apps/x/static", found.files, into)
    assert {name.encode() for name in ODD} <= set(fetched(into).values())


async def test_the_folder_itself_may_be_a_link(host, static):
    static.rename(static.parent / "elsewhere")
    static.symlink_to("elsewhere")
    assert listed("a.css", b"A") in (await look(host)).files


async def test_a_link_to_a_file_of_the_release_is_that_file(host, static, into):
    (static.parent / "package.js").write_text("package")
    (static / "linked.js").symlink_to("../package.js")
    (static / "again.js").symlink_to("linked.js")
    found = await look(host)
    wanted = listed("linked.js", b"package"), listed("again.js", b"package")
    assert set(wanted) <= set(found.files)
    await host.fetch("apps/x/static", wanted, into)
    assert list(fetched(into).values()) == [b"package"]


async def test_what_cannot_be_fetched_is_left_out_with_its_reason(host, static, tmp_path):
    (tmp_path / "secret").write_text("secret")
    (static / "out").symlink_to(tmp_path / "secret")
    (static / "nowhere").symlink_to("missing")
    (static / "folder").symlink_to("css")
    (static / "device").symlink_to("/dev/null")
    os.mkfifo(static / "pipe")
    (static / "line\nbreak").touch()
    (static / os.fsdecode(b"\xff")).touch()
    found = await look(host)
    assert len(found.files) == 3
    assert found.left_out == (
        "device: it is neither a file nor a folder",
        "folder: it is a link to a folder; put the folder itself there",
        "line?break: its name has a control character",
        "nowhere: it is a link that leads nowhere",
        "out: it is a link that leads out of the release; put the file itself there",
        "pipe: it is neither a file nor a folder",
        "\N{REPLACEMENT CHARACTER}: its name is not UTF-8",
    )


async def test_a_folder_that_is_not_there_is_named(host, any_machine):
    with pytest.raises(FilesChanged, match=r"no folder apps/x/static below .* on host") as caught:
        await look(host)
    assert "ls -la" in caught.value.hint


async def test_only_the_contents_asked_for_arrive_once_each(host, static, into):
    (static / "copy.css").write_text("A")
    found = await look(host)
    wanted = [file for file in found.files if file.path.endswith(".css")]
    await host.fetch("apps/x/static", wanted, into)
    assert list(fetched(into).values()) == [b"A"]


async def test_what_is_there_is_not_fetched_again(host, static, into):
    found = await look(host)
    await host.fetch("apps/x/static", found.files, into)
    (static / "a.css").write_text("changed")
    await host.fetch("apps/x/static", found.files, into)
    assert len(fetched(into)) == 3


async def test_what_a_power_failure_cut_short_is_fetched_again(host, static, into):
    found = await look(host)
    into.mkdir()
    (into / listed("a.css", b"A").sha256).touch()
    await host.fetch("apps/x/static", found.files, into)
    assert b"A" in fetched(into).values()


@pytest.mark.parametrize("now", ["B", "longer than before", ""])
async def test_a_file_that_changed_meanwhile_is_named_and_not_kept(host, static, into, now):
    found = await look(host)
    (static / "a.css").write_text(now)
    with pytest.raises(FilesChanged, match=r"apps/x/static/a\.css on host"):
        await host.fetch("apps/x/static", found.files, into)
    assert fetched(into) == {}


async def test_a_file_that_is_gone_is_named_and_what_came_before_stays(host, static, into):
    found = await look(host)
    (static / "css/deep/b").unlink()
    with pytest.raises(FilesChanged, match=r"css/deep/b on host"):
        await host.fetch("apps/x/static", found.files, into)
    assert list(fetched(into).values()) == [b"A"]


async def test_large_and_many_small_files_arrive_whole(host, static, into):
    contents = [os.urandom(5 * 1024 * 1024 + 1), *(f"{n}".encode() for n in range(3000))]
    for number, content in enumerate(contents):
        (static / f"file-{number}").write_bytes(content)
    found = await look(host)
    await host.fetch("apps/x/static", found.files, into)
    assert {file.sha256 for file in found.files} == set(fetched(into))
    assert set(contents) <= set(fetched(into).values())


async def test_a_fenced_out_worker_learns_nothing(host, static, into):
    found = await look(host, fence=fence(7))
    with pytest.raises(StaleToken, match=r"refuses token 6 of lock instance:0199-é/x.* seen 7"):
        await look(host, fence=fence(6))
    with pytest.raises(StaleToken):
        await host.fetch("apps/x/static", found.files, into, fence(6))
    assert fetched(into) == {}


async def test_what_another_job_writes_is_not_read(host, static, into, output):
    found = await look(host)
    command = Command("sleep 300 & :")
    await host.run(command, name="j-1", secrets={}, output=output, fence=fence(1))
    with pytest.raises(HostBusy, match="that job j started holds lock"):
        await look(host, fence=fence(2, "i"))
    with pytest.raises(HostBusy):
        await host.fetch("apps/x/static", found.files, into, fence(2, "i"))


async def _begun(into):
    async with asyncio.timeout(20):
        while not list(into.glob(".part-*")):
            await asyncio.sleep(0.001)


@pytest.fixture
def large(machine):
    """Two files, of which the second takes a while; the machine has them."""
    folder = machine.base / "apps/x/static"
    folder.mkdir(parents=True)
    contents = [b"first", os.urandom(64 * 1024 * 1024)]
    for number, content in enumerate(contents):
        (folder / f"file-{number}").write_bytes(content)
    return contents


async def test_what_is_cut_off_keeps_what_arrived_and_a_repeat_finishes(
    machine, connect, large, into
):
    host = connect(machine)
    found = await look(host)
    fetching = asyncio.create_task(host.fetch("apps/x/static", found.files, into))
    await _begun(into)
    fetching.cancel()
    await asyncio.gather(fetching, return_exceptions=True)
    assert set(fetched(into).values()) <= set(large)
    await host.fetch("apps/x/static", found.files, into)
    assert set(fetched(into).values()) == set(large)


async def test_fetching_goes_on_over_a_new_connection(machine, connect, large, into):
    host = connect(machine)
    found = await look(host)
    fetching = asyncio.create_task(host.fetch("apps/x/static", found.files, into))
    await _begun(into)
    await machine.drop()
    await fetching
    assert set(fetched(into).values()) == set(large)


async def test_a_host_that_stands_still_is_noticed(server, connect, into, monkeypatch):
    folder = server.base / "apps/x/static"
    folder.mkdir(parents=True)
    (folder / "a").write_text("A")
    host = connect(server)
    found = await look(host)
    monkeypatch.setattr(fetching, "_STALL", 0.3)
    cat = server.home.parent / "bin/cat"
    cat.write_text("#!/bin/sh\nexec sleep 300\n")
    cat.chmod(0o755)
    with pytest.raises(ConnectionLost, match=r"the host sent nothing for 0\.3 s"):
        await host.fetch("apps/x/static", found.files, into)


async def test_a_host_whose_sums_are_paths_of_this_machine_gets_none_of_them_read(server, connect):
    folder = server.base / "apps/x/static"
    folder.mkdir(parents=True)
    (folder / "a").write_text("A")
    path = "/etc/passwd".rjust(64, "/")
    lies = server.home.parent / "bin/sha256sum"
    lies.write_text(f"#!/bin/sh\nfor p; do printf '{path}  %s\\n' \"$p\"; done\n")
    lies.chmod(0o755)
    found = await look(connect(server))
    assert (found.files, found.left_out) == ((), ("a: it cannot be read",))


@pytest.fixture
def slow(server):
    """A host with one file, whose sum takes for ever and says who takes it."""
    folder = server.base / "apps/x/static"
    folder.mkdir(parents=True)
    (folder / "a").write_text("A")
    pids = server.home.parent / "pids"
    program = server.home.parent / "bin/sha256sum"
    program.write_text(f"#!/bin/sh\necho $$ >>{pids}\nexec sleep 300\n")
    program.chmod(0o755)
    yield lambda: [int(pid) for pid in pids.read_text().split()]
    for pid in pids.read_text().split():
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(pid), signal.SIGKILL)


def is_alive(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


async def test_a_host_that_lists_nothing_more_is_asked_once_again(
    server, connect, slow, monkeypatch
):
    monkeypatch.setattr(asking, "_STALL", 1.0)
    with pytest.raises(StepSilent, match=r"listed nothing for 1 s, 2 times") as caught:
        await look(connect(server), fence=fence(1))
    assert "iostat" in caught.value.hint


async def test_a_new_listing_of_a_job_ends_its_earlier_one(server, connect, slow, monkeypatch):
    monkeypatch.setattr(asking, "_STALL", 1.0)
    with pytest.raises(StepSilent):
        await look(connect(server), fence=fence(1))
    first, second = slow()
    assert (is_alive(first), is_alive(second)) == (False, True)


async def test_a_listing_of_another_job_is_left_alone(server, connect, slow, monkeypatch):
    monkeypatch.setattr(asking, "_STALL", 1.0)
    with pytest.raises(StepSilent):
        await look(connect(server), fence=Fence({"a": 1}, job="i", note=""))
    theirs = slow()[-1]
    with pytest.raises(StepSilent):
        await look(connect(server), fence=Fence({"b": 1}, job="j", note=""))
    assert is_alive(theirs)


async def test_a_long_listing_tells_how_far_it_is(host, static, output, monkeypatch):
    monkeypatch.setattr(asking, "_TELL", 0.0)
    await look(host, show=output)
    assert output[-1] == "listed 3 files so far\n"


async def test_what_was_fetched_is_for_no_other_user(host, static, into):
    found = await look(host)
    await host.fetch("apps/x/static", found.files, into)
    assert into.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in into.iterdir()} == {0o600}
