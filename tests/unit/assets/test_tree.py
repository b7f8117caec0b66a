import os

import pytest

from app.domain.asset_release import IGNORED
from tests.support.static_trees import write_tree
from worker.assets.problem import AssetError
from worker.assets.tree import check_names, collect, ignores


def paths(collected):
    return list(collected.tree.files)


def refusal(*sources):
    with pytest.raises(AssetError) as caught:
        collect(sources, IGNORED)
    return [(problem.code, problem.file) for problem in caught.value.problems]


def test_the_first_source_that_has_a_file_wins(tmp_path):
    one = write_tree(tmp_path / "one", {"a.css": "1"})
    two = write_tree(tmp_path / "two", {"a.css": "2", "b.css": "2"})
    collected = collect([one, two], ())
    assert collected.tree.files["a.css"] == str(one / "a.css")
    assert paths(collected) == ["a.css", "b.css"]


def test_a_file_that_came_too_late_is_reported(tmp_path):
    one = write_tree(tmp_path / "one", {"a.css": "1"})
    two = write_tree(tmp_path / "two", {"a.css": "2"})
    [problem] = collect([one, two], ()).conflicts
    assert (problem.code, problem.file) == ("duplicate", "a.css")
    assert str(two) in problem.message
    assert str(one / "a.css") in problem.message


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("a", "a/b/c/d")])
def test_where_a_file_and_a_folder_clash_the_first_source_wins(tmp_path, first, second):
    one = write_tree(tmp_path / "one", {first: "1"})
    two = write_tree(tmp_path / "two", {second: "2"})
    collected = collect([one, two], ())
    assert paths(collected) == [first]
    assert [problem.code for problem in collected.conflicts] == ["duplicate"]


def test_paths_come_sorted_by_code_point(tmp_path):
    source = write_tree(tmp_path, dict.fromkeys(["é.css", "b/a", "b-a", "Z", "a", "b/B"], ""))
    assert paths(collect([source], ())) == ["Z", "a", "b-a", "b/B", "b/a", "é.css"]


def test_what_django_ignores_is_left_out(tmp_path):
    ignored = ["CVS/a", ".hidden", "x/.git/b", "backup~", "x/CVS"]
    source = write_tree(tmp_path, dict.fromkeys([*ignored, "x/kept~.css", "xCVS"], ""))
    assert paths(collect([source], IGNORED)) == ["x/kept~.css", "xCVS"]


@pytest.mark.parametrize("pattern", ["*.ignoreme", "docs", "docs/*", "d*/a.ignoreme"])
def test_a_pattern_fits_the_name_or_the_whole_path(tmp_path, pattern):
    source = write_tree(tmp_path, {"docs/a.ignoreme": "", "kept": ""})
    assert paths(collect([source], [pattern])) == ["kept"]


def test_nothing_is_ignored_without_patterns(tmp_path):
    source = write_tree(tmp_path, {".a": "", "CVS/b": ""})
    assert paths(collect([source], ())) == [".a", "CVS/b"]


@pytest.mark.parametrize("globs", [(), IGNORED, ["docs"], ["docs/*"], ["*.css"], ["d*/x/a.css"]])
def test_paths_of_another_machine_are_ignored_by_the_same_rule(tmp_path, globs):
    every = ["docs/x/a.css", "docs/b", "x/docs/c", ".git/hooks/d", "CVS", "x/CVS/e", "f~", "g.js"]
    source = write_tree(tmp_path, dict.fromkeys(every, ""))
    is_ignored = ignores(globs)
    assert paths(collect([source], globs)) == sorted(it for it in every if not is_ignored(it))


def test_advice_for_the_command_line_stands_in_its_hint_only(tmp_path):
    write_tree(tmp_path, {"a\\b": ""})
    (tmp_path / "nowhere").symlink_to("missing")
    with pytest.raises(AssetError) as caught:
        collect([tmp_path], ())
    assert "--ignore" in caught.value.hint
    assert "--ignore" not in str(caught.value)


def test_a_source_that_is_no_folder_is_refused(tmp_path):
    assert refusal(tmp_path / "gone") == [("source-not-found", None)]


def test_a_source_may_be_a_link(tmp_path):
    write_tree(tmp_path / "real", {"a": ""})
    (tmp_path / "link").symlink_to("real")
    assert paths(collect([tmp_path / "link"], ())) == ["a"]


def test_links_inside_the_sources_are_followed(tmp_path):
    one = write_tree(tmp_path / "one", {"lib/a.css": "a"})
    two = write_tree(tmp_path / "two", {"b.css": "b"})
    (two / "file.css").symlink_to(one / "lib/a.css")
    (two / "folder").symlink_to(one / "lib")
    assert paths(collect([one, two], ())) == ["b.css", "file.css", "folder/a.css", "lib/a.css"]


def test_a_link_that_leads_out_of_the_sources_is_refused(tmp_path):
    write_tree(tmp_path / "out", {"secret": ""})
    source = write_tree(tmp_path / "source", {})
    (source / "a.txt").symlink_to(tmp_path / "out/secret")
    assert refusal(source) == [("link-outside", "a.txt")]


def test_a_folder_with_a_similar_name_is_outside(tmp_path):
    write_tree(tmp_path / "source-2", {"a": ""})
    source = write_tree(tmp_path / "source", {})
    (source / "b").symlink_to(tmp_path / "source-2")
    assert refusal(source) == [("link-outside", "b")]


def test_a_dangling_link_is_refused(tmp_path):
    source = write_tree(tmp_path / "source", {})
    (source / "a.txt").symlink_to("gone")
    assert refusal(source) == [("link-dangling", "a.txt")]


def test_a_link_to_its_own_folder_is_refused(tmp_path):
    source = write_tree(tmp_path / "source", {"a/b/c.css": ""})
    (source / "a/b/again").symlink_to(source / "a")
    assert refusal(source) == [("link-loop", "a/b/again")]


def test_links_that_lead_into_each_other_are_refused(tmp_path):
    source = write_tree(tmp_path / "source", {"a/x": "", "b/y": ""})
    (source / "a/to-b").symlink_to(source / "b")
    (source / "b/to-a").symlink_to(source / "a")
    assert refusal(source) == [("link-loop", "a/to-b/to-a"), ("link-loop", "b/to-a/to-b")]


def test_an_ignored_link_may_lead_anywhere(tmp_path):
    source = write_tree(tmp_path / "source", {})
    (source / ".cache").symlink_to("/")
    assert paths(collect([source], IGNORED)) == []


def test_a_pipe_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path) == [("special-file", "pipe")]


@pytest.mark.parametrize("name", ["a\nb.css", "a\x7f", "a\\b", "_releases/x/assets.json"])
def test_a_name_that_no_asset_may_have_is_refused(tmp_path, name):
    assert refusal(write_tree(tmp_path, {name: ""})) == [("bad-name", name)]


def test_a_name_that_is_no_utf_8_is_refused(tmp_path):
    os.close(os.open(os.fsencode(tmp_path) + b"/a\xff.css", os.O_CREAT))
    [(code, _)] = refusal(tmp_path)
    assert code == "bad-name"


def test_a_name_that_is_too_long_with_its_hash_is_refused(tmp_path):
    name = "é" * 119 + ".css"
    write_tree(tmp_path, {name: "", "x" * 238: ""})
    assert refusal(tmp_path) == [("bad-name", name)]


def test_all_bad_names_are_told_at_once(tmp_path):
    write_tree(tmp_path, {"a\t": "", "b\t": ""})
    assert len(refusal(tmp_path)) == 2


@pytest.mark.parametrize("name", ["assets.json", "staticfiles.json"])
def test_a_manifest_of_another_build_is_left_out(tmp_path, name):
    collected = collect([write_tree(tmp_path, {name: "", f"x/{name}": ""})], ())
    assert paths(collected) == [f"x/{name}"]
    assert [problem.code for problem in collected.conflicts] == ["reserved-name"]


def test_names_of_made_files_are_checked_too():
    with pytest.raises(AssetError) as caught:
        check_names(["fine.css", "_releases/x.css"])
    assert [problem.file for problem in caught.value.problems] == ["_releases/x.css"]


def test_links_that_lead_to_each_other_end(tmp_path):
    for number in range(25):
        folder = tmp_path / f"source/d{number}"
        folder.mkdir(parents=True)
        for name in ("left", "right"):
            (folder / name).symlink_to(tmp_path / f"source/d{number + 1}")
    (tmp_path / "source/d25").mkdir()
    with pytest.raises(AssetError, match="one of more than 100 links to"):
        collect([tmp_path / "source"], ())


@pytest.mark.parametrize("name", ["icon.svg#1", "a#12/b.css", "a\x9b31m.css"])
def test_names_that_a_store_or_a_terminal_takes_for_something_else_are_refused(tmp_path, name):
    write_tree(tmp_path / "source", {name: "x"})
    with pytest.raises(AssetError) as caught:
        collect([tmp_path / "source"], ())
    assert [problem.code for problem in caught.value.problems] == ["bad-name"]
