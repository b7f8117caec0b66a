"""The scripts of recipes, as they are wrapped, and packages from an index."""

import zipfile
from pathlib import Path

import pytest

from app.domain.recipe_parts import Action
from tests.support.local_shell import LocalShell
from worker.steps import pypi, recipe_step
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site

SITE = Site("site", 1, "1.6")
AROUND = Surroundings(SITE, {"PAGE": 'it\'s $HOME; `id`\n"x"'}, ("TOKEN",))
SECRETS = {"TOKEN": "t'; exit 9"}


def action(run: str) -> Action:
    return Action(name="a", run=run)


def test_a_script_sees_its_values_unchanged(shell: LocalShell) -> None:
    command = recipe_step.action(action('printf "%s|%s" "$PAGE" "$TOKEN"; pwd'), AROUND)
    ran = shell.run(command, secrets=SECRETS)
    folder = shell.base / SITE.release_dir
    assert ran.output == f"{AROUND.env['PAGE']}|{SECRETS['TOKEN']}{folder}\n"


@pytest.mark.parametrize("script", ["false\ntrue", 'echo "$NO_SUCH_SETTING"', "exit 3"])
def test_a_failing_line_or_a_misspelled_variable_fails_the_step(
    shell: LocalShell, script: str
) -> None:
    ran = shell.run(recipe_step.action(action(script), AROUND), secrets=SECRETS)
    assert ran.exit_code != 0


@pytest.mark.parametrize(
    ("question", "code"),
    [
        ("true", "needs-upgrade"),
        ("! false", "needs-upgrade"),
        ("exit 2", "step-failed"),
        ("no-such-program", "step-failed"),
        ("if then", "step-failed"),
    ],
)
def test_data_that_is_old_or_cannot_be_asked_stops_the_provision(
    shell: LocalShell, question: str, code: str
) -> None:
    command = recipe_step.fits(question, AROUND, "database")
    ran = shell.run(command, secrets=SECRETS)
    failure = command.failures.get(ran.exit_code)
    assert (failure.code if failure else "step-failed") == code


@pytest.mark.parametrize("question", ["false", "! true", "[ 1 = 2 ]", "exit 1"])
def test_data_that_fits_lets_the_provision_go_on(shell: LocalShell, question: str) -> None:
    assert shell.run(recipe_step.fits(question, AROUND, "database"), secrets=SECRETS).exit_code == 0


def test_static_files_that_are_missing_are_named(shell: LocalShell) -> None:
    command = recipe_step.folder_exists(SITE, "staticfiles")
    assert "there is no folder staticfiles" in shell.run(command).output
    (shell.base / SITE.release_dir / "staticfiles").mkdir()
    assert shell.run(command).exit_code == 0


@pytest.fixture
def index(shell: LocalShell, tmp_path: Path) -> LocalShell:
    """A host whose package index is a folder with one small package."""
    folder = tmp_path / "index"
    folder.mkdir()
    info = "small_thing-1.6.dist-info"
    with zipfile.ZipFile(folder / "small_thing-1.6-py3-none-any.whl", "w") as wheel:
        wheel.writestr("small_thing.py", "")
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: small-thing\nVersion: 1.6\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    env = {
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": folder.as_uri(),
        "PIP_CONFIG_FILE": "/dev/null",
    }
    return LocalShell(shell.base, env)


def test_a_package_is_installed_at_the_exact_version_and_reports_it(index: LocalShell) -> None:
    ran = index.run(pypi.install(SITE, "small-thing"))
    assert ran.exit_code == 0, ran.output
    assert ran.facts == {"commit": "1.6"}
    release = index.base / SITE.release_dir
    assert [path.name for path in release.iterdir()] == [".venv"]


@pytest.mark.parametrize(
    ("package", "revision", "code"),
    [
        ("small-thing", "9.9", "revision-not-found"),
        ("small-thing", "1.6; touch pwned", "revision-not-found"),
        ("small-thing", "1.*", "revision-not-found"),
        ("small-thing", "", "revision-not-found"),
        ("no-such-thing", "1.6", "revision-not-found"),
        ("-rpwned", "1.6", "revision-not-found"),
        ("x @ file:///tmp", "1.6", "revision-not-found"),
    ],
)
def test_a_package_that_cannot_be_had_says_why(
    index: LocalShell, package: str, revision: str, code: str
) -> None:
    command = pypi.install(Site("site", 1, revision), package)
    ran = index.run(command)
    assert command.failures[ran.exit_code].code == code, ran.output
