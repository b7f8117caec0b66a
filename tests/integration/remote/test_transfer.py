"""Files to a host: they arrive as they were, only those that are missing, and whole or not."""

import asyncio
import contextlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from worker.remote.errors import ConnectionLost, FolderOutside, RunnerFailed, SourceRefused
from worker.remote.host import Sent

ODD = ("with space", "-rf", "--help", "ünï©ode", "quo'te\"", "$(id)", "back\\slash", "*", "~", ".d")


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "sub/deeper").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "a").write_text("A")
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "sub/b").write_bytes(bytes(range(256)))
    (folder / "sub/deeper/none").touch()
    return folder


@pytest.fixture
def host(any_machine, connect):
    return connect(any_machine)


@pytest.fixture
def place(any_machine):
    return any_machine.base / "apps/x"


def _tree(folder):
    """Everything in it: content and whether it is executable."""
    return {
        str(path.relative_to(folder)): path.is_dir()
        or (path.read_bytes(), bool(path.stat().st_mode & stat.S_IXUSR))
        for path in folder.rglob("*")
    }


def _work_in(folder):
    """The processes that stand in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str((process / "cwd").readlink()).startswith(str(folder)):
                found.append(process.name)
    return found


async def test_a_folder_arrives_as_it_was(host, source, place):
    assert await host.send(source, "apps/x") == Sent(4, 4, 267)
    assert _tree(place) == _tree(source)
    assert [item.name for item in place.parent.iterdir()] == ["x"]


async def test_what_is_there_is_not_sent_again(host, source, place):
    await host.send(source, "apps/x")
    before = (place / "a").stat()
    assert await host.send(source, "apps/x") == Sent(4, 0, 0)
    assert (place / "a").stat() == before


async def test_only_what_changed_is_sent(host, source, place):
    await host.send(source, "apps/x")
    (source / "a").write_text("changed")
    (source / "run").chmod(0o644)
    (source / "new").mkdir()
    (source / "new/file").write_text("new")
    (place / "of the host").write_text("kept")
    untouched = (place / "sub/b").stat().st_ino
    assert await host.send(source, "apps/x") == Sent(5, 3, 20)
    assert (place / "sub/b").stat().st_ino == untouched
    assert (place / "of the host").read_text() == "kept"
    assert _tree(place) == {**_tree(source), "of the host": (b"kept", False)}


async def test_odd_names_arrive(host, tmp_path, place):
    source = tmp_path / "source"
    for name in ODD:
        (source / name).mkdir(parents=True)
        (source / name / name).write_text(name)
    (source / ("long" * 50) / ("name" * 50)).parent.mkdir()
    (source / ("long" * 50) / ("name" * 50)).write_text("long")
    (source / os.fsdecode(b"\xff\xfe")).write_text("not UTF-8")
    assert (await host.send(source, "apps/x")).sent_files == len(ODD) + 2
    assert _tree(place) == _tree(source)
    assert (await host.send(source, "apps/x")).sent_files == 0


async def test_one_file_is_put_under_its_new_name(host, source, place, any_machine):
    assert await host.send(source / "sub/b", "apps/x/renamed") == Sent(1, 1, 256)
    assert await host.send(source / "a", "top") == Sent(1, 1, 1)
    assert (place / "renamed").read_bytes() == bytes(range(256))
    assert (any_machine.base / "top").read_text() == "A"
    assert await host.send(source / "a", "top") == Sent(1, 0, 0)


async def test_a_large_file_arrives_whole(host, tmp_path, place):
    content = os.urandom(3 * 1024 * 1024 + 1)
    (tmp_path / "large").write_bytes(content)
    await host.send(tmp_path / "large", "apps/x/large")
    assert (place / "large").read_bytes() == content


async def test_a_refused_source_sends_nothing(host, source, place):
    (source / "link").symlink_to("a")
    with pytest.raises(SourceRefused, match="symbolic link"):
        await host.send(source, "apps/x")
    assert not place.exists()


@pytest.mark.parametrize("to", ["../x", "/etc", "a/../../x", "a\nb"])
async def test_a_place_outside_the_base_folder_is_refused(server, connect, source, to):
    with pytest.raises(ValueError, match="not a path below the base folder"):
        await connect(server).send(source, to)
    assert not server.commands


async def test_a_link_in_the_way_leads_nowhere(host, source, place, tmp_path):
    await host.send(source, "apps/x")
    shutil.rmtree(place / "sub")
    (tmp_path / "elsewhere").mkdir()
    (place / "sub").symlink_to(tmp_path / "elsewhere")
    (source / "a").write_text("changed")
    with pytest.raises(RunnerFailed, match=r"apps/x/(\./)?sub.*a link stands there"):
        await host.send(source, "apps/x")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert (place / "a").read_text() == "A"


@pytest.mark.parametrize("to", ["apps/x/r/static/a", "apps/x/r/static/css/deep/a"])
async def test_a_folder_that_a_link_leads_out_of_is_refused_and_named(host, source, place, to):
    (place / "r").mkdir(parents=True)
    (place / "shared").mkdir()
    (place / "shared/a").write_text("of the site that runs")
    (place / "r/static").symlink_to("../shared")
    with pytest.raises(FolderOutside, match=r"apps/x/r/static.* is .*/shared: .*below apps/x/r,"):
        await host.send(source / "a", to, within="apps/x/r")
    assert [path.read_text() for path in (place / "shared").iterdir()] == ["of the site that runs"]


@pytest.mark.parametrize("to", ["r/a", "r/static/a", "r/new/folder/a", "r/inside/a"])
async def test_a_folder_that_stays_in_the_wanted_one_is_taken(host, source, place, to):
    (place / "r/static").mkdir(parents=True)
    (place / "r/inside").symlink_to("static")
    await host.send(source / "a", f"apps/x/{to}", within="apps/x/r")
    assert (place / to).read_text() == "A"


async def test_a_link_in_the_place_of_a_file_is_replaced(host, source, place, tmp_path):
    place.mkdir(parents=True)
    (tmp_path / "precious").write_text("A")
    (place / "a").symlink_to(tmp_path / "precious")
    await host.send(source, "apps/x")
    assert not (place / "a").is_symlink()
    assert (tmp_path / "precious").read_text() == "A"
    assert _tree(place) == _tree(source)


@pytest.mark.parametrize("taken", ["a folder for a file", "a file for a folder"])
async def test_something_else_in_the_way_is_named(host, source, place, taken):
    place.mkdir(parents=True)
    if taken == "a file for a folder":
        (place / "sub").write_text("a file")
    else:
        (place / "a").mkdir()
    with pytest.raises(RunnerFailed, match=r"apps/x/(\./)?(sub|a) .*or a folder for a file"):
        await host.send(source, "apps/x")
    assert len(list(place.iterdir())) == 1


async def test_a_file_where_the_folder_is_to_come_is_named(host, source, place):
    place.parent.mkdir(parents=True)
    place.write_text("a file")
    with pytest.raises(RunnerFailed, match=r"apps/x on host .*something else stands there"):
        await host.send(source, "apps/x")
    assert place.read_text() == "a file"
    assert [item.name for item in place.parent.iterdir()] == ["x"]


async def test_a_place_that_cannot_be_written_is_named_with_the_fix(host, source, any_machine):
    await host.clean("j-0")
    (any_machine.base / "apps").write_text("a file")
    with pytest.raises(RunnerFailed, match="apps") as caught:
        await host.send(source, "apps/x/y")
    assert "sudo chown" in caught.value.hint


async def test_files_that_lie_about_their_damage_are_sent_again(server, connect, source):
    """A host whose tar changes a byte: nothing is put in place."""
    tar = server.home.parent / "bin/tar"
    tar.write_text('#!/bin/sh\n/bin/tar "$@" && echo damage >>tree/a\n')
    tar.chmod(0o755)
    with pytest.raises(ConnectionLost, match="arrived damaged"):
        await connect(server).send(source, "apps/x")
    assert not (server.base / "apps/x").exists()
    assert [*(server.base / "apps").iterdir()] == []


async def test_what_is_cut_off_leaves_the_old_files_and_a_repeat_finishes(
    machine, connect, source, tmp_path
):
    place = machine.base / "apps/x"
    host = connect(machine)
    await host.send(source, "apps/x")
    before = _tree(place)
    (source / "a").write_text("changed")
    (source / "large").write_bytes(os.urandom(64 * 1024 * 1024))
    sending = asyncio.create_task(host.send(source, "apps/x"))
    async with asyncio.timeout(20):
        while not list(place.glob(".liftlock-*/tree/a")):
            await asyncio.sleep(0.001)
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    async with asyncio.timeout(20):
        while _work_in(place):
            await asyncio.sleep(0.01)
    left = _tree(place)
    assert {path: left[path] for path in left if not path.startswith(".liftlock-")} == before
    await host.send(source, "apps/x")
    assert _tree(place) == _tree(source)


async def test_a_transfer_goes_on_over_a_new_connection(machine, connect, source):
    (source / "large").write_bytes(os.urandom(64 * 1024 * 1024))
    place = machine.base / "apps"
    sending = asyncio.create_task(connect(machine).send(source, "apps/x"))
    async with asyncio.timeout(20):
        while not list(place.glob(".liftlock-*/tree/a")):
            await asyncio.sleep(0.001)
    await machine.drop()
    assert (await sending).sent_files == 5
    assert _tree(place / "x") == _tree(source)


@pytest.mark.root
async def test_a_full_disk_is_named(server, connect, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(4 * 1024 * 1024))
    place = server.base / "apps"
    place.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", place], check=True)
    try:
        with pytest.raises(RunnerFailed, match="0 kB free") as caught:
            await connect(server).send(tmp_path / "large", "apps/x/large")
        assert "df -h" in caught.value.hint
        assert not list(place.rglob(".liftlock-*"))
    finally:
        subprocess.run(["umount", place], check=True)
