"""The command: exit codes, messages and JSON."""

import json
import os
import signal
import subprocess
import sys

import pytest

from app.domain.asset_release import IGNORED
from tests.support.static_trees import read_tree, write_tree
from worker.assets.__main__ import main


@pytest.fixture
def source(tmp_path):
    return write_tree(tmp_path / "source", {"a.css": "a{b:url(p.png)}", "p.png": "P"})


def run(*arguments):
    return main(["build", *map(str, arguments)])


def test_a_build_says_what_it_made(source, tmp_path, capsys):
    assert run(source, tmp_path / "out") == 0
    said = capsys.readouterr()
    assert said.out.startswith(f"{tmp_path}/out: built, 2 files of 0.0 MB, 0 warnings, hash ")
    assert not said.err


def test_a_build_of_the_same_says_so(source, tmp_path, capsys):
    run(source, tmp_path / "out")
    run(source, tmp_path / "out")
    assert ": unchanged, 2 files" in capsys.readouterr().out


def test_a_refused_build_tells_every_problem_and_what_to_do(source, tmp_path, capsys):
    write_tree(source, {"b.css": "@import 'x.css';\n@import 'y.css';"})
    assert run(source, tmp_path / "out") == 1
    said = capsys.readouterr()
    assert not said.out
    first, second, hint = said.err.splitlines()
    assert first.startswith("error: b.css, line 1: ")
    assert second.startswith("error: b.css, line 2: ")
    assert "--lenient" in hint


def test_warnings_go_to_the_error_stream(source, tmp_path, capsys):
    write_tree(source, {"b.css": "@import 'x.css';"})
    assert run(source, tmp_path / "out", "--lenient") == 0
    said = capsys.readouterr()
    assert said.err.startswith("warning: b.css, line 1: ")
    assert "1 warnings" in said.out


def test_json_is_one_object(source, tmp_path, capsys):
    assert run(source, tmp_path / "out", "--json", "--compress", "gzip") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["files"], answer["unchanged"]) == (True, 2, False)
    assert answer["directory"] == str(tmp_path / "out")
    assert answer["warnings"] == []


def test_json_of_a_refused_build_has_problems_and_hint(source, tmp_path, capsys):
    write_tree(source, {"b.css": "@import 'a.cs';"})
    assert run(source, tmp_path / "out", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert not answer["ok"]
    [problem] = answer["problems"]
    assert (problem["code"], problem["file"], problem["line"]) == ("missing-reference", "b.css", 1)
    assert problem["nearest"][0] == "a.css"
    assert answer["hint"]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["only-one"],
        ["a", "b", "--nonsense"],
        ["a", "b", "--jobs", "0"],
        ["a", "b", "--only", "x"],
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        run(*arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_the_help_shows_examples(capsys):
    with pytest.raises(SystemExit) as ended:
        run("--help")
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert "python -m worker.assets build static dist" in said
    assert all(pattern in said for pattern in IGNORED)


def test_patterns_are_ignored_besides_the_usual_ones(source, tmp_path):
    write_tree(source, {".hidden": "", "b.txt": ""})
    run(source, tmp_path / "out", "--ignore", "*.txt", "--hashed-only")
    assert not [path for path in read_tree(tmp_path / "out") if "hidden" in path or "b." in path]


def test_nothing_is_ignored_on_demand(source, tmp_path):
    write_tree(source, {".hidden": ""})
    run(source, tmp_path / "out", "--no-default-ignore")
    assert ".hidden" in read_tree(tmp_path / "out")


def test_sources_before_win(source, tmp_path, capsys):
    other = write_tree(tmp_path / "other", {"p.png": "other"})
    run(other, source, tmp_path / "out")
    assert (tmp_path / "out/p.png").read_text() == "other"
    assert "p.png: left out" in capsys.readouterr().err


BUNDLES = """
bundles:
  all:
    output: all.css
    sources: [a.css]
    minify: false
  more:
    output: more.css
    sources: [a.css]
    minify: false
"""


def test_a_bundle_file_is_read(source, tmp_path):
    write_tree(tmp_path, {"bundles.yaml": BUNDLES})
    assert run(source, tmp_path / "out", "--bundles", tmp_path / "bundles.yaml") == 0
    assert {"all.css", "more.css"} <= read_tree(tmp_path / "out").keys()


def test_one_bundle_alone_can_be_made(source, tmp_path):
    write_tree(tmp_path, {"bundles.yaml": BUNDLES})
    run(source, tmp_path / "out", "--bundles", tmp_path / "bundles.yaml", "--only", "more")
    assert "all.css" not in read_tree(tmp_path / "out")


@pytest.mark.parametrize("content", ["bundles: 1", "\xff", "bundles: [", None])
def test_a_bundle_file_that_cannot_be_read_is_refused(source, tmp_path, capsys, content):
    file = tmp_path / "bundles.yaml"
    if content:
        file.write_bytes(content.encode("latin-1"))
    assert run(source, tmp_path / "out", "--bundles", file) == 1
    assert str(file) in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    many = {f"{n}.js": "import './0.js';\n" * 2_000 for n in range(400)}
    source = write_tree(tmp_path / "source", many)
    command = [sys.executable, "-m", "worker.assets", "build", source, tmp_path / "out"]
    with subprocess.Popen(
        [*command, "--compress", "br,zstd"],
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    ) as process:
        process.stderr.readline()  # it tells how far it is, so it is at work
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert [item.name for item in tmp_path.iterdir()] == ["source"]


def test_a_dry_run_judges_everything_and_makes_nothing(source, tmp_path, capsys):
    assert run(source, tmp_path / "deep/out", "--dry-run") == 0
    assert "would be built, 2 files" in capsys.readouterr().out
    assert [path.name for path in tmp_path.iterdir()] == ["source"]
    write_tree(source, {"b.css": "@import 'x.css';"})
    assert run(source, tmp_path / "out", "--dry-run") == 1
    assert "x.css" in capsys.readouterr().err


def test_a_dry_run_leaves_an_earlier_build_and_says_whether_it_would_stay(source, tmp_path, capsys):
    run(source, tmp_path / "out")
    before = read_tree(tmp_path / "out")
    assert run(source, tmp_path / "out", "--dry-run") == 0
    assert ": unchanged, 2 files" in capsys.readouterr().out.splitlines()[-1]
    write_tree(source, {"p.png": "Q"})
    assert run(source, tmp_path / "out", "--dry-run") == 0
    assert "would be built" in capsys.readouterr().out
    assert read_tree(tmp_path / "out") == before


def test_a_file_that_templates_need_is_asked_for_by_name(source, tmp_path, capsys):
    names = tmp_path / "names"
    names.write_text("a.css\n\nb.png\n")
    assert run(source, tmp_path / "out", "--require", "p.pgn", "--require-from", names) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "error: b.png: is required and not there; did you mean p.png?",
        "error: p.pgn: is required and not there; did you mean p.png?",
    ]
    assert not (tmp_path / "out").exists()


def test_a_list_of_required_files_that_cannot_be_read_is_named(source, tmp_path, capsys):
    assert run(source, tmp_path / "out", "--require-from", tmp_path / "gone") == 1
    assert f"{tmp_path}/gone: cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["--jobs", "0"], ["--nope"], ["--only", "x"]])
def test_a_wrong_command_line_is_json_too(source, tmp_path, capsys, words):
    with pytest.raises(SystemExit) as ended:
        run(source, tmp_path / "out", "--json", *words)
    assert ended.value.code == 2
    answer = json.loads(capsys.readouterr().out)
    assert (answer["ok"], answer["problems"][0]["code"]) == (False, "usage")


def test_an_interrupted_build_is_json_too(source, tmp_path, capsys, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("worker.assets.cli.build_command.build", interrupt)
    assert run(source, tmp_path / "out", "--json") == 130
    assert json.loads(capsys.readouterr().out)["problems"][0]["code"] == "interrupted"


def test_a_terminal_obeys_nothing_that_stands_in_a_file(source, tmp_path, capsys):
    write_tree(source, {"b.css": 'a{b:url("x\x1b]0;pwned\x07.png")}'})
    assert run(source, tmp_path / "out") == 1
    said = capsys.readouterr().err
    assert "\\x1b]0;pwned\\x07" in said
    assert "\x1b" not in said


def test_a_program_is_told_of_the_first_problems_and_how_many_there_are(source, tmp_path, capsys):
    write_tree(source, {"b.css": "@import 'x.css';\n" * 300})
    assert run(source, tmp_path / "out", "--json", "--lenient") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (len(answer["warnings"]), answer["warnings_total"]) == (200, 300)
