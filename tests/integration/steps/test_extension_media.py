"""The media of an extension, compared file by file; and the hooks of the recipe."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from app.domain.extension import Extension, PackageSource
from app.domain.recipe_extension import Media
from app.domain.recipe_parts import Action
from tests.support.local_shell import LocalShell, Ran
from tests.support.ssh_server import links_to
from worker.steps import extension
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site
from worker.steps.step import Failure

SITE = Site("site", 7, "v1")
TAGS = Extension("tags", "1.0", PackageSource("Tags", "1.0"), settings={"APP": "taggit"})
AROUND = extension.around(Surroundings(SITE, {"PAGE": "home"}, ("TOKEN",)), TAGS)
BROKEN = Failure("extension-failed", "Tags could not be enabled", "read the output")
FILES = {"tags/a.css": "a {}", "tags/it's one.js": "1", "tags/deep/b.css": "b {}"}


@dataclass
class Host:
    shell: LocalShell

    @property
    def release(self) -> Path:
        return self.shell.base / SITE.release_dir

    def write(self, folder: str, files: Mapping[str, str]) -> None:
        for name, text in files.items():
            path = self.release / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def compare(self, folders: str = "echo package/static") -> tuple[Ran, str]:
        """How it ran, and the code of its failure."""
        command = extension.media(AROUND, TAGS, Media(folders=folders, target="public/static"))
        ran = self.shell.run(command, secrets={"TOKEN": "s"})
        failure = command.failures.get(ran.exit_code)
        return ran, failure.code if failure else ""

    def run(self, *scripts: str) -> Ran:
        """As an undo, each guarded."""
        items = [Action(name=f"step {n}", run=run) for n, run in enumerate(scripts, start=1)]
        command = extension.guarded(AROUND, TAGS, items, BROKEN)
        assert command is not None
        return self.shell.run(command, secrets={"TOKEN": "s"})


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, shell: LocalShell, tmp_path: Path) -> Host:
    program = shutil.which(request.param)
    assert program
    words = (program, "sh") if request.param == "busybox" else (program,)
    links = links_to(request.param, tmp_path / "bin")
    host = Host(LocalShell(shell.base, {"PATH": links}, words))
    host.write("package/static", FILES)
    host.write("public/static", {**FILES, "site.css": "of the site"})
    return host


def test_media_that_are_all_in_place_are_counted(host: Host) -> None:
    ran, _ = host.compare()
    assert ran.exit_code == 0, ran.output
    assert ran.facts == {"media_files": "3"}


def test_folders_may_be_several_and_absolute(host: Host) -> None:
    host.write("more", {"c.css": "c {}"})
    host.write("public/static", {"c.css": "c {}"})
    ran, _ = host.compare('echo package/static; echo; echo "$RELEASE_DIR/more"')
    assert (ran.exit_code, ran.facts) == (0, {"media_files": "4"})


def test_a_package_without_media_has_none(host: Host) -> None:
    ran, _ = host.compare(":")
    assert (ran.exit_code, ran.facts) == (0, {"media_files": "0"})


def test_missing_and_different_files_are_named(host: Host) -> None:
    (host.release / "public/static/tags/deep/b.css").unlink()
    (host.release / "public/static/tags/it's one.js").write_text("2")
    ran, code = host.compare()
    assert code == "media-incomplete"
    assert "2 of 3 files of tags are not in" in ran.output
    assert "missing: tags/deep/b.css" in ran.output
    assert "different: tags/it's one.js" in ran.output
    assert ran.facts == {}


def test_no_more_files_are_named_than_can_be_read(host: Host) -> None:
    host.write("package/static", {f"many/{number}.css": "" for number in range(40)})
    ran, _ = host.compare()
    assert "40 of 43 files" in ran.output
    assert ran.output.count("missing: ") == 10


def test_a_target_that_is_not_there_is_named(host: Host) -> None:
    shutil.rmtree(host.release / "public")
    ran, code = host.compare()
    assert code == "media-incomplete"
    assert "there is no folder" in ran.output


def test_a_folder_that_is_not_there_is_named(host: Host) -> None:
    ran, code = host.compare("echo package/statics")
    assert code == "media-incomplete"
    assert "the folder package/statics of tags cannot be read" in ran.output


def test_what_nobody_collects_is_not_missed(host: Host) -> None:
    host.write("package/static", {".hidden": "", "tags/a.css~": "", ".git/x": "", "CVS/x": ""})
    ran, _ = host.compare()
    assert (ran.exit_code, ran.facts) == (0, {"media_files": "3"})


def test_a_script_that_cannot_list_the_folders_fails_with_its_words(host: Host) -> None:
    ran, code = host.compare('echo "no such app"; false; echo package/static')
    assert code == "extension-failed"
    assert "no such app" in ran.output


def test_the_folders_are_listed_with_what_the_extension_sees(host: Host) -> None:
    ran, _ = host.compare('[ "$EXTENSION $APP $PAGE $TOKEN" = "tags taggit home s" ]')
    assert ran.exit_code == 0, ran.output


def test_a_hook_runs_in_the_release_with_what_the_extension_sees(host: Host) -> None:
    item = Action(name="tables", run='echo "$EXTENSION $EXTENSION_VERSION $APP $(pwd)"')
    ran = host.shell.run(extension.hook(AROUND, TAGS, item, BROKEN), secrets={"TOKEN": "s"})
    assert ran.output == f"tags 1.0 taggit {host.release}\n"


@pytest.mark.parametrize("run", ["false; true", "echo $MISPELLED", "exit 76"])
def test_a_hook_that_fails_anywhere_is_the_failure_that_is_told(host: Host, run: str) -> None:
    command = extension.hook(AROUND, TAGS, Action(name="tables", run=run), BROKEN)
    ran = host.shell.run(command, secrets={"TOKEN": "s"})
    assert command.failures[ran.exit_code] == BROKEN


def test_every_guarded_script_runs_also_behind_one_that_failed(host: Host) -> None:
    ran = host.run("echo one; false; echo not", "exit 3", "echo three")
    assert ran.exit_code == 1
    assert "one\n" in ran.output
    assert "three\n" in ran.output
    assert "not\n" not in ran.output
    assert "tags: step 2 failed; what is left is done all the same" in ran.output


def test_guarded_scripts_that_all_end_well_end_well(host: Host) -> None:
    assert host.run("cd /; A=1", 'echo "${A-unset} $(pwd)"').exit_code == 0
    assert host.run("cd /; A=1", 'echo "${A-unset} $(pwd)"').output == f"unset {host.release}\n"


def test_without_scripts_there_is_nothing_to_guard() -> None:
    assert extension.guarded(AROUND, TAGS, (), BROKEN) is None


def test_names_of_liftlock_win_over_settings_of_the_extension() -> None:
    odd = replace(TAGS, settings={"PAGE": "other", "EXTENSION": "x"})
    around = extension.around(Surroundings(SITE, {"PAGE": "home"}, ()), odd)
    assert (around.env["PAGE"], around.env["EXTENSION"]) == ("home", "tags")
    assert {"EXTENSION", "EXTENSION_REQUIREMENT", "RELEASE_DIR"} <= set(around.names)
