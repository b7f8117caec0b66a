"""The provision plan: which steps, in which order, with which values."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.host import Supervisor
from app.domain.problem import CODES
from app.domain.recipe import parse
from tests.support.provisions import command, names, planned, step
from worker.plans.plan import Plan
from worker.steps.machine import CreateMachine
from worker.steps.step import Command, Note, OnCancel, OnUnknown, PortFree, Probe, Wait

RECIPES = Path(__file__).parents[3] / "recipes"
HOSTILE = ["v2; rm -rf /", "$(id)", "a\nb", 'it\'s "quoted"', "`id`"]


def commands(plan: Plan) -> Iterator[Command]:
    for item in (*plan.steps, *plan.on_failure):
        for action in (item.action, item.undo):
            if isinstance(action, Command):
                yield action
            if isinstance(action, Probe) and action.alive:
                yield action.alive


def test_a_first_provision_does_everything_in_order() -> None:
    assert names(planned()) == [
        "record-waiting",
        "reach",
        "disk",
        "tools",
        "writable",
        "preflight-database-answers",
        "record-configuring",
        "fetch",
        "record-commit",
        "checkout",
        "build-packages",
        "prepare-folders",
        "record-prepared",
        "static-collect",
        "static-there",
        "create-tables-schema",
        "record-tables",
        "create-search-index",
        "record-search",
        "port-free",
        "run-directory",
        "save-values",
        "start",
        "check",
        "current",
        "record-running",
    ]


def test_a_machine_is_made_before_its_host_is_looked_at() -> None:
    made = CreateMachine("cloud", "ll-1")
    plan = planned(machine=made)
    assert names(plan)[:3] == ["record-waiting", "create-machine", "reach"]
    assert step(plan, "create-machine").action == made
    told = next(one for one in plan.describe() if one["name"] == "create-machine")
    assert (told["action"], told["tag"]) == ("create-machine", "ll-1")


def test_a_later_provision_prepares_nothing_and_asks_whether_the_data_fits() -> None:
    plan = planned(prepared=True, participants_created=("tables",), others_running=True)
    found = names(plan)
    assert "prepare-folders" not in found
    assert "create-tables-schema" not in found
    assert "current" not in found
    assert found.index("fits-tables") < found.index("create-search-index")


def test_a_created_participant_that_cannot_be_asked_is_left_alone() -> None:
    found = names(planned(participants_created=("tables", "search")))
    assert "fits-tables" in found
    assert not [name for name in found if "search" in name]


def test_a_package_from_pypi_is_installed_instead_of_checked_out() -> None:
    plan = planned(repository="pypi:Trac", revision="1.6")
    found = names(plan)
    assert found[found.index("install") :][:2] == ["install", "record-commit"]
    assert not {"fetch", "checkout"} & set(found)
    assert command(plan, "install").env == {"PACKAGE": "Trac", "REVISION": "1.6"}
    assert command(plan, "tools").env == {"TOOLS": "python3 git"}


def test_the_tools_of_the_recipe_and_our_own_are_looked_for_once() -> None:
    assert command(planned(), "tools").env == {"TOOLS": "git python3"}


def test_scripts_of_the_recipe_see_the_promised_variables() -> None:
    build = command(planned(), "build-packages")
    assert build.env == {
        "PAGE": "/health",
        "WORD": "hello",
        "BIND": "127.0.0.1",
        "PORT": "20004",
        "INSTANCE": "guestbook",
        "REVISION": "v1",
        "DOMAIN": "guestbook.example.org",
    }
    assert build.paths == {
        "APP_DIR": "apps/guestbook",
        "SHARED_DIR": "apps/guestbook/shared",
        "RELEASE_DIR": "apps/guestbook/releases/v1-4",
        "RUN_DIR": "apps/guestbook/run/4",
    }
    assert (build.cwd, build.timeout) == ("apps/guestbook/releases/v1-4", 33)
    assert build.script == "set -eu\nmake build"


def test_only_the_checkout_gets_the_deploy_key_and_only_the_recipe_the_rest() -> None:
    plan = planned(secret_names=("SECRET_KEY", "DEPLOY_KEY", "PATH"))
    assert command(plan, "fetch").secrets == ("DEPLOY_KEY",)
    assert command(plan, "build-packages").secrets == ("SECRET_KEY",)
    assert command(plan, "save-values").secrets == ("SECRET_KEY",)
    assert command(plan, "start").secrets == ()


def test_a_secret_stands_in_for_the_setting_of_its_name() -> None:
    build = command(planned(secret_names=("WORD",)), "build-packages")
    assert build.secrets == ("WORD",)
    assert "WORD" not in build.env


def test_no_command_has_a_secret_and_a_value_of_the_same_name() -> None:
    names = ("NAMES", "FOLDER", "RUN_DIR", "RUN_SCRIPT", "SECONDS_TO_STOP", "PORT", "COMMIT")
    plan = planned(secret_names=names)
    assert "FOLDER" in command(plan, "save-values").secrets
    for found in commands(plan):
        assert not set(found.secrets) & {*found.env, *found.paths, "COMMIT"}


def test_the_check_asks_the_path_of_its_setting_while_the_process_lives() -> None:
    plan = planned()
    probe = step(plan, "check").action
    assert isinstance(probe, Probe)
    assert (probe.port, probe.path, probe.status) == (20004, "/health", (200, 204))
    assert (probe.contains, probe.tries, probe.every) == ("Welcome", 3, 0.1)
    assert probe.alive is not None
    assert probe.on_failure.code == "check-failed"


def test_the_start_is_undone_by_a_stop_and_saved_values_are_forgotten() -> None:
    plan = planned()
    stop = step(plan, "start").undo
    assert isinstance(stop, Command)
    assert stop.env == {"SECONDS_TO_STOP": "7"}
    assert step(plan, "save-values").undo is not None
    undone = {item.name for item in plan.steps if item.undo}
    assert undone == {"save-values", "start", "current"}


def test_data_may_finish_and_is_asked_about_while_a_build_is_stopped_and_repeated() -> None:
    plan = planned()
    for name in ("prepare-folders", "create-tables-schema", "create-search-index"):
        found = step(plan, name)
        assert (found.on_cancel, found.on_unknown) == (OnCancel.FINISH, OnUnknown.ASK)
    build = step(plan, "build-packages")
    assert (build.on_cancel, build.on_unknown) == (OnCancel.INTERRUPT, OnUnknown.REPEAT)


def test_the_recipe_says_otherwise() -> None:
    recipe = parse("""
name: a
build: [{name: b, run: x, on_cancel: finish, unknown: ask, silence: 30}]
prepare: [{name: c, run: x, on_cancel: interrupt, unknown: {probe: test -e done}}]
start: {run: x}
check: {}
""")
    plan = planned(recipe=recipe)
    build, prepare = step(plan, "build-b"), step(plan, "prepare-c")
    assert (build.on_cancel, build.on_unknown) == (OnCancel.FINISH, OnUnknown.ASK)
    assert command(plan, "build-b").silence == 30
    assert prepare.on_cancel is OnCancel.INTERRUPT
    assert isinstance(prepare.on_unknown, Command)
    assert prepare.on_unknown.script == "set -eu\ntest -e done"
    assert prepare.on_unknown.cwd == "apps/guestbook/releases/v1-4"


def test_what_the_recipe_waits_for_comes_before_anything_is_built() -> None:
    recipe = parse("""
name: a
preflight: {wait_for: [{name: the database, command: pg_isready, every: 5, longest: 60}]}
start: {run: x}
check: {}
""")
    plan = planned(recipe=recipe)
    wait = step(plan, "wait-for-the-database").action
    assert isinstance(wait, Wait)
    assert (wait.every, wait.longest, wait.on_failure.code) == (5, 60, "preflight-failed")
    assert wait.probe is not None
    assert (wait.probe.script, wait.probe.cwd) == (
        "set -eu\npg_isready",
        "apps/guestbook/shared",
    )
    found = names(plan)
    assert found.index("writable") < found.index("wait-for-the-database")
    assert found.index("wait-for-the-database") < found.index("record-configuring")


def test_every_look_at_the_host_is_repeated_after_a_wait_and_nothing_else_is() -> None:
    plan = planned()
    assert [item.name for item in plan.steps if item.again] == [
        "reach",
        "disk",
        "tools",
        "writable",
        "preflight-database-answers",
    ]


def test_a_failure_shows_the_log_and_the_recipes_diagnosis() -> None:
    assert [item.name for item in planned().on_failure] == ["site-log", "diagnose-versions"]


def test_the_app_server_is_waiting_then_configuring_then_running() -> None:
    notes = [item.action for item in planned().steps if isinstance(item.action, Note)]
    moves = [note.data["status"] for note in notes if note.what == "app-server.status"]
    assert moves == ["waiting", "configuring", "running"]


def test_nothing_is_diagnosed_before_there_is_a_release() -> None:
    plan = planned()
    assert plan.steps[plan.diagnose_from - 1].name == "build-packages"


def test_the_hint_names_host_files_and_log() -> None:
    assert planned(base_dir="/srv/liftlock").hint == (
        "On web1, the files are in /srv/liftlock/apps/guestbook/releases/v1-4 and the site's log "
        "in /srv/liftlock/apps/guestbook/run/4/log."
    )
    assert "~/liftlock/apps" in planned().hint


def test_the_hosts_supervisor_starts_the_site() -> None:
    supervised = planned(supervisor=Supervisor.SUPERVISORD, supervisor_options={"config": "s.conf"})
    start = command(supervised, "start")
    assert (start.env["PROGRAM"], start.env["CONFIG"]) == ("liftlock-guestbook-4", "s.conf")
    assert "supervisor.conf" in start.script
    united = command(planned(supervisor=Supervisor.SYSTEMD, sudo=True), "start")
    assert (united.env["SCOPE"], united.env["SUDO"]) == ("system", "sudo -n")
    assert "systemctl" in united.script


def test_a_site_whose_values_may_not_be_kept_is_started_without_a_supervisor() -> None:
    recipe = parse("name: a\nstart: {run: exec serve}\ncheck: {}\n")
    plan = planned(recipe=recipe, supervisor=Supervisor.SUPERVISORD)
    assert "save-values" not in names(plan)
    assert command(plan, "start").secrets == ("SECRET_KEY",)
    assert "launch" in command(plan, "start").script


def test_a_supervisor_that_the_host_lacks_fails_in_the_preflight() -> None:
    recipe = parse("name: a\nstart: {run: x, via: systemd, env_file: true}\ncheck: {}\n")
    found = names(planned(recipe=recipe))
    assert found.index("supervisor") < found.index("record-configuring")
    assert "supervisor" not in names(planned(recipe=recipe, supervisor=Supervisor.SYSTEMD))


def test_the_same_request_gives_the_same_plan() -> None:
    assert planned() == planned()


def test_every_failure_of_every_step_is_in_the_catalogue() -> None:
    for supervisor in Supervisor:
        plan = planned(supervisor=supervisor, participants_created=("tables",))
        probes = [item.action for item in plan.steps if isinstance(item.action, Probe | PortFree)]
        tables = [found.failures.values() for found in commands(plan)]
        codes = {failure.code for failures in tables for failure in failures}
        codes |= {probe.on_failure.code for probe in probes}
        assert codes <= set(CODES)


@pytest.mark.parametrize("name", sorted(path.stem for path in RECIPES.glob("*.yaml")))
@pytest.mark.parametrize("supervisor", list(Supervisor))
def test_the_steps_of_a_shipped_recipe_have_names_of_their_own(
    name: str, supervisor: Supervisor
) -> None:
    recipe = parse((RECIPES / f"{name}.yaml").read_text())
    plan = planned(recipe=recipe, environment={}, supervisor=supervisor)
    found = [item.name for item in (*plan.steps, *plan.on_failure)]
    assert len(found) == len(set(found))


def texts(plan: Plan) -> set[str]:
    return {found.script for found in commands(plan)}


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("repository", ["git", "pypi:"])
def test_a_hostile_value_is_in_no_script_and_no_path(value: str, repository: str) -> None:
    hostile = planned(
        repository=f"{repository}{value}",
        revision=value,
        domain=value,
        environment={"PAGE": f"/{value}", "WORD": value},
    )
    harmless = planned(repository=f"{repository}x", revision="x")
    assert texts(hostile) == texts(harmless)
    paths = {path for found in commands(hostile) for path in (*found.paths.values(), found.cwd)}
    assert not [path for path in paths if set(path) & set(";$`'\"\n ")]


@settings(max_examples=50)
@given(st.text(), st.text(), st.sampled_from(list(Supervisor)))
def test_no_value_ever_changes_a_script(revision: str, word: str, supervisor: Supervisor) -> None:
    hostile = planned(
        revision=revision, environment={"PAGE": "/", "WORD": word}, supervisor=supervisor
    )
    assert texts(hostile) == texts(planned(supervisor=supervisor))
