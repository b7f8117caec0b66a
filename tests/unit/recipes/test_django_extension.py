"""The settings module with which the recipe `django` runs a site that has extensions."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.recipe import parse

RECIPE = parse((Path(__file__).parents[3] / "recipes/django.yaml").read_text())
OWN = "INSTALLED_APPS = ('book', 'shared')\nDEBUG = False\n_private = 1\nlower = 2\n"


def module() -> str:
    """As the recipe writes it."""
    _, _, rest = RECIPE.build[0].run.partition("/liftlock_settings.py\" <<'END'\n")
    return rest.partition("\nEND\n")[0]


def loaded(folder: Path, *extensions: tuple[str, bool]) -> list[object]:
    """What a program of the site finds: apps, a setting, and names that are none."""
    listed = [
        {"name": "x", "version": "1", "enabled": enabled, "settings": {"APP": app}}
        for app, enabled in extensions
    ]
    (folder / "extensions.json").write_text(json.dumps({"extensions": listed}))
    (folder / "liftlock_settings.py").write_text(module())
    (folder / "own.py").write_text(OWN)
    ask = (
        "import json, liftlock_settings as s\n"
        "print(json.dumps([s.INSTALLED_APPS, s.DEBUG, hasattr(s, 'lower')]))"
    )
    env = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(folder),
        "SITE_SETTINGS_MODULE": "own",
        "EXTENSIONS_FILE": str(folder / "extensions.json"),
    }
    done = subprocess.run(
        [sys.executable, "-c", ask], env=env, check=True, capture_output=True, text=True
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_sites_own_settings_stay_and_the_apps_of_extensions_come_last(tmp_path: Path) -> None:
    found = loaded(tmp_path, ("taggit", True))
    assert found == [["book", "shared", "taggit"], False, False]


@pytest.mark.parametrize(
    ("app", "apps"),
    [("a, b.apps.B", ["a", "b.apps.B"]), ("shared", []), (" a ,", ["a"]), ("", [])],
)
def test_one_may_bring_several_apps_and_none_comes_twice(
    tmp_path: Path, app: str, apps: list[str]
) -> None:
    assert loaded(tmp_path, (app, True), (app, True))[0] == ["book", "shared", *apps]


def test_what_is_disabled_is_left_out(tmp_path: Path) -> None:
    assert loaded(tmp_path, ("a", False), ("b", True))[0] == ["book", "shared", "b"]


def test_an_extension_says_which_app_it_is() -> None:
    assert RECIPE.extension is not None
    assert RECIPE.extension.resolve_settings({"APP": "taggit"}) == {"APP": "taggit"}
    assert RECIPE.extension.settings["APP"].required
