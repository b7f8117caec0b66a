"""Background parts, started and stopped by the recipe's own scripts."""

import pytest

from app.domain.recipe_parts import Action, Background
from tests.support.local_shell import LocalShell
from worker.steps import background
from worker.steps.recipe_step import Surroundings
from worker.steps.site import Site

SITE = Site("shop", 3, "v1")
HOSTILE = 'a\'b; $(touch hit) "c"\nd'
FAILURE = background.failed("AppServer 3", "start", "Look there.")


def actions(*scripts: str) -> tuple[Action, ...]:
    return tuple(
        Action.model_validate({"name": f"part {number}", "run": script})
        for number, script in enumerate(scripts)
    )


def around(**env: str) -> Surroundings:
    return Surroundings(SITE, env, ("TOKEN",))


def test_a_part_sees_what_every_script_of_the_release_sees(shell: LocalShell) -> None:
    (item,) = actions('printf "%s|%s|%s" "$WORD" "$TOKEN" "$RELEASE_DIR"; pwd >&2')
    command = background.one(item, around(WORD=HOSTILE), FAILURE)
    ran = shell.run(command, secrets={"TOKEN": "s3cret"})
    release = shell.base / SITE.release_dir
    assert ran.output == f"{HOSTILE}|s3cret|{release}{release}\n"
    assert HOSTILE not in command.script


def test_every_exit_code_of_a_part_is_told_as_background_failed(shell: LocalShell) -> None:
    (item,) = actions("exit 3")
    command = background.one(item, around(), FAILURE)
    ran = shell.run(command, secrets={"TOKEN": ""})
    assert command.failures[ran.exit_code].code == "background-failed"
    assert command.failures[1].title == "A background part of AppServer 3 did not start"


def test_a_whole_list_runs_in_order_and_each_script_by_itself(shell: LocalShell) -> None:
    scripts = actions("X=1; cd /; exit 0", 'echo "${X-unset}"; pwd', "cat <<END\nhere\nEND\n")
    ran = shell.run(background.whole(scripts, around(), FAILURE), secrets={"TOKEN": ""})
    assert ran.output == f"unset\n{shell.base / SITE.release_dir}\nhere\n"


@pytest.mark.parametrize("failing", ["false", 'echo "$MISSPELLED"'])
def test_a_whole_list_ends_with_the_first_that_fails(shell: LocalShell, failing: str) -> None:
    scripts = actions("echo first", failing, "echo third")
    command = background.whole(scripts, around(), FAILURE)
    ran = shell.run(command, secrets={"TOKEN": ""})
    assert command.failures[ran.exit_code] is FAILURE
    assert ran.output.startswith("first\n")
    assert "third" not in ran.output


def test_a_whole_list_has_the_time_of_all_its_scripts() -> None:
    items = Background.model_validate({"start": actions("a", "b"), "stop": actions("c")}).start
    assert background.whole(items, around(), FAILURE).timeout == 1800
