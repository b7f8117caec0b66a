"""Compilers by pattern, with programs of a few lines in the place of real ones."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.compile_sites import UPPER, CompileSite, compiler
from worker.assets.bundles.program import Programs


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.setenv("LOG", str(tmp_path / "log"))
    return CompileSite(tmp_path)


@pytest.mark.parametrize(
    ("match", "made"),
    [
        ("*.less", ["a b/it's.css", "c.css"]),
        ("a b/*", ["a b/it's.css"]),
        ("c.less", ["c.css"]),
        ("it's.less", ["a b/it's.css"]),
        ("*.sass", []),
    ],
)
def test_files_match_by_path_or_by_name(site, match, made):
    site.write("a b/it's.less", "x")
    site.write("c.less", "y")
    tree = site.compile(compiler(site.program(UPPER), match))
    assert [path for path in tree.files if path.endswith(".css")] == made


def test_what_is_made_lies_below_the_scratch_folder_and_the_source_stays(site):
    site.write("css/a.less", "a{}")
    tree = site.compile(compiler(site.program(UPPER)))
    assert Path(tree.files["css/a.css"]).read_text() == "A{}"
    assert Path(tree.files["css/a.css"]).is_relative_to(site.folder / "scratch-1")
    assert list(tree.files) == ["css/a.css", "css/a.less"]


def test_what_is_made_replaces_a_file_of_the_sources(site):
    site.write("a.less", "new")
    site.write("a.css", "old")
    assert Path(site.compile(compiler(site.program(UPPER))).files["a.css"]).read_text() == "NEW"
    assert (site.folder / "it's static" / "a.css").read_text() == "old"


def test_a_program_runs_in_the_folder_of_its_source(site):
    site.write("css/a.less", "x")
    site.write("css/part", "found")
    tree = site.compile(compiler(site.program('cat part >"$2"')))
    assert Path(tree.files["css/a.css"]).read_text() == "found"


def test_words_are_words_and_never_shell_text(site):
    site.write("$(touch pwned).less", "x")
    run = site.program('printf "%s|" "$@" >"$4"').replace("{in}", "--a='$HOME; x' in={in} --")
    made = Path(site.compile(compiler(run)).files["$(touch pwned).css"]).read_text()
    assert made.startswith("--a=$HOME; x|in=/")
    assert "$(touch pwned).less|--|" in made


def test_a_program_that_writes_to_its_output_runs_in_a_shell_called_by_name(site):
    site.write("it's.less", "x")
    run = """sh -c 'exec tr a-z A-Z <"$1" >"$2"' sh {in} {out}"""
    assert Path(site.compile(compiler(run)).files["it's.css"]).read_text() == "X"


def test_a_program_with_a_path_counts_from_where_the_build_is_started(site, monkeypatch):
    site.write("css/a.less", "x")
    site.program(UPPER)
    monkeypatch.chdir(site.folder)
    tree = site.compile(compiler("./upper {in} {out}"))
    assert Path(tree.files["css/a.css"]).read_text() == "X"


def test_files_that_a_program_writes_beside_come_along(site):
    site.write("css/a.less", "x")
    program_text = 'echo made >"$2"; echo "{}" >"$2.map"'
    tree = site.compile(compiler(site.program(program_text)))
    assert Path(tree.files["css/a.css.map"]).read_text() == "{}\n"


def test_a_source_map_names_its_sources_from_where_it_will_be(site):
    site.write("css/a.less", "x")
    site.write("css/parts/b.less", "x")
    text = """echo x >"$2"
      from=$(realpath --relative-to="${2%/*}" "$1")
      echo '{"sources": ["'$from'", "'${from%/*}/parts/b.less'", "webpack://x"]}' >"$2.map\""""
    made = Path(site.compile(compiler(site.program(text), "a.less")).files["css/a.css.map"])
    assert json.loads(made.read_bytes())["sources"] == ["a.less", "parts/b.less", "webpack://x"]


def test_a_missing_program_is_found_out_before_anything_runs(site):
    site.write("a.less", "x")
    site.write("b.ts", "x")
    good, bad = compiler(site.program(UPPER)), compiler("no-such {in} {out}", "*.ts", ".js")
    [problem] = site.refused(good, bad)
    assert problem.code == "compiler-missing"
    assert "no program `no-such`" in problem.message
    assert os.environ["PATH"] in problem.message
    assert site.runs == 0


def test_a_missing_program_that_nothing_needs_is_no_problem(site):
    site.write("a.css", "x")
    assert list(site.compile(compiler("no-such {in} {out}")).files) == ["a.css"]


def test_a_failing_program_is_told_with_its_command_its_first_and_last_words(site):
    site.write("a.less", "x")
    run = site.program("seq 1 1000; echo 'line 3: no }' >&2; exit 4")
    [problem] = site.refused(compiler(run))
    assert (problem.code, problem.file) == ("compiler-failed", "a.less")
    assert "ended with exit code 4" in problem.message
    assert f"`{site.folder}/upper " in problem.message
    assert "It said:\n1\n2\n" in problem.message
    assert problem.message.endswith("\n1000\nline 3: no }")
    assert problem.message.count("\n") == 31


@pytest.mark.parametrize(
    ("text", "found"),
    [("true", "no file"), (': >"$2"', "an empty file"), ('mkdir "$2"', "no file")],
)
def test_a_program_that_makes_nothing_is_a_failure(site, text, found):
    site.write("a.less", "x")
    [problem] = site.refused(compiler(site.program(f"{text}; echo a warning >&2")))
    assert problem.code == "compiler-silent"
    assert f"left {found} for a.css" in problem.message
    assert problem.message.endswith("a warning")


def test_a_name_that_looks_like_a_place_in_the_command_stays(site):
    site.write("{out}.less", "x")
    site.write("{in}.less", "y")
    tree = site.compile(compiler(site.program(UPPER)))
    assert Path(tree.files["{out}.css"]).read_text() == "X"
    assert Path(tree.files["{in}.css"]).read_text() == "Y"


@pytest.mark.parametrize(
    ("text", "path", "what"),
    [
        ('ln -s "$1" "$2"', "css/a.css", "a link to /"),
        ('echo x >"$2"; ln -s /dev "${2%/*}/more"', "css/more", "a link to /dev; have it write"),
        ('echo x >"$2"; ln -s gone "$2.map"', "css/a.css.map", "a link to gone"),
        ('echo x >"$2"; mkfifo "${2%/*}/pipe"', "css/pipe", "neither a file nor a folder"),
    ],
)
def test_links_and_special_files_among_the_results_are_refused_by_name(site, text, path, what):
    site.write("css/a.less", "x")
    [problem] = site.refused(compiler(site.program(text)), cached=True)
    assert (problem.code, problem.file) == ("special-file", path)
    assert problem.message.startswith(f"{path}: the compiler of css/a.less made {what}")
    assert not list(site.cache.glob("*"))


def test_a_link_to_a_map_elsewhere_is_not_written_through(site):
    site.write("a.less", "x")
    kept = '{"sources": ["b"]}'
    (site.folder / "mine.map").write_text(kept)
    site.refused(compiler(site.program(f'echo x >"$2"; ln -s {site.folder}/mine.map "$2.map"')))
    assert (site.folder / "mine.map").read_text() == kept


def test_every_failing_file_is_told(site):
    for name in "abc":
        site.write(f"{name}.less", name)
    run = site.program('grep -v c "$1" && exit 3; cp "$1" "$2"')
    assert [problem.file for problem in site.refused(compiler(run))] == ["a.less", "b.less"]


def test_a_program_that_cannot_start_is_told(site):
    site.write("a.less", "x")
    run = site.program("true")
    (site.folder / "upper").write_text("#!/no/such/shell\n")
    [problem] = site.refused(compiler(run))
    assert "could not start" in problem.message


def test_a_program_that_takes_too_long_is_ended_with_its_children(tmp_path):
    began = time.monotonic()
    ended = Programs().run(["sh", "-c", "echo begun; sleep 60 & wait"], tmp_path, longest=0.2)
    assert ended.exit_code is None
    assert ended.said == "begun"
    assert "took longer" in ended.how
    assert time.monotonic() - began < 20


@pytest.fixture
def pipe(tmp_path):
    """Tells whether a process holds its other end."""
    os.mkfifo(tmp_path / "pipe")
    end = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    yield end
    os.close(end)


def test_what_a_program_leaves_running_is_ended_with_it(tmp_path, pipe):
    text = "exec 3>pipe; echo begun >&3; sleep 60 >/dev/null 2>&1 & exit 0"
    assert Programs().run(["sh", "-c", text], tmp_path).exit_code == 0
    assert os.read(pipe, 6) == b"begun\n"
    assert select.select([pipe], [], [], 20)[0] == [pipe]


@pytest.mark.parametrize(
    ("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_build_that_is_ended_leaves_no_compiler_and_no_folder(site, pipe, number, exit_code):
    site.write("a.less", "x")
    text = f"exec 3>'{site.folder}/pipe'; echo begun >&3; sleep 60"
    compilers = [{"match": "*.less", "run": site.program(text), "extension": ".css"}]
    (site.folder / "bundles.json").write_text(json.dumps({"compilers": compilers}))
    command = [sys.executable, "-m", "worker.assets", "build", site.folder / "it's static"]
    command += [site.folder / "out", "--bundles", site.folder / "bundles.json"]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as build:
        assert select.select([pipe], [], [], 50)[0] == [pipe]
        build.send_signal(number)
        assert build.wait(20) == exit_code
    assert os.read(pipe, 100) == b"begun\n"
    assert os.read(pipe, 1) == b""
    assert not [path for path in site.folder.iterdir() if "out" in path.name]


def test_after_an_interruption_no_program_is_started(tmp_path):
    with Programs() as programs:
        pass
    assert "was not started" in programs.run(["true"], tmp_path).how


def test_a_program_that_writes_without_end_fills_no_memory(tmp_path):
    ended = Programs().run(["sh", "-c", "seq 100000 400000; seq 7 9"], tmp_path)
    assert ended.said.startswith("100000\n100001\n")
    assert ended.said.endswith("\n399999\n400000\n7\n8\n9")
    assert len(ended.said) < 300


def test_a_program_ended_by_a_signal_is_told(tmp_path):
    assert Programs().run(["sh", "-c", "kill -9 $$"], tmp_path).how == "was ended by signal 9"


def test_two_sources_of_one_file_are_refused(site):
    site.write("a.less", "x")
    site.write("a.sass", "x")
    run = site.program(UPPER)
    [problem] = site.refused(compiler(run), compiler(run, "*.sass"))
    assert problem.message == (
        "a.css is made of a.less and of a.sass; rename one or narrow `match`"
    )
    assert site.runs == 0


def test_two_compilers_of_the_same_file_are_refused(site):
    site.write("a.less", "x")
    run = site.program(UPPER)
    [problem] = site.refused(compiler(run), compiler(run, "a.*"))
    assert problem.message == "two compilers make a.css of a.less; narrow the `match` of one"


def test_what_a_compiler_makes_is_no_source_even_where_an_older_one_lies(site):
    site.write("a.ts", "x")
    site.write("a.js", "old")
    run = site.program(UPPER)
    tree = site.compile(compiler(run, "*.ts", ".js"), compiler(run, "*.js", ".min.js"))
    assert list(tree.files) == ["a.js", "a.ts"]


def test_a_compiler_that_would_replace_its_source_is_refused(site):
    site.write("a.js", "x")
    [problem] = site.refused(compiler(site.program(UPPER), "*.js", ".js"))
    assert problem.code == "compiler-conflict"
