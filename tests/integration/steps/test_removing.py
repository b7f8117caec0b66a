"""What an app server leaves on its host, removed for real; and nothing else is."""

import shutil
from pathlib import Path

import pytest

from app.domain.recipe import Recipe
from app.domain.recipe_parts import Action
from tests.support.local_shell import LocalShell
from worker.steps import background, removing, service, supervisord
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site
from worker.steps.step import Command

SITE = Site("shop", 3, "v1; rm -rf / $(id)")
RECIPE = Recipe.from_document({"name": "a", "start": {"run": "exec sleep 1000"}, "check": {}})


@pytest.fixture
def app(shell: LocalShell) -> Path:
    """An instance with two app servers; `current` leads to the second."""
    folder = shell.base / SITE.app_dir
    for name in ("repo.git", "shared", f"releases/{SITE.release}", "releases/v2-4", "run/3"):
        (folder / name).mkdir(parents=True)
        (folder / name / "file").write_text("kept")
    (folder / "run/3/env").write_text("a secret")
    (folder / "current").symlink_to("releases/v2-4")
    return folder


def left(app: Path) -> list[str]:
    return sorted(str(path.relative_to(app)) for path in app.rglob("*") if not path.is_dir())


def stop_background(script: str) -> Command:
    item = Action.model_validate({"name": "worker", "run": script})
    around = Surroundings(SITE, {}, ())
    return removing.stop_background([item], around, background.failed("A 3", "stop", "Look."))


def test_background_parts_are_stopped_in_their_release(shell: LocalShell, app: Path) -> None:
    ran = shell.run(stop_background("cat file; pwd -P"))
    assert ran.output == f"kept{(app / 'releases' / SITE.release).resolve()}\n"
    assert shell.run(stop_background("exit 3")).exit_code != 0


@pytest.mark.parametrize("gone", ["run/3", f"releases/{SITE.release}"])
def test_where_files_are_gone_no_background_is_stopped_and_no_folder_made(
    shell: LocalShell, app: Path, gone: str
) -> None:
    shutil.rmtree(app / gone)
    ran = shell.run(stop_background("exit 3"))
    assert ran.exit_code == 0, ran.output
    assert not (app / gone).exists()


REST = ["releases/v2-4/file", "repo.git/file", "shared/file"]


def test_release_and_run_folder_go_and_everything_else_stays(shell: LocalShell, app: Path) -> None:
    assert shell.run(removing.remove(SITE)).exit_code == 0
    assert left(app) == REST
    assert (app / "current").is_symlink()


def test_a_second_removal_changes_nothing(shell: LocalShell, app: Path) -> None:
    for _ in range(2):
        ran = shell.run(removing.remove(SITE))
        assert ran.exit_code == 0, ran.output
    assert left(app) == REST


def test_an_instance_of_which_nothing_is_left_is_no_failure(shell: LocalShell) -> None:
    assert shell.run(removing.remove(SITE)).exit_code == 0


def test_current_goes_with_the_release_that_it_points_at(shell: LocalShell, app: Path) -> None:
    (app / "current").unlink()
    (app / "current").symlink_to(f"releases/{SITE.release}")
    assert shell.run(removing.remove(SITE)).exit_code == 0
    assert not (app / "current").is_symlink()


def test_folders_that_nobody_may_write_in_go_too(shell: LocalShell, app: Path) -> None:
    locked = app / "releases" / SITE.release / "modules"
    locked.mkdir()
    (locked / "file").write_text("x")
    locked.chmod(0o500)
    assert shell.run(removing.remove(SITE)).exit_code == 0
    assert left(app) == REST


@pytest.mark.parametrize("folder", ["releases", "run"])
def test_what_a_link_leads_to_outside_the_instance_is_left_alone(
    shell: LocalShell, app: Path, tmp_path: Path, folder: str
) -> None:
    elsewhere = tmp_path / "elsewhere"
    (app / folder).rename(elsewhere)
    (app / folder).symlink_to(elsewhere)
    before = sorted(elsewhere.rglob("*"))
    ran = shell.run(removing.remove(SITE))
    assert ran.exit_code == 61
    assert "it is left alone" in ran.output
    assert sorted(elsewhere.rglob("*")) == before


def test_a_release_that_is_a_link_goes_without_what_it_leads_to(
    shell: LocalShell, app: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    release = app / "releases" / SITE.release
    release.rename(elsewhere)
    release.symlink_to(elsewhere)
    assert shell.run(removing.remove(SITE)).exit_code == 0
    assert (elsewhere / "file").exists()
    assert not release.is_symlink()


def test_a_running_process_is_stopped_and_asked_for_again_it_is_stopped_still(
    shell: LocalShell, app: Path
) -> None:
    running = service.plain(Surroundings(SITE, {}, ()), RECIPE)
    assert shell.run(service.run_directory(SITE, RECIPE)).exit_code == 0
    assert shell.run(running.start).exit_code == 0
    for _ in range(2):
        ran = shell.run(removing.stop(running))
        assert ran.exit_code == 0, ran.output
        assert shell.run(running.alive).exit_code != 0


def test_what_was_never_started_needs_no_supervisor_to_be_stopped(shell: LocalShell) -> None:
    running = supervisord.service(SITE, RECIPE, options={"command": "not-there"}, sudo=False)
    ran = shell.run(removing.stop(running))
    assert (ran.exit_code, "nothing was ever started" in ran.output) == (0, True)
