"""What compilers made is kept: taken while nothing changed, and only when it is whole."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.support.compile_sites import UPPER, CompileSite, compiler


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return CompileSite(tmp_path)


def test_nothing_is_compiled_again_while_nothing_changes(site):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER + '; echo map >"$2.map"'))
    first = site.compile(wanted, cached=True)
    second = site.compile(wanted, cached=True)
    assert site.runs == 1
    assert Path(second.files["a.css"]).read_bytes() == Path(first.files["a.css"]).read_bytes()
    assert Path(second.files["a.css.map"]).read_text() == "map\n"
    assert Path(second.files["a.css"]).is_relative_to(site.folder / "scratch-2")


@pytest.mark.parametrize(
    "change",
    [
        lambda site: site.write("a.less", "y"),
        lambda site: site.write("parts/colors.less", "y"),
        lambda site: site.write("img/dot.svg", "y"),
        lambda site: (site.folder / "package-lock.json").write_text("{}"),
        lambda site: site.program(UPPER + " # another version"),
    ],
)
def test_a_change_of_anything_it_may_read_compiles_again(site, change):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER))
    site.compile(wanted, cached=True)
    change(site)
    site.compile(wanted, cached=True)
    assert site.runs > 1


def test_another_command_compiles_again(site):
    site.write("a.less", "x")
    run = site.program(UPPER)
    site.compile(compiler(run), cached=True)
    site.compile(compiler(f"{run} --more"), cached=True)
    assert site.runs == 2


def test_a_failure_is_not_remembered(site):
    site.write("a.less", "x")
    run = site.program('test -e "$LOG.ok" && cp "$1" "$2"')
    site.refused(compiler(run), cached=True)
    (site.folder / "log.ok").touch()
    assert Path(site.compile(compiler(run), cached=True).files["a.css"]).read_text() == "x"


def test_the_cache_holds_whole_entries_only(site):
    site.write("a.less", "x")
    site.compile(compiler(site.program(UPPER)), cached=True)
    [entry] = site.cache.iterdir()
    assert sorted(file.name for file in entry.rglob("*")) == ["a.css", "digests.json", "files"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda entry: os.truncate(entry / "files/a.css", 0),
        lambda entry: (entry / "files/a.css").write_text("Y"),
        lambda entry: (entry / "files/a.css").unlink(),
        lambda entry: (entry / "files/a.css.map").unlink(),
        lambda entry: (entry / "files/more.css").touch(),
        lambda entry: (entry / "files/a.css").rename(entry / "b") and _link(entry),
        lambda entry: os.mkfifo(entry / "files/pipe"),
        lambda entry: (entry / "digests.json").write_text("{"),
        lambda entry: (entry / "digests.json").unlink(),
        lambda entry: shutil.rmtree(entry / "files"),
    ],
)
def test_a_damaged_entry_is_replaced_by_what_is_compiled_again(site, damage):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER + '; echo map >"$2.map"'))
    site.compile(wanted, cached=True)
    [entry] = site.cache.iterdir()
    damage(entry)
    for _ in range(2):
        files = site.compile(wanted, cached=True).files
        assert list(files) == ["a.css", "a.css.map", "a.less"]
        assert Path(files["a.css"]).read_text() == "X"
    assert (site.runs, list(site.cache.iterdir())) == (2, [entry])


def _link(entry):
    (entry / "files/a.css").symlink_to(entry / "b")


def test_an_entry_that_lost_everything_in_agreement_is_no_entry(site):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER))
    site.compile(wanted, cached=True)
    [entry] = site.cache.iterdir()
    (entry / "files/a.css").unlink()
    (entry / "digests.json").write_text("{}")
    assert Path(site.compile(wanted, cached=True).files["a.css"]).read_text() == "X"


def test_entries_that_nothing_takes_for_long_go_and_nothing_else(site):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER))
    site.compile(wanted, cached=True)
    [used] = site.cache.iterdir()
    ages = {used.name: 40, "0" * 64: 40, "1" * 64: 3, ".new-old": 3, ".new-young": 0, "mine": 99}
    for name, days in ages.items():
        (site.cache / name).mkdir(exist_ok=True)
        then = time.time() - days * 86_400
        os.utime(site.cache / name, (then, then))
    site.compile(wanted, cached=True)
    left = {path.name for path in site.cache.iterdir()} - {used.name}
    assert left == {"1" * 64, ".new-young", "mine"}


def test_an_entry_that_is_taken_stays(site):
    site.write("a.less", "x")
    wanted = compiler(site.program(UPPER))
    site.compile(wanted, cached=True)
    [entry] = site.cache.iterdir()
    then = time.time() - 29 * 86_400
    os.utime(entry, (then, then))
    site.compile(wanted, cached=True)
    assert time.time() - entry.stat().st_mtime < 1000
