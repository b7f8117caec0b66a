"""The preflight scripts, run for real."""

import pytest

from app.domain.recipe import parse
from app.domain.recipe_parts import PreflightCommand
from tests.support.local_shell import LocalShell, Ran
from worker.steps import preflight
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site
from worker.steps.step import Command

SITE = Site("site", 1, "v1")


def code(command: Command, ran: Ran) -> str:
    return command.failures[ran.exit_code].code


def test_a_host_that_answers_says_who_and_where_it_is(shell: LocalShell) -> None:
    ran = shell.run(preflight.reach(SITE))
    assert ran.exit_code == 0
    assert ran.output.startswith("user ")
    assert (shell.base / SITE.shared_dir).is_dir()


def test_enough_disk_is_reported_with_its_number(shell: LocalShell) -> None:
    shell.run(preflight.reach(SITE))
    ran = shell.run(preflight.disk(SITE, 1))
    assert ran.exit_code == 0
    assert "MB are free in" in ran.output


def test_too_little_disk_says_how_much_there_is(shell: LocalShell) -> None:
    shell.run(preflight.reach(SITE))
    command = preflight.disk(SITE, 999_999_999)
    ran = shell.run(command)
    assert code(command, ran) == "disk-full"
    assert "the site needs 999999999 MB" in ran.output


def test_every_missing_program_is_named(shell: LocalShell) -> None:
    command = preflight.tools(("sh", "no-such-tool", "nor-this"))
    ran = shell.run(command)
    assert code(command, ran) == "tool-missing"
    assert "missing on this host: no-such-tool nor-this" in ran.output


def test_a_folder_that_cannot_be_made_comes_with_the_command_that_fixes_it(
    shell: LocalShell,
) -> None:
    shared = shell.base / SITE.shared_dir
    shared.mkdir(parents=True)
    (shared / "media").write_text("a file is in the way")
    command = preflight.writable(SITE, ("files", "media"))
    ran = shell.run(command)
    assert code(command, ran) == "not-writable"
    assert "sudo chown -R" in ran.output
    assert (shared / "files").is_dir()


def test_writable_folders_are_left_as_they_were(shell: LocalShell) -> None:
    ran = shell.run(preflight.writable(SITE, ("media",)))
    assert ran.exit_code == 0
    assert list((shell.base / SITE.shared_dir / "media").iterdir()) == []


@pytest.mark.parametrize("exit_code", [1, 7])
def test_a_question_of_the_recipe_fails_with_its_own_hint(
    shell: LocalShell, exit_code: int
) -> None:
    asked = PreflightCommand(name="ready", run=f"exit {exit_code}", hint="make it ready")
    command = preflight.recipe_command(asked, Surroundings(SITE, {}, ()))
    ran = shell.run(command)
    assert code(command, ran) == "preflight-failed"
    assert command.failures[ran.exit_code].hint == "Run: make it ready"


def test_a_supervisor_that_the_host_lacks_is_refused(shell: LocalShell) -> None:
    recipe = parse("name: a\nstart: {run: x, via: systemd, env_file: true}\ncheck: {}\n")
    command = preflight.supervisor(recipe, "none")
    ran = shell.run(command)
    assert code(command, ran) == "preflight-failed"
    assert "wants systemd" in ran.output
