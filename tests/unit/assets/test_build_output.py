import fcntl
import gzip
import hashlib
import os

import brotli
import pytest
import zstandard

from app.domain.recipe_static import Bundles
from tests.support.static_trees import build_tree, hashed, read_tree, refused, write_tree
from worker.assets.building.build import build
from worker.assets.building.options import Options
from worker.assets.manifest import read
from worker.assets.problem import AssetError

TEXT = "a{color:red}\n" * 500


def left_beside(folder):
    return sorted(item.name for item in folder.iterdir() if item.name not in {"source", "out"})


def test_originals_lie_beside_as_they_were(tmp_path):
    files = {"css/a.css": "a{b:url( p.png )}", "css/p.png": "P"}
    built = build_tree(tmp_path, files)
    made = read_tree(built.directory)
    assert {path: made[path].decode() for path in files} == files


def test_originals_are_left_out_on_demand(tmp_path):
    built = build_tree(tmp_path, {"a.css": "a{}"}, hashed_only=True)
    name = built.manifest.files["a.css"].name
    assert sorted(read_tree(built.directory)) == sorted([name, "assets.json", "staticfiles.json"])


def test_the_manifest_knows_size_and_digest_of_each_file(tmp_path):
    built = build_tree(tmp_path, {"a.css": "a{b:url(p.png)}", "p.png": "P"})
    manifest = read((built.directory / "assets.json").read_bytes())
    assert manifest == built.manifest
    for path, asset in manifest.files.items():
        content = hashed(built, path)
        assert (asset.size, asset.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_modes_do_not_depend_on_the_sources_or_the_umask(tmp_path):
    source = write_tree(tmp_path / "source", {"d/a.css": "@import 'b.css'", "d/b.css": TEXT})
    (source / "d/b.css").chmod(0o400)
    old = os.umask(0o077)
    try:
        build([source], tmp_path / "out", Options(jobs=1, compress=("gzip",)))
    finally:
        os.umask(old)
    files = [item for item in (tmp_path / "out").rglob("*") if item.is_file()]
    assert {oct(item.stat().st_mode & 0o777) for item in files} == {"0o644"}
    folders = [tmp_path / "out", tmp_path / "out/d"]
    assert {oct(item.stat().st_mode & 0o777) for item in folders} == {"0o755"}


def test_the_same_again_leaves_the_output_untouched(tmp_path):
    files = {"a.css": "a{b:url( p.png )}", "p.png": "P"}
    build_tree(tmp_path, files)
    before = (tmp_path / "out").stat()
    again = build_tree(tmp_path, files)
    after = (tmp_path / "out").stat()
    assert again.unchanged
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_an_original_that_is_written_differently_is_another_build(tmp_path):
    before = build_tree(tmp_path, {"a.css": "a{b:url(p.png )}", "p.png": "P"})
    after = build_tree(tmp_path, {"a.css": "a{b:url( p.png)}", "p.png": "P"})
    assert before.manifest == after.manifest
    assert not after.unchanged
    assert (tmp_path / "out/a.css").read_text() == "a{b:url( p.png)}"


def test_a_file_that_lost_bytes_is_made_again(tmp_path):
    build_tree(tmp_path, {"a.css": "a{}"})
    (tmp_path / "out/a.css").write_text("")
    assert not build_tree(tmp_path, {"a.css": "a{}"}).unchanged
    assert (tmp_path / "out/a.css").read_text() == "a{}"


def test_an_earlier_build_is_replaced_whole(tmp_path):
    build_tree(tmp_path, {"old.css": "a{}"})
    (tmp_path / "source/old.css").unlink()
    built = build_tree(tmp_path, {"new.css": "a{}"})
    assert not [path for path in read_tree(built.directory) if path.startswith("old")]
    assert not left_beside(tmp_path)


def test_an_empty_folder_is_taken(tmp_path):
    (tmp_path / "out").mkdir()
    assert build_tree(tmp_path, {"a": ""}).files == 1


def test_folders_on_the_way_to_the_output_are_made(tmp_path):
    source = write_tree(tmp_path / "source", {"a": ""})
    build([source], tmp_path / "x/y/out", Options(jobs=1))
    assert (tmp_path / "x/y/out/assets.json").is_file()


@pytest.mark.parametrize(
    "files", [{"precious.txt": "!"}, {"assets.json": "{}"}, {"assets.json/x": ""}]
)
def test_a_folder_that_is_no_build_is_left_alone(tmp_path, files):
    write_tree(tmp_path / "out", files)
    before = read_tree(tmp_path / "out")
    with pytest.raises(AssetError, match="left alone"):
        build_tree(tmp_path, {"a": ""})
    assert read_tree(tmp_path / "out") == before


@pytest.mark.parametrize("make", ["symlink", "file"])
def test_an_output_that_is_no_folder_is_left_alone(tmp_path, make):
    out = tmp_path / "out"
    if make == "symlink":
        out.symlink_to("source")
    else:
        out.write_text("!")
    with pytest.raises(AssetError):
        build_tree(tmp_path, {"a": ""})
    assert out.is_symlink() or out.read_text() == "!"


@pytest.mark.parametrize("out", ["source", "source/out", "."])
def test_output_and_source_may_not_be_one_in_the_other(tmp_path, out):
    source = write_tree(tmp_path / "source", {"a": ""})
    with pytest.raises(AssetError, match="one in the other"):
        build([source], tmp_path / out, Options(jobs=1))


def test_a_failed_build_leaves_the_earlier_one(tmp_path):
    build_tree(tmp_path, {"a.css": "a{}"})
    before = read_tree(tmp_path / "out")
    with pytest.raises(AssetError):
        build_tree(tmp_path, {"a.css": "@import 'gone.css'"})
    assert read_tree(tmp_path / "out") == before
    assert not left_beside(tmp_path)


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path):
    write_tree(tmp_path / ".out.building-dead", {"tree/a": ""})
    build_tree(tmp_path, {"a": ""})
    assert not left_beside(tmp_path)


def test_what_a_living_build_makes_is_not_removed(tmp_path):
    folder = write_tree(tmp_path / ".out.building-alive", {"tree/a": ""})
    lock = os.open(folder, os.O_RDONLY)
    fcntl.flock(lock, fcntl.LOCK_EX)
    build_tree(tmp_path, {"a": ""})
    os.close(lock)
    assert left_beside(tmp_path) == [".out.building-alive"]


def test_an_unreadable_place_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    source = write_tree(tmp_path / "source", {"a": ""})
    with pytest.raises(AssetError, match="cannot be put in place"):
        build([source], tmp_path / "file/out", Options(jobs=1))


@pytest.mark.parametrize(
    ("coding", "ending", "decompress"),
    [
        ("gzip", ".gz", gzip.decompress),
        ("br", ".br", brotli.decompress),
        ("zstd", ".zst", lambda it: zstandard.ZstdDecompressor().decompressobj().decompress(it)),
    ],
)
def test_a_compressed_copy_lies_beside_the_hashed_file(tmp_path, coding, ending, decompress):
    built = build_tree(tmp_path, {"a.css": TEXT}, compress=(coding,))
    asset = built.manifest.files["a.css"]
    copy = (built.directory / f"{asset.name}{ending}").read_bytes()
    assert decompress(copy) == TEXT.encode()
    assert asset.copies[coding].size == len(copy)
    assert asset.copies[coding].sha256 == hashlib.sha256(copy).hexdigest()
    assert not (built.directory / f"a.css{ending}").exists()


@pytest.mark.parametrize(
    ("path", "content"),
    [("a.woff2", TEXT), ("a.PNG", TEXT), ("a.css", "a{}"), ("a.bin", os.urandom(5_000))],
)
def test_what_does_not_pay_is_not_compressed(tmp_path, path, content):
    built = build_tree(tmp_path, {path: content}, compress=("gzip", "br", "zstd"))
    assert not built.manifest.files[path].copies
    assert len(read_tree(built.directory)) == 4


def test_gzip_copies_hold_no_time_and_no_name(tmp_path):
    built = build_tree(tmp_path, {"a.css": TEXT}, compress=("gzip",))
    name = built.manifest.files["a.css"].name
    header = (built.directory / f"{name}.gz").read_bytes()[:10]
    assert header[3:8] == b"\0" * 5


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"compress": ("lzma",)}, "lzma"),
        ({"base_url": "/static"}, "must end with /"),
        ({"base_url": "https://host/x/?Signature=secret"}, "query"),
        ({"base_url": "https://user:secret@host/"}, "password"),
    ],
)
def test_options_that_cannot_be_are_refused(tmp_path, options, word):
    error = refused(tmp_path, {"a": ""}, **options)
    assert word in str(error)
    assert "secret" not in str(error)


def test_bundles_are_made_and_get_hashes(tmp_path):
    bundles = Bundles.model_validate(
        {"bundles": {"all": {"output": "all.css", "sources": ("a.css", "b.css"), "minify": False}}}
    )
    built = build_tree(tmp_path, {"a.css": "a{}", "b.css": "b{}"}, bundles=bundles)
    assert hashed(built, "all.css").split() == [b"a{}", b"b{}"]
    assert (built.directory / "all.css").read_bytes() == hashed(built, "all.css")


def test_a_source_that_cannot_be_read_is_told(tmp_path, monkeypatch):
    def fail(*_, **_how):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("worker.assets.building.intake.digest_of", fail)
    [problem] = refused(tmp_path, {"a.png": "x"}).problems
    assert problem.message == "a.png: Permission denied"


def test_a_text_that_changes_while_it_is_read_is_told(tmp_path, monkeypatch):
    source = write_tree(tmp_path / "source", {"a.css": "a{b:url(p.png)}", "p.png": ""})

    def change(*_):
        (source / "a.css").write_text("x")
        return ()

    monkeypatch.setattr("worker.assets.building.reading.broken", change)
    with pytest.raises(AssetError) as caught:
        build([source], tmp_path / "out", Options(jobs=1))
    assert [problem.code for problem in caught.value.problems] == ["changed-meanwhile"]


LONG = b"x" * 3_000_000


def test_original_and_hashed_copy_with_the_same_bytes_are_one_file_on_the_disk(tmp_path):
    built = build_tree(tmp_path, {"a.css": "a{}", "film.bin": LONG})
    for path, asset in built.manifest.files.items():
        assert (built.directory / path).samefile(built.directory / asset.name)


def test_without_hard_links_there_are_copies(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", fail)
    built = build_tree(tmp_path, {"a.css": "a{}", "film.bin": LONG})
    for path, content in {"a.css": b"a{}", "film.bin": LONG}.items():
        assert (built.directory / path).read_bytes() == hashed(built, path) == content
        assert (built.directory / path).stat().st_mode & 0o777 == 0o644


def test_sources_are_not_linked_into_the_output(tmp_path):
    built = build_tree(tmp_path, {"a.css": "a{}", "film.bin": LONG})
    for path in built.manifest.files:
        assert not (built.directory / path).samefile(tmp_path / "source" / path)
