"""The shipped recipes: readable, complete, and their scripts pass shellcheck."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.recipe import Recipe, parse
from app.domain.recipe_parts import Question

FOLDER = Path(__file__).parents[3] / "recipes"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))
#: Variables come from outside, each script is a subshell here, and $PLUGINS is meant to split.
SCRIPTS = {"run", "collect", "needs_upgrade", "probe", "folders"}
EXCLUDED = "SC2154,SC2086,SC2030,SC2031"


def load(name: str) -> Recipe:
    return parse((FOLDER / f"{name}.yaml").read_text())


def scripts(value: object) -> Iterator[str]:
    match value:
        case dict():
            for key, item in value.items():
                if isinstance(item, str) and key in SCRIPTS:
                    yield item
                else:
                    yield from scripts(item)
        case list():
            for item in value:
                yield from scripts(item)


def test_these_recipes_are_shipped() -> None:
    assert SHIPPED == ["command", "django", "reviewboard", "static-site", "trac"]


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_is_named_like_its_file_and_explains_itself(name: str) -> None:
    recipe = load(name)
    assert recipe.name == name
    assert recipe.description
    assert all(setting.description for setting in recipe.settings.values())
    assert all(secret.description for secret in recipe.secrets.values())


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_recipe_can_be_supervised(name: str) -> None:
    assert load(name).start.env_file


@pytest.mark.parametrize("name", SHIPPED)
def test_the_scripts_of_a_shipped_recipe_pass_shellcheck(name: str) -> None:
    checker = Path(sys.executable).with_name("shellcheck")
    program = str(checker) if checker.exists() else shutil.which("shellcheck")
    assert program, "shellcheck comes with the dev extra: pip install -e .[dev]"
    text = "\n".join(f"(\n{script}\n)" for script in scripts(load(name).document()))
    done = subprocess.run(
        [program, "--shell=sh", f"--exclude={EXCLUDED}", "-"],
        input=f"set -eu\n{text}\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


def test_django_makes_up_its_key_and_derives_the_rest() -> None:
    recipe = load("django")
    assert recipe.secrets_to_generate([]) == {"SECRET_KEY": 50}
    settings = recipe.resolve_settings({"DJANGO_SETTINGS_MODULE": "guestbook.settings"})
    assert settings["REQUIREMENTS"] == "requirements.txt"


def test_trac_pins_the_setuptools_it_needs() -> None:
    assert any("setuptools<81" in item.run for item in load("trac").build)


def test_who_loses_a_step_that_changes_data_is_told_what_to_do() -> None:
    (migrate,) = load("django").participants[0].created
    assert migrate.unknown == Question(".venv/bin/in-site python -m django migrate --check")
    assert load("trac").participants[0].created[0].unknown == "repeat"
    assert load("command").prepare[0].unknown == "ask"
