"""Compilers of recipes, in real shells."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from app.domain.recipe_static import Compiler
from tests.support.local_shell import LocalShell
from worker.steps import compiling
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site

SITE = Site("site", 1, "1.6")
AROUND = Surroundings(SITE, {"PAGE": "it's $HOME"}, ())
UPPER = 'echo ran >>"$HOME/log"; tr a-z A-Z <"$1" >"$2"'


def compiler(run: str, match: str = "*.less", extension: str = ".css") -> Compiler:
    return Compiler(match=match, run=run, extension=extension)


class Host:
    def __init__(self, shell: LocalShell) -> None:
        self.shell = shell
        self.number = 1
        (self.base / "bin").mkdir()

    @property
    def base(self) -> Path:
        return self.shell.base

    @property
    def site(self) -> Site:
        return Site("site", self.number, "1.6")

    @property
    def static(self) -> Path:
        return self.base / self.site.release_dir / "static"

    @property
    def runs(self) -> int:
        log = self.base / "log"
        return log.read_text().count("ran") if log.exists() else 0

    def write(self, path: str, text: str) -> None:
        file = self.static / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def program(self, text: str) -> str:
        file = self.base / "bin" / "upper"
        file.write_text(f"#!/bin/sh\n{text}\n")
        file.chmod(0o755)
        return f'"{file}" {{in}} {{out}}'

    def commands(self, *compilers: Compiler):
        return compiling.compile_files("static", compilers, Surroundings(self.site, AROUND.env, ()))

    def command(self, run: str, match: str = "*.less", extension: str = ".css"):
        return self.commands(compiler(run, match, extension))

    def compile(self, run: str, match: str = "*.less", extension: str = ".css"):
        return self.shell.run(self.command(run, match, extension))

    def compile_all(self, *compilers: Compiler):
        return self.shell.run(self.commands(*compilers))

    @property
    def made(self) -> list[str]:
        return sorted(path.name for path in self.static.iterdir())


@pytest.fixture
def host(shell: LocalShell) -> Host:
    return Host(shell)


def test_each_file_that_fits_is_compiled_beside_itself(host):
    host.write("a b/it's $(x).less", "a{}")
    host.write("c.less", "c{}")
    host.write("c.txt", "no")
    host.write(".hidden/d.less", "no")
    ran = host.compile(host.program(UPPER))
    assert ran.exit_code == 0, ran.output
    assert (host.static / "a b/it's $(x).css").read_text() == "A{}"
    assert (host.static / "c.css").read_text() == "C{}"
    assert host.runs == 2


@pytest.mark.parametrize(
    ("match", "runs"),
    [("*.less", 2), ("css/*.less", 1), ("a.less", 1), ("[!a]*", 1), ("*.sass", 0)],
)
def test_patterns_fit_the_path_or_the_name(host, match, runs):
    host.write("a.less", "a")
    host.write("css/b.less", "b")
    ran = host.compile(host.program(UPPER), match)
    assert (ran.exit_code, host.runs) == (0, runs)
    assert ("nothing below static fits" in ran.output) == (runs == 0)


def test_a_program_runs_in_the_folder_of_its_source_with_the_values_of_the_site(host):
    host.write("css/a.less", "x")
    host.write("css/part", "found")
    host.compile(host.program('cat part >"$2"; echo "$PAGE" >>"$2"'))
    assert (host.static / "css/a.css").read_text() == "foundit's $HOME\n"


def test_words_reach_the_program_as_they_are(host):
    host.write("a.less", "x")
    run = host.program('printf "%s|" "$@" >"$4"').replace("{in}", "'$HOME; x' 'in={in}' \"\"", 1)
    ran = host.compile(run)
    assert ran.exit_code == 0, ran.output
    made = (host.static / "a.css").read_text()
    assert made.startswith(f"$HOME; x|in={host.static}/a.less||")


def test_a_program_of_the_release_is_found_by_its_path(host):
    host.write("css/a.less", "x")
    tools = host.static.parent / "tools"
    tools.mkdir()
    (tools / "make").write_text('#!/bin/sh\ncp "$1" "$2"\n')
    (tools / "make").chmod(0o755)
    ran = host.compile("tools/make {in} {out}")
    assert ran.exit_code == 0, ran.output
    assert (host.static / "css/a.css").read_text() == "x"


def test_a_missing_program_is_told_before_anything_runs(host):
    host.write("a.less", "x")
    command = host.command("no-such-compiler {in} {out}")
    ran = host.shell.run(command)
    assert command.failures[ran.exit_code].code == "tool-missing"
    assert "there is no program no-such-compiler for *.less; PATH is /" in ran.output


def test_a_missing_program_of_any_compiler_is_told_before_one_runs(host):
    host.write("a.less", "x")
    host.write("a.ts", "x")
    good, bad = compiler(host.program(UPPER)), compiler("no-such {in} {out}", "*.ts", ".js")
    ran = host.compile_all(good, bad)
    assert "there is no program no-such for *.ts" in ran.output
    assert (ran.exit_code, host.runs, host.made) == (84, 0, ["a.less", "a.ts"])


def test_a_missing_program_that_nothing_needs_is_no_problem(host):
    host.write("a.css", "x")
    assert host.compile("no-such {in} {out}").exit_code == 0


def test_two_compilers_that_make_the_same_file_are_refused_before_one_runs(host):
    host.write("a.less", "x")
    host.write("a.scss", "x")
    run = host.program(UPPER)
    ran = host.compile_all(compiler(run), compiler(run, "*.scss"))
    assert "a.css is made of a.less and of a.scss; rename one or narrow `match`" in ran.output
    assert (ran.exit_code, host.runs, host.made) == (85, 0, ["a.less", "a.scss"])


def test_two_compilers_of_the_same_file_are_refused(host):
    host.write("a.less", "x")
    run = host.program(UPPER)
    ran = host.compile_all(compiler(run), compiler(run, "a.*"))
    assert "two compilers make a.css of a.less" in ran.output
    assert host.runs == 0


def test_two_programs_that_write_the_same_file_beside_theirs_are_refused(host):
    host.write("a.less", "x")
    host.write("b.less", "x")
    ran = host.compile(host.program('cp "$1" "$2"; echo x >"${2%/*}/part.js"'))
    assert "part.js is made of a.less and of b.less" in ran.output
    assert (ran.exit_code, host.made) == (85, ["a.less", "b.less"])


def test_what_a_compiler_makes_is_no_source_for_another_however_often_it_runs(host):
    host.write("a.ts", "x")
    host.write("b.js", "x")
    run = host.program(UPPER)
    both = (compiler(run, "*.ts", ".js"), compiler(run, "*.js", ".min.js"))
    for _ in range(2):
        assert host.compile_all(*both).exit_code == 0
        assert host.made == ["a.js", "a.ts", "b.js", "b.min.js"]


def test_what_a_killed_run_left_goes_after_a_day(host):
    host.write("a.less", "x")
    cache = host.base / host.site.shared_dir / ".compiled"
    for name, days in ((".new-old", 3), (".new-young", 0), ("kept", 3), ("spent", 40)):
        (cache / name).mkdir(parents=True)
        then = time.time() - days * 86_400
        os.utime(cache / name, (then, then))
    host.compile(host.program(UPPER))
    left = {path.name for path in cache.iterdir() if len(path.name) < 20}
    assert left == {".new-young", "kept"}


def test_static_files_behind_a_link_are_compiled(host):
    host.write("../elsewhere/a.less", "x")
    host.static.rmdir()
    host.static.symlink_to("elsewhere")
    assert host.compile(host.program(UPPER)).exit_code == 0
    assert host.made == ["a.css", "a.less"]


def test_a_missing_folder_is_told(host):
    command = host.command(host.program(UPPER))
    ran = host.shell.run(command)
    assert "there is no folder static" in ran.output
    assert "`static.path`" in command.failures[ran.exit_code].hint


def test_every_failing_file_is_told_with_command_and_last_words(host):
    for name in "abc":
        host.write(f"{name}.less", name)
    red = r"\033[1;31mline 3\033[0m"
    run = host.program(
        f"""grep -q c "$1" || {{ printf '{red}: no }}' >&2; exit 4; }}; cp "$1" "$2\""""
    )
    command = host.command(run)
    ran = host.shell.run(command)
    assert command.failures[ran.exit_code].title == "Static files could not be compiled"
    for name in "ab":
        assert f"{name}.less: `{run}` ended with exit code 4. It said:\nline 3: no }}" in ran.output


def test_nothing_is_put_in_its_place_when_a_file_fails(host):
    host.write("a.less", "a")
    host.write("b.less", "b")
    host.compile(host.program('grep a "$1" && exit 4; cp "$1" "$2"'))
    assert host.made == ["a.less", "b.less"]


def test_of_many_words_the_first_and_the_last_are_told(host):
    host.write("a.less", "x")
    ran = host.compile(host.program("seq 1 1000; exit 1"))
    assert "It said:\n1\n2\n" in ran.output
    assert "\n10\n...\n981\n" in ran.output


@pytest.mark.parametrize("text", ["true", ': >"$2"', 'mkdir "$2"'])
def test_a_program_that_makes_nothing_is_a_failure(host, text):
    host.write("a.less", "x")
    ran = host.compile(host.program(f"{text}; echo a warning"))
    assert ran.exit_code != 0
    assert "left nothing for a.css. It said:\na warning" in ran.output
    assert not (host.static / "a.css").exists()


@pytest.mark.parametrize("text", ['ln -s /etc/hostname "$2"', 'echo x >"$2"; mkfifo "$2.map"'])
def test_links_and_special_files_among_the_results_are_refused(host, text):
    host.write("a.less", "x")
    ran = host.compile(host.program(text))
    assert ran.exit_code != 0
    assert "left what is no file: ./a.css" in ran.output
    assert host.made == ["a.less"]


@pytest.mark.parametrize(
    ("match", "extension", "words"),
    [
        ("a.*", ".css", "a.css is made of a.less and of a.sass"),
        ("*.less", ".less", "would replace it"),
    ],
)
def test_what_would_replace_a_file_is_refused(host, match, extension, words):
    host.write("a.less", "x")
    host.write("a.sass", "x")
    ran = host.compile(host.program(UPPER), match, extension)
    assert ran.exit_code != 0
    assert words in ran.output


def test_another_release_takes_what_was_compiled_before(host):
    host.write("a.less", "x")
    run = host.program(UPPER + '; echo map >"$2.map"')
    host.compile(run)
    host.number = 2
    host.write("a.less", "x")
    ran = host.compile(run)
    assert "unchanged: a.less -> a.css" in ran.output
    assert (host.static / "a.css").read_text() == "X"
    assert (host.static / "a.css.map").read_text() == "map\n"
    assert host.runs == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda host: host.write("a.less", "y"),
        lambda host: host.write("parts/colors.txt", "y"),
        lambda host: host.write("../package-lock.json", "{}"),
        lambda host: host.program(UPPER + " # another version"),
    ],
)
def test_a_change_of_anything_it_may_read_compiles_again(host, change):
    host.write("a.less", "x")
    run = host.program(UPPER)
    host.compile(run)
    host.number = 2
    host.write("a.less", "x")
    change(host)
    host.compile(run)
    assert host.runs == 2


def test_a_change_of_a_script_among_the_words_compiles_again(host):
    script = host.base / "build.sh"
    for number, text in ((1, 'cp "$1" "$2"'), (2, 'echo new >"$2"')):
        host.number = number
        host.write("a.less", "x")
        script.write_text(text)
        assert host.compile(f'sh "{script}" {{in}} {{out}}').exit_code == 0
    assert (host.static / "a.css").read_text() == "new\n"


def test_a_program_sees_its_source_from_its_output_in_the_same_way_in_every_release(host):
    for host.number in (1, 2):
        host.write("css/a.less", str(host.number))
        host.compile(host.program('realpath --relative-to="${2%/*}" "$1" >"$2"'))
        assert (host.static / "css/a.css").read_text() == "../a.less\n"
        assert sorted(path.name for path in (host.static / "css").iterdir()) == ["a.css", "a.less"]


def test_a_failure_is_not_remembered_and_a_second_try_is_whole(host):
    host.write("a.less", "x")
    run = host.program('test -e "$HOME/ok" && cp "$1" "$2"')
    assert host.compile(run).exit_code != 0
    (host.base / "ok").touch()
    assert host.compile(run).exit_code == 0
    assert sorted(path.name for path in host.static.iterdir()) == ["a.css", "a.less"]


def test_a_builtin_of_the_shell_is_a_program_too(host):
    host.write("a.less", "x")
    ran = host.compile("printf %s {in} {out}")
    assert "left nothing for a.css" in ran.output


@pytest.mark.parametrize("shell_name", list(filter(shutil.which, ["busybox", "dash", "bash"])))
def test_every_shell_of_a_host_runs_it(host, shell_name):
    program = str(shutil.which(shell_name))
    host.write("it's/a.less", "x")
    command = host.command(host.program(UPPER))
    paths = {name: str(host.base / path) for name, path in command.paths.items()}
    tools = host.base / "tools"
    tools.mkdir()
    words = [program]
    if shell_name == "busybox":
        subprocess.run([program, "--install", "-s", str(tools)], check=True)
        words = [str(tools / "sh")]
    else:
        (tools / "sh").symlink_to(program)
    done = subprocess.run(
        [*words, "-eu", "-c", command.script],
        cwd=host.base / command.cwd,
        env={"PATH": f"{tools}:/usr/bin:/bin", "HOME": str(host.base), **command.env, **paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (host.static / "it's/a.css").read_text() == "X"
    assert list((host.base / host.site.shared_dir / ".compiled").glob(".new-*")) == []
