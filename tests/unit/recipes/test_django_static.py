"""Where the recipe `django` collects static files, run with a stand-in for Django."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.recipe import parse

RECIPE = parse((Path(__file__).parents[3] / "recipes/django.yaml").read_text())
DJANGO = {
    "__init__.py": "def setup(): print('settings may print')",
    "conf.py": """
import os
class settings: STATIC_ROOT = os.environ["SITE_ROOT"] or None
""",
    "__main__.py": """
import os, pathlib, sys
from django.conf import settings
if not settings.STATIC_ROOT: sys.exit("STATIC_ROOT is not set")
root = pathlib.Path(settings.STATIC_ROOT)
root.mkdir(parents=True, exist_ok=True)
(root / "told").write_text(" ".join(sys.argv[1:]))
""",
}
IN_SITE = """#!/bin/sh
cd "$RELEASE_DIR/src"
exec "$@"
"""


class Site:
    """A release on a host, reached through a link as a home folder may be."""

    def __init__(self, home: Path) -> None:
        self.shared = home / "shared"
        self.real = home / "disk/releases/v1-2"
        (self.real / "src").mkdir(parents=True)
        (home / "link").symlink_to(home / "disk")
        self.release = home / "link/releases/v1-2"
        program = self.real / ".venv/bin/in-site"
        program.parent.mkdir(parents=True)
        program.write_text(IN_SITE)
        program.chmod(0o755)
        (program.parent / "python").symlink_to(sys.executable)
        (self.real / "modules/django").mkdir(parents=True)
        for name, text in DJANGO.items():
            (self.real / "modules/django" / name).write_text(text)

    def collect(self, root: object, *, released: str = "1") -> subprocess.CompletedProcess[str]:
        assert RECIPE.static
        env = {
            "PATH": f"{self.release}/.venv/bin:{os.environ['PATH']}",
            "PYTHONPATH": f"{self.release}/modules",
            "RELEASE_DIR": str(self.release),
            "SITE_ROOT": str(root),
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "COLLECT_STATIC": "1",
            "ASSET_RELEASES": released,
        }
        return subprocess.run(
            ["sh", "-c", f"set -eu\n{RECIPE.static.collect}"],
            cwd=self.release,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )

    def told(self) -> str:
        return (self.release / "staticfiles/told").read_text()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_files_of_a_release_are_collected_without_names_of_their_own(site: Site) -> None:
    done = site.collect(site.release / "staticfiles")
    assert done.returncode == 0, done.stderr
    assert site.told() == "collectstatic --noinput --no-post-process"


@pytest.mark.parametrize("released", ["1", "0"])
@pytest.mark.parametrize("root", ["public", "../public"])
def test_another_folder_of_the_release_is_found_through_a_link(
    site: Site, root: str, released: str
) -> None:
    done = site.collect(root, released=released)
    assert done.returncode == 0, done.stderr
    assert site.told().startswith("collectstatic")


def test_a_folder_that_releases_share_is_refused_before_anything_is_in_it(site: Site) -> None:
    done = site.collect(site.shared)
    assert done.returncode == 1
    assert not site.shared.exists()
    assert not (site.release / "staticfiles").is_symlink()
    assert f"STATIC_ROOT of shop.settings is {site.shared}" in done.stderr
    assert str(site.real) in done.stderr
    assert 'STATIC_ROOT = os.environ["STATIC_ROOT"]' in done.stderr


def test_a_link_of_the_release_into_a_shared_folder_is_refused(site: Site) -> None:
    site.shared.mkdir()
    (site.real / "staticfiles").symlink_to(site.shared)
    assert site.collect(site.release / "staticfiles").returncode == 1
    assert list(site.shared.iterdir()) == []


@pytest.mark.parametrize("beside", ["", "x"])
def test_the_release_itself_and_its_neighbor_are_refused(site: Site, beside: str) -> None:
    assert site.collect(f"{site.release}{beside}").returncode == 1


def test_without_a_release_a_shared_folder_is_the_sites_own_affair(site: Site) -> None:
    done = site.collect(site.shared, released="0")
    assert done.returncode == 0, done.stderr
    assert site.told() == "collectstatic --noinput"


def test_a_root_that_is_not_set_is_for_django_to_tell(site: Site) -> None:
    done = site.collect("")
    assert done.returncode == 1
    assert done.stderr == "STATIC_ROOT is not set\n"
