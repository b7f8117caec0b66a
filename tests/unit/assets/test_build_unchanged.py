"""What makes a build look at the files again, and what lets it see that nothing has changed."""

import json

import pytest

from tests.support.static_trees import build_tree
from worker.assets.building import intake, record
from worker.assets.manifest import RECORD
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
        '{"way": "x", "rewritten": {}, "problems": [{"other": 1}]}',
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
