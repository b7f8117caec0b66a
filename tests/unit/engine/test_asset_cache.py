"""Contents of files by their sums, shared by all sites: what one host says harms no other."""

import hashlib
import os

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


def test_a_room_that_another_worker_left_is_removed_after_a_day(cache):
    left, busy = cache.make_room(), cache.make_room()
    os.utime(left, (1, 1))
    mine = cache.make_room()
    assert _names(mine.parent) == sorted([busy.name, mine.name])


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
        "lay_out": lambda: cache.lay_out([file], cache.make_room() / "tree"),
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
        cache.lay_out(files, cache.make_room() / "tree")
    assert (cache.objects / first).read_bytes() == b"theirs"
