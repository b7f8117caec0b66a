"""How an extension gets into a release, in real shells: once, and with its stamp last."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from app.domain.extension import PackageSource
from tests.support.extended_host import (
    COPY,
    SITE,
    TAGS,
    ExtendedHost,
    extended_host,
)
from worker.steps import extension
from worker.steps.extension import Patience


@pytest.fixture(params=["dash", "busybox"])
def host(request: pytest.FixtureRequest) -> Iterator[ExtendedHost]:
    with extended_host(request.param) as host:
        yield host


def test_a_release_without_a_stamp_has_no_extension(host: ExtendedHost) -> None:
    assert host.found() == "no"


def test_installing_runs_the_script_of_the_recipe_with_what_it_needs(host: ExtendedHost) -> None:
    ran, _ = host.install(
        'printf "%s|" "$EXTENSION" "$EXTENSION_VERSION" "$EXTENSION_REQUIREMENT" "$APP" "$PAGE" '
        '"$TOKEN" "$(pwd)"'
    )
    assert ran.exit_code == 0, ran.output
    assert f"tags|1.0|Tags==1.0|it's a $HOME|home|s|{host.release}|" in ran.output


def test_an_uploaded_wheel_is_named_by_its_path_on_the_host(host: ExtendedHost) -> None:
    wheel = replace(TAGS, source=PackageSource("Tags", "1.0", wheel="tags-1.0-py3-none-any.whl"))
    ran, _ = host.install('echo "$EXTENSION_REQUIREMENT"', wheel)
    assert f"{host.release}/.liftlock/packages/tags-1.0-py3-none-any.whl\n" in ran.output


def test_the_stamp_is_the_version_on_a_line_and_is_read_back(host: ExtendedHost) -> None:
    ran = host.write_stamp()
    assert ran.exit_code == 0, ran.output
    assert host.stamp.read_text() == "1.0\n"
    assert host.stamp.stat().st_mode & 0o777 == 0o644
    assert host.stamp.parent.stat().st_mode & 0o777 == 0o755
    assert "says 1.0" in ran.output
    assert host.found() == "yes"


@pytest.mark.parametrize("version", ["0.5", "100.0", "1.0.1", "", "1.0\ninstalled_7=yes"])
def test_a_stamp_of_another_version_is_none_and_is_replaced(
    host: ExtendedHost, version: str
) -> None:
    host.write_stamp()
    host.stamp.write_text(version)
    assert host.found() == "no"
    assert host.write_stamp().exit_code == 0
    assert host.stamp.read_text() == "1.0\n"


def test_a_stamp_that_cannot_be_read_is_none(host: ExtendedHost) -> None:
    host.stamp.mkdir(parents=True)
    assert host.found() == "no"


def test_a_forgotten_stamp_is_gone_and_may_be_forgotten_again(host: ExtendedHost) -> None:
    host.write_stamp()
    for _ in range(2):
        assert host.shell.run(extension.forget_stamp(SITE, TAGS)).exit_code == 0
        assert host.found() == "no"


def test_with_the_stamp_of_this_version_nothing_is_copied(host: ExtendedHost) -> None:
    host.write_stamp()
    ran, _ = host.install()
    assert ran.exit_code == 0
    assert "nothing is done" in ran.output
    assert host.log == []


def test_what_was_copied_before_the_job_was_cut_off_is_not_copied_again(host: ExtendedHost) -> None:
    assert [host.install()[0].exit_code for _ in range(2)] == [0, 0]
    assert host.log == ["copied tags 1.0"]
    assert host.found() == "no"


def test_of_several_that_install_together_one_copies_and_all_succeed(host: ExtendedHost) -> None:
    patience = Patience(attempts=100, every=0.05)
    with ThreadPoolExecutor(5) as pool:
        runs = list(
            pool.map(lambda _: host.install(f"sleep 0.1; {COPY}", TAGS, patience), range(5))
        )
    assert [ran.exit_code for ran, _ in runs] == [0] * 5
    assert host.log == ["copied tags 1.0"]


def test_two_different_extensions_do_not_wait_for_each_other(host: ExtendedHost) -> None:
    other = replace(TAGS, name="other", source=PackageSource("Other", "1.0"))
    with host.held():
        ran, _ = host.install(one=other)
    assert ran.exit_code == 0
    assert host.log == ["copied other 1.0"]


def test_a_script_that_fails_fails_the_step_and_leaves_no_mark(host: ExtendedHost) -> None:
    ran, command = host.install("echo broken; false")
    assert command.failures[ran.exit_code].code == "extension-failed"
    assert host.install()[0].exit_code == 0
    assert host.log == ["copied tags 1.0"]


@pytest.mark.parametrize("code", range(90, 99))
def test_no_exit_code_of_a_script_is_taken_for_one_of_the_lock(
    host: ExtendedHost, code: int
) -> None:
    ran, command = host.install(f"exit {code}")
    assert command.failures[ran.exit_code].code == "extension-failed"


def test_the_list_is_written_whole(host: ExtendedHost) -> None:
    listed = [replace(TAGS, settings={"APP": "é'\"\\n$" * 30_000}).listed()]
    assert host.shell.run(extension.keep_list(SITE, listed)).exit_code == 0
    path = host.shell.base / extension.list_path(SITE)
    assert json.loads(path.read_text()) == {"extensions": listed}
    assert host.shell.run(extension.keep_list(SITE, [])).exit_code == 0
    assert json.loads(path.read_text()) == {"extensions": []}
