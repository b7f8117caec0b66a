"""An output that is there already: exchanged in one step, never lost, and never a stranger's."""

import errno
import fcntl
import os
from pathlib import Path

import pytest

from app.domain.recipe_static import Bundles
from tests.support.static_trees import build_tree, read_tree, refused, write_tree
from worker.assets.building.build import build
from worker.assets.building.exchange import exchange
from worker.assets.building.options import Options
from worker.assets.problem import AssetError


@pytest.fixture
def without_exchange(monkeypatch):
    """A file system that has no way to exchange two folders."""
    monkeypatch.setattr("worker.assets.building.output.exchange", lambda *_: False)


def again(tmp_path, **options):
    return build_tree(tmp_path, {"a.css": "b{}"}, **options)


def test_two_folders_change_places(tmp_path):
    one, other = write_tree(tmp_path / "one", {"a": "1"}), write_tree(tmp_path / "other", {"b": ""})
    assert exchange(one, other)
    assert (list(read_tree(one)), list(read_tree(other))) == (["b"], ["a"])


def test_an_exchange_with_what_is_not_there_fails(tmp_path):
    with pytest.raises(OSError, match=os.strerror(errno.ENOENT)):
        exchange(tmp_path / "one", tmp_path / "other")


def test_no_reader_ever_misses_the_output(tmp_path, monkeypatch):
    build_tree(tmp_path, {"a.css": "a{}"})
    seen = []
    rename = Path.rename

    def watched(self, target):
        rename(self, target)
        seen.append((tmp_path / "out/assets.json").exists())

    monkeypatch.setattr(Path, "rename", watched)
    assert not again(tmp_path).unchanged
    assert all(seen)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_move_leaves_the_earlier_build(
    tmp_path, monkeypatch, without_exchange, error
):
    build_tree(tmp_path, {"a.css": "a{}"})
    before = read_tree(tmp_path / "out")
    rename = Path.rename

    def fail(self, target):
        if self.name == "tree":
            raise error
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail)
    with pytest.raises((KeyboardInterrupt, AssetError)):
        again(tmp_path)
    assert read_tree(tmp_path / "out") == before


def test_a_build_killed_between_two_renames_is_put_back(tmp_path, without_exchange):
    build_tree(tmp_path, {"a.css": "a{}"})
    before = read_tree(tmp_path / "out")
    abandoned = tmp_path / ".out.building-x"
    abandoned.mkdir()
    (tmp_path / "out").rename(abandoned / "old")
    with pytest.raises(AssetError):
        again(tmp_path, required=("gone.css",))
    assert read_tree(tmp_path / "out") == before
    assert not abandoned.exists()


def test_a_living_build_is_not_put_back(tmp_path):
    write_tree(tmp_path / "source", {"a.css": "a{}"})
    living = tmp_path / ".out.building-x"
    (living / "old").mkdir(parents=True)
    lock = os.open(living, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        again(tmp_path)
        assert (living / "old").exists()
    finally:
        os.close(lock)


def test_an_output_named_from_inside_itself_is_replaced(tmp_path, monkeypatch):
    build_tree(tmp_path, {"a.css": "a{}"})
    write_tree(tmp_path / "source", {"a.css": "b{}"})
    monkeypatch.chdir(tmp_path / "out")
    build([Path("../source")], Path("../out"), Options(jobs=1))
    assert (tmp_path / "out/a.css").read_text() == "b{}"


@pytest.mark.parametrize("strange", ["index.html", ".git/HEAD", "css/mine.css"])
def test_an_output_with_files_of_others_is_left_alone(tmp_path, strange):
    build_tree(tmp_path, {"a.css": "a{}", "css/b.css": ""})
    write_tree(tmp_path / "out", {strange: "mine"})
    before = read_tree(tmp_path / "out")
    with pytest.raises(AssetError, match="which no build put there"):
        again(tmp_path)
    assert read_tree(tmp_path / "out") == before


def test_a_cycle_whose_texts_differ_in_what_is_a_reference_gets_another_name(tmp_path):
    files = {
        "a.css": '@import url("b.css");\nx{y:url("/static/b.css")}',
        "b.css": '@import url("a.css");',
    }
    one = build_tree(tmp_path / "one", files)
    other = build_tree(tmp_path / "other", files, base_url="/assets/")
    assert one.manifest.files["a.css"].name != other.manifest.files["a.css"].name


def test_a_folder_with_the_name_of_a_hashed_file_is_told(tmp_path):
    files = {"a.txt": "", "a.d41d8cd98f00.txt/b.txt": "b"}
    [problem] = refused(tmp_path, files).problems
    assert problem.code == "name-clash"
    assert "the folder a.d41d8cd98f00.txt" in problem.message


@pytest.mark.parametrize("output", ["x.css/y.css", "d.css"])
def test_a_bundle_that_comes_where_a_file_or_folder_is_is_refused(tmp_path, output):
    bundles = Bundles.model_validate(
        {"bundles": {"all": {"output": output, "sources": ("x.css",), "minify": False}}}
    )
    files = {"x.css": "a{}", "d.css/a.js": ""}
    assert {it.code for it in refused(tmp_path, files, bundles=bundles).problems} == {"bad-name"}


def test_a_built_tree_is_built_again_with_its_copies(tmp_path):
    built = build_tree(tmp_path / "one", {"a.css": "a{color:red}\n" * 500}, compress=("gzip",))
    out = tmp_path / "two"
    second = build([built.directory], out, Options(jobs=1, compress=("gzip",)))
    name = built.manifest.files["a.css"].name
    assert second.manifest.files["a.css"].copies == built.manifest.files["a.css"].copies
    assert (out / f"{name}.gz").read_bytes() == (built.directory / f"{name}.gz").read_bytes()


def test_a_copy_whose_name_another_file_has_is_told(tmp_path):
    text = "a{color:red}\n" * 500
    built = build_tree(tmp_path / "one", {"a.css": text})
    clash = f"{built.manifest.files['a.css'].name}.gz"
    [problem] = refused(tmp_path, {"a.css": text, clash: "mine"}, compress=("gzip",)).problems
    assert problem.code == "name-clash"
    assert clash in problem.message


def test_a_full_disk_is_told_wherever_it_strikes(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "out/a.css")

    monkeypatch.setattr("worker.assets.building.naming.put", fail)
    [problem] = refused(tmp_path, {"a.css": "a{b:url(p.png)}", "p.png": ""}).problems
    assert (problem.code, problem.message) == ("input-output", "out/a.css: No space left on device")


def test_the_file_that_refers_is_no_guess(tmp_path):
    [problem] = refused(tmp_path, {"sites.css": "@import 'site.css'"}).problems
    assert problem.nearest == ()
