"""What makes a build look at the files again, and what lets it see that nothing has changed."""

import json
import os

import pytest

from tests.support.static_trees import build_tree
from worker.assets.building import intake, record
from worker.assets.manifest import MADE, RECORD
from worker.assets.problem import AssetError

FILES = {"a.css": "a{b:url( p.png )}", "p.png": "P", "s.js": 'import "./t.js"', "t.js": ""}


@pytest.fixture
def unread(monkeypatch):
    """Fails when the text of a file is read for its references."""

    def scanned(path, *_, **__):
        raise AssertionError(f"{path} was scanned")

    monkeypatch.setattr(intake, "scan", scanned)


@pytest.mark.parametrize("options", [{}, {"hashed_only": True}, {"compress": ("gzip",)}])
def test_no_text_is_read_when_nothing_has_changed(tmp_path, options, request):
    before = build_tree(tmp_path, FILES, **options)
    request.getfixturevalue("unread")
    after = build_tree(tmp_path, FILES, **options)
    assert after.unchanged
    assert after.manifest == before.manifest


@pytest.mark.parametrize("path", FILES)
@pytest.mark.parametrize("options", [{}, {"hashed_only": True}])
def test_a_change_of_any_file_is_seen(tmp_path, path, options):
    build_tree(tmp_path, FILES, **options)
    changed = FILES[path].replace("P", "Q").replace("url( p.png )", "url(p.png  )")
    changed = changed.replace("import ", "import\t") or " "
    assert not build_tree(tmp_path, {**FILES, path: changed}, **options).unchanged


@pytest.mark.parametrize(
    "options",
    [{"js_modules": False}, {"base_url": "/s/"}, {"hashed_only": True}, {"compress": ("gzip",)}],
)
def test_with_other_options_it_is_made_again(tmp_path, options):
    build_tree(tmp_path, FILES)
    assert not build_tree(tmp_path, FILES, **options).unchanged


def test_another_program_makes_it_again(tmp_path, monkeypatch):
    build_tree(tmp_path, FILES)
    monkeypatch.setattr(record, "_PROGRAM", ("readers",))
    assert not build_tree(tmp_path, FILES).unchanged


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        "[" * 100_000,
        "{}",
        '{"way": 1, "rewritten": 1, "problems": []}',
        '{"way": "x", "rewritten": {}, "problems": [{"other": 1}], "manifest": ""}',
    ],
)
def test_a_record_that_cannot_be_read_is_none(tmp_path, text):
    built = build_tree(tmp_path, FILES)
    (built.directory / RECORD).write_text(text)
    assert not build_tree(tmp_path, FILES).unchanged
    assert build_tree(tmp_path, FILES).unchanged


def test_a_build_without_record_is_one_all_the_same(tmp_path):
    built = build_tree(tmp_path, FILES)
    (built.directory / RECORD).unlink()
    assert not build_tree(tmp_path, FILES).unchanged


def test_warnings_are_told_again(tmp_path):
    files = {"a.css": "a{b:url(gone.png)}", "s.js": "import(name)"}
    before = build_tree(tmp_path, files, lenient=True)
    after = build_tree(tmp_path, files, lenient=True)
    assert after.unchanged
    assert len(before.warnings) == 2
    assert after.warnings == before.warnings


def test_what_was_built_leniently_is_still_refused_strictly(tmp_path):
    files = {"a.css": "a{b:url(gone.png)}"}
    build_tree(tmp_path, files, lenient=True)
    with pytest.raises(AssetError) as caught:
        build_tree(tmp_path, files)
    assert [problem.code for problem in caught.value.problems] == ["missing-reference"]


def test_the_record_names_what_was_rewritten(tmp_path):
    built = build_tree(tmp_path, FILES)
    told = json.loads((built.directory / RECORD).read_bytes())
    assert set(told["rewritten"]) == {"a.css", "s.js"}


@pytest.mark.parametrize(
    "problem",
    [
        {"other": 1},
        {"code": ["q"], "message": "m"},
        {"code": "missing-map", "message": 3},
        {"code": "missing-map", "message": "m", "line": "x"},
        {"code": "missing-map", "message": "m", "nearest": 1},
        {"code": "missing-map", "message": "m", "nearest": [1]},
        "text",
    ],
)
def test_a_record_with_a_problem_that_is_none_is_none(tmp_path, problem):
    built = build_tree(tmp_path, FILES)
    file = built.directory / RECORD
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "problems": [problem]}))
    assert not build_tree(tmp_path, FILES).unchanged


def test_a_record_of_another_manifest_is_none(tmp_path):
    """As when the output comes from a store that leaves hidden files out."""
    other = {**FILES, "a.css": "a{b:url( q.png )}", "q.png": "P"}
    record_of_one = (build_tree(tmp_path, FILES | {"q.png": "P"}).directory / RECORD).read_bytes()
    built = build_tree(tmp_path, other)
    (built.directory / RECORD).write_bytes(record_of_one)
    assert not build_tree(tmp_path, FILES | {"q.png": "P"}).unchanged


def test_originals_with_the_same_short_hash_are_told_apart(tmp_path):
    """Both MD5 sums begin with 0892f4f3e6f3."""
    one, other = (f'a{{b:url(i.png);c:"{text}"}}\n' for text in ("03960511", "17690399"))
    build_tree(tmp_path, {"a.css": one, "i.png": "I"})
    assert not build_tree(tmp_path, {"a.css": other, "i.png": "I"}).unchanged


def test_an_original_that_was_altered_in_the_output_is_made_again(tmp_path):
    built = build_tree(tmp_path, FILES)
    (built.directory / "a.css").write_text(FILES["a.css"].replace("b:", "c:"))
    assert not build_tree(tmp_path, FILES).unchanged


def test_a_record_that_is_no_file_is_none(tmp_path):
    built = build_tree(tmp_path, FILES)
    file = built.directory / RECORD
    file.unlink()
    os.mkfifo(file)
    assert not build_tree(tmp_path, FILES).unchanged
    file.unlink()
    file.symlink_to(".")
    assert not build_tree(tmp_path, FILES).unchanged


@pytest.mark.parametrize("name", sorted(MADE))
def test_a_folder_with_the_name_of_a_file_of_the_build_is_left_out(tmp_path, name):
    built = build_tree(tmp_path, {**FILES, f"{name}/x.css": "x{}"}, ignore=())
    assert [problem.code for problem in built.warnings] == ["reserved-name"]
    assert (built.directory / name).is_file()
    assert build_tree(tmp_path, {**FILES, f"{name}/x.css": "x{}"}, ignore=()).unchanged
