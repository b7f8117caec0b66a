"""Starting, watching and stopping a site's process with the shipped runner, for real."""

import base64
import json
import stat
import sys
from pathlib import Path

import pytest

from app.domain.recipe import Recipe, parse
from tests.support.local_shell import LocalShell
from tests.support.stack import eventually
from worker.steps import service
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site

SITE = Site("site", 3, "v1")
HOSTILE = "v2; rm -rf / $(id) 'quoted' \"twice\"\nsecond line\n"

#: Writes what it sees, then waits to be stopped.
WITNESS = """\
import json, os, sys, time
with open("seen.new", "w") as file:
    json.dump({**os.environ, "cwd": os.getcwd()}, file)
os.rename("seen.new", "seen")
print("the witness speaks", flush=True)
time.sleep(1000)
"""


def recipe(*, env_file: bool = True) -> Recipe:
    start = {"run": f'exec "{sys.executable}" witness.py', "env_file": env_file}
    return Recipe.from_document({"name": "a", "start": start, "stop": {"timeout": 5}, "check": {}})


def around(**env: str) -> Surroundings:
    return Surroundings(SITE, env, ("TOKEN",))


@pytest.fixture
def release(shell: LocalShell) -> Path:
    path = shell.base / SITE.release_dir
    path.mkdir(parents=True)
    (path / "witness.py").write_text(WITNESS)
    return path


def seen(release: Path) -> dict[str, str]:
    eventually(lambda: (release / "seen").exists() or None, "the witness", seconds=15)
    found: dict[str, str] = json.loads((release / "seen").read_text())
    return found


@pytest.mark.parametrize("env_file", [True, False])
def test_a_started_site_sees_every_value_unchanged_in_its_release(
    shell: LocalShell, release: Path, *, env_file: bool
) -> None:
    surroundings, secrets = around(WORD=HOSTILE), {"TOKEN": "s3cret'; $x"}
    facts = {"commit": "abc"}
    running = service.plain(surroundings, recipe(env_file=env_file))
    shell.run(service.run_directory(SITE, recipe(env_file=env_file)))
    if env_file:
        assert (
            shell.run(service.save_env(surroundings), facts=facts, secrets=secrets).exit_code == 0
        )
    assert shell.run(running.start, facts=facts, secrets=secrets).exit_code == 0
    try:
        found = seen(release)
        expected = {
            "WORD": HOSTILE,
            "TOKEN": secrets["TOKEN"],
            "COMMIT": "abc",
            "cwd": str(release),
        }
        assert {name: found[name] for name in expected} == expected
        assert shell.run(running.alive).exit_code == 0
    finally:
        assert shell.run(running.stop).exit_code == 0
    assert shell.run(running.alive).exit_code != 0
    assert "the witness speaks" in shell.run(running.log).output


def test_a_site_that_ends_by_itself_is_not_alive(shell: LocalShell, release: Path) -> None:
    (release / "witness.py").write_text("raise SystemExit('no database')")
    shell.run(service.run_directory(SITE, recipe()))
    running = service.plain(around(), recipe())
    shell.run(running.start)
    eventually(lambda: shell.run(running.alive).exit_code or None, "its end", seconds=15)
    assert "no database" in shell.run(running.log).output


def test_stopping_what_never_started_is_no_error(shell: LocalShell) -> None:
    shell.run(service.run_directory(SITE, recipe()))
    assert shell.run(service.plain(around(), recipe()).stop).exit_code == 0


def test_saved_values_are_for_the_owner_alone_and_can_be_forgotten(shell: LocalShell) -> None:
    shell.run(service.run_directory(SITE, recipe()))
    shell.run(service.save_env(around(A="b")), facts={"commit": "c"}, secrets={"TOKEN": "t"})
    path = shell.base / SITE.run_dir / "env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    shell.run(service.forget_env(SITE))
    assert not path.exists()


def test_a_secret_called_names_is_saved_like_any_other_and_in_no_script(
    shell: LocalShell,
) -> None:
    shell.run(service.run_directory(SITE, recipe()))
    command = service.save_env(Surroundings(SITE, {}, ("NAMES", "TOKEN")))
    ran = shell.run(command, secrets={"NAMES": "secret-of-names", "TOKEN": "t"})
    assert ran.exit_code == 0, ran.output
    saved = (shell.base / SITE.run_dir / "env").read_text().splitlines()
    values = {name: base64.b64decode(code).decode() for name, code in map(str.split, saved)}
    assert (values["NAMES"], values["TOKEN"]) == ("secret-of-names", "t")
    assert command.script.splitlines()[1].endswith("NAMES RELEASE_DIR RUN_DIR SHARED_DIR TOKEN")


def test_what_is_no_name_of_a_variable_comes_into_no_script() -> None:
    with pytest.raises(ValueError, match="not names"):
        service.save_env(Surroundings(SITE, {"A; id": "x"}, ()))


def test_the_run_directory_holds_the_authors_script_and_no_value(shell: LocalShell) -> None:
    shell.run(service.run_directory(SITE, recipe()))
    text = (shell.base / SITE.run_dir / "run").read_text()
    assert text == f'set -eu\nexec "{sys.executable}" witness.py\n'


def test_current_is_made_and_moved_atomically(shell: LocalShell, release: Path) -> None:
    command = service.link_current(SITE)
    assert shell.run(command).exit_code == 0
    current = shell.base / SITE.current
    assert current.readlink() == Path("releases/v1-3")
    newer = Site("site", 4, "v2")
    (shell.base / newer.release_dir).mkdir()
    assert shell.run(service.link_current(newer)).exit_code == 0
    assert current.readlink() == Path("releases/v2-4")
    assert sorted(path.name for path in current.parent.iterdir()) == ["current", "releases"]


def test_current_never_points_at_a_release_that_is_not_there(shell: LocalShell) -> None:
    (shell.base / SITE.app_dir).mkdir(parents=True)
    assert shell.run(service.link_current(SITE)).exit_code != 0
    assert not (shell.base / SITE.current).is_symlink()


def test_the_shell_script_of_the_recipe_stops_at_its_first_failure(
    shell: LocalShell, release: Path
) -> None:
    stubborn = parse("name: a\nstart:\n  run: |\n    false\n    touch went-on\ncheck: {}\n")
    shell.run(service.run_directory(SITE, stubborn))
    running = service.plain(around(), stubborn)
    shell.run(running.start, secrets={"TOKEN": "t"})
    eventually(lambda: shell.run(running.alive).exit_code or None, "its end", seconds=15)
    assert not (release / "went-on").exists()


def test_current_is_removed_when_it_points_at_the_release_that_is_taken_back(
    shell: LocalShell, release: Path
) -> None:
    current = shell.base / SITE.current
    assert shell.run(service.unlink_current(SITE)).exit_code == 0
    assert shell.run(service.link_current(SITE)).exit_code == 0
    assert shell.run(service.unlink_current(Site("site", 4, "v2"))).exit_code == 0
    assert current.is_symlink()
    assert shell.run(service.unlink_current(SITE)).exit_code == 0
    assert not current.is_symlink()
    assert release.is_dir()
