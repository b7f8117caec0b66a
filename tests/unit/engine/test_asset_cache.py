"""Contents of files by their sums, shared by all sites: what one host says harms no other."""

import hashlib
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from worker.engine.assets.cache import AssetCache
from worker.remote import fetching
from worker.remote.host import Listed
from worker.remote.listing import _Reading


@pytest.fixture
def cache(tmp_path):
    """With three contents of 10 bytes, of which `new` was wanted a moment ago."""
    cache = AssetCache(tmp_path / "cache", most=15)
    cache.objects.mkdir(parents=True)
    for name, age in (("oldest", 9000), ("old", 8000), ("new", 0)):
        (cache.objects / name).write_bytes(bytes(10))
        then = (cache.objects / name).stat().st_mtime - age
        os.utime(cache.objects / name, (then, then))
    return cache


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_the_cache_removes_first_what_was_not_wanted_for_longest(cache):
    cache.shrink()
    assert _names(cache.objects) == ["new"]


def test_the_cache_keeps_what_was_wanted_within_the_hour_however_much_it_is(cache):
    for name in ("oldest", "old"):
        os.utime(cache.objects / name)
    cache.shrink()
    assert _names(cache.objects) == ["new", "old", "oldest"]


def test_a_cache_that_fits_keeps_everything_but_halves_of_the_day_before(cache, tmp_path):
    (cache.objects / ".part-1").touch()
    (cache.objects / ".part-2").touch()
    os.utime(cache.objects / ".part-1", (1, 1))
    AssetCache(tmp_path / "cache").shrink()
    assert _names(cache.objects) == [".part-2", "new", "old", "oldest"]


_KILLED = """
import os, signal, sys
from pathlib import Path
from worker.engine.assets.cache import AssetCache

room = AssetCache(Path(sys.argv[1])).make_room()
(room.path / "tree").mkdir()
os.kill(os.getpid(), signal.SIGKILL)
"""


def _rooms(cache):
    return [path for path in (cache.objects.parent / "work").iterdir() if path.is_dir()]


def test_a_room_that_a_killed_worker_left_is_removed_by_the_next(cache):
    command = [sys.executable, "-c", _KILLED, str(cache.objects.parent)]
    subprocess.run(command, check=False, timeout=60)
    assert len(_rooms(cache)) == 1
    mine = cache.make_room()
    assert _rooms(cache) == [mine.path]


def test_a_room_that_somebody_is_in_stays_however_long(cache):
    busy = cache.make_room()
    os.utime(busy.path, (1, 1))
    mine = cache.make_room()
    assert sorted(_rooms(cache)) == sorted([busy.path, mine.path])


def test_a_room_without_a_lock_is_one_that_was_left(cache):
    (cache.objects.parent / "work/old/tree").mkdir(parents=True)
    mine = cache.make_room()
    assert _rooms(cache) == [mine.path]


def test_a_room_that_was_left_is_gone(cache):
    cache.make_room().leave()
    assert _rooms(cache) == []


def test_many_workers_enter_at_once_and_none_loses_its_room(cache):
    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(lambda _: cache.make_room(), range(100)))
    assert sorted(_rooms(cache)) == sorted(room.path for room in made)


@pytest.mark.parametrize("use", ["make_room", "lacking"])
def test_no_other_user_reads_the_cache_also_one_of_before(tmp_path, use):
    folder = tmp_path / "cache"
    for made in (folder, folder / "objects", folder / "work"):
        made.mkdir(mode=0o755)
    cache = AssetCache(folder)
    made = cache.make_room().path.parent if use == "make_room" else cache.objects
    cache.lacking([])
    assert {path.stat().st_mode & 0o777 for path in (folder, made)} == {0o700}


def test_a_sum_that_names_a_file_of_the_worker_brings_nothing_of_it(tmp_path):
    secret = tmp_path / "master.key"
    secret.write_text("TOP SECRET")
    said = str(secret).encode().rjust(64, b"/")[-64:]
    lines = b"= 10 ./app.txt\n" + said + b"  ./app.txt\n"
    assert _Reading().listing(lines).files == ()


@pytest.mark.parametrize("use", ["lacking", "lay_out", "is_there", "keep"])
def test_a_sum_that_is_a_path_is_refused_wherever_it_would_become_one(cache, tmp_path, use):
    file = Listed("app.txt", 0, f"../{tmp_path.name}/x")
    uses = {
        "lacking": lambda: cache.lacking([file]),
        "lay_out": lambda: cache.lay_out([file], cache.make_room().path / "tree"),
        "is_there": lambda: fetching.is_there(cache.objects, file),
        "keep": lambda: fetching.place_of(cache.objects, file),
    }
    with pytest.raises(ValueError, match="is no SHA-256"):
        uses[use]()


def _kept(cache, content):
    digest = hashlib.sha256(content).hexdigest()
    (cache.objects / digest).write_bytes(content)
    return digest


def test_two_contents_for_one_place_change_neither_in_the_cache(cache):
    first, second = (_kept(cache, content) for content in (b"theirs", b"others"))
    files = [Listed("a/b", 6, first), Listed("a//b", 6, second)]
    with pytest.raises(FileExistsError):
        cache.lay_out(files, cache.make_room().path / "tree")
    assert (cache.objects / first).read_bytes() == b"theirs"
