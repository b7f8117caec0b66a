"""A look at an extension where it serves: stamp and media, as facts; nothing is changed."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.domain import extension_sighting
from app.domain.extension import Extension, PackageSource
from app.domain.extension_sighting import Sighting
from app.domain.recipe_extension import Media
from tests.support.local_shell import LocalShell, Ran
from tests.support.ssh_server import links_to
from worker.steps import extension
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site

SITE = Site("site", 7, "v1")
TAGS = Extension("tags", "1.0", PackageSource("Tags", "1.0"), settings={"APP": "it's a $HOME"})
AROUND = extension.around(Surroundings(SITE, {"PAGE": "home"}, ("TOKEN",)), TAGS)
FOLDERS = Media(folders="echo package/static", target="public/static")
FILES = {"tags/a.css": "a {}", "tags/it's one.js": "1", "tags/deep/b.css": "b {}"}
ABOUT = extension_sighting.fact(7, "tags")


@dataclass
class Host:
    shell: LocalShell

    @property
    def release(self) -> Path:
        return self.shell.base / SITE.release_dir

    @property
    def served(self) -> Path:
        return self.release / "public/static"

    def ran(self, wanted: Media | None = FOLDERS) -> Ran:
        """It leaves the release as it is."""
        command = extension.look(AROUND, TAGS, wanted, ABOUT)
        before = sorted(self.release.rglob("*"))
        ran = self.shell.run(command, secrets={"TOKEN": "s"})
        assert sorted(self.release.rglob("*")) == before
        return ran

    def look(self, wanted: Media | None = FOLDERS) -> Sighting:
        """Every fact is reported: a job fails without."""
        ran = self.ran(wanted)
        assert ran.exit_code == 0, ran.output
        assert set(ran.facts) == set(extension_sighting.reports(ABOUT))
        found = extension_sighting.read(ran.facts, ABOUT)
        assert found is not None
        return found


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest, shell: LocalShell, tmp_path: Path) -> Host:
    program = shutil.which(request.param)
    assert program
    words = (program, "sh") if request.param == "busybox" else (program,)
    links = links_to(request.param, tmp_path / "bin")
    host = Host(LocalShell(shell.base, {"PATH": links}, words))
    for folder in ("package/static", "public/static"):
        for name, text in FILES.items():
            path = host.release / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    stamp = shell.base / extension.stamp_path(SITE, "tags")
    stamp.parent.mkdir(parents=True)
    stamp.write_text("1.0\n")
    return host


def test_what_is_as_it_was_installed_is_whole(host: Host) -> None:
    assert host.look() == Sighting(has_stamp=True)


def test_missing_and_different_files_are_found(host: Host) -> None:
    (host.served / "tags/deep/b.css").unlink()
    (host.served / "tags/it's one.js").write_text("2")
    found = host.look()
    assert (found.has_stamp, found.wrong) == (True, 2)
    assert set(found.files) == {"missing: tags/deep/b.css", "different: tags/it's one.js"}


def test_ten_of_many_files_are_named(host: Host) -> None:
    for number in range(12):
        (host.release / f"package/static/tags/{number}.js").write_text("1")
    found = host.look()
    assert (found.wrong, len(found.files)) == (12, 10)


def test_a_folder_that_is_gone_is_told_of(host: Host) -> None:
    shutil.rmtree(host.served)
    found = host.look()
    assert (found.is_whole, found.wrong) == (False, 0)
    assert found.why == f"there is no folder {host.served} for the 3 files of tags"


def test_a_package_that_is_gone_is_told_of(host: Host) -> None:
    shutil.rmtree(host.release / "package")
    assert "the folder package/static of tags cannot be read" in host.look().why


def test_a_release_that_is_gone_is_told_of_and_not_made(host: Host) -> None:
    shutil.rmtree(host.release)
    for wanted in (FOLDERS, None):
        found = host.look(wanted)
        assert (found.has_stamp, found.why) == (False, f"there is no release {host.release}")
    assert not host.release.exists()


def test_without_its_stamp_it_is_incomplete_whatever_else_goes_wrong(host: Host) -> None:
    (host.shell.base / extension.stamp_path(SITE, "tags")).unlink()
    found = host.look(Media(folders="echo no python; exit 3", target="public/static"))
    assert (found.has_stamp, found.why) == (False, "no python")


def test_a_full_disk_says_nothing_of_the_files(host: Host) -> None:
    full = "echo missing-folder; echo 'write error: No space left on device' >&2"
    ran = host.ran(Media(folders=full, target="public/static"))
    assert ran.exit_code != 0
    assert extension_sighting.read(ran.facts, ABOUT) is None


@pytest.mark.parametrize("text", ["0.9\n", "", None])
def test_a_stamp_that_is_gone_or_another_is_found(host: Host, text: str | None) -> None:
    stamp = host.shell.base / extension.stamp_path(SITE, "tags")
    stamp.unlink()
    if text is not None:
        stamp.write_text(text)
    assert host.look() == Sighting(has_stamp=False)
    assert host.look(None) == Sighting(has_stamp=False)


def test_without_media_the_stamp_is_enough(host: Host) -> None:
    assert host.look(None) == Sighting(has_stamp=True)


def test_a_look_that_goes_wrong_says_nothing_of_the_extension(host: Host) -> None:
    ran = host.ran(Media(folders="exit 3", target="public/static"))
    assert ran.exit_code != 0
    assert extension_sighting.read(ran.facts, ABOUT) is None
