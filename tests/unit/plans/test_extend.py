"""The plan of a change of extensions: beside what serves, switched at once, stamped last."""

from dataclasses import replace
from uuid import UUID

import pytest

from app.domain.extension import Extension, PackageSource, disable, install, uninstall
from app.domain.job import JobKind
from app.domain.recipe import parse
from worker.plans import extend
from worker.plans.building import Building
from worker.plans.extend import ExtendRequest, Successor
from worker.steps.step import Command, Note, Step

RECIPE = parse("""
name: site
build: [{name: environment, run: make}]
extension:
  install: [{name: package, run: pip install}]
  media: {folders: echo media, target: static}
  enable: [{name: tables, run: migrate}]
  disable: [{name: rest, run: "true"}]
  uninstall: [{name: tables, run: drop}]
background:
  start: [{name: worker, run: start}]
  stop: [{name: worker, run: stop}]
start: {run: exec serve}
check: {}
""")
OLD = Building(
    id=UUID(int=1),
    number=1,
    name="AppServer 1",
    instance="shop",
    revision="main",
    commit="1f3c",
    recipe=RECIPE,
    environment={},
    port=20000,
    host_name="web-1",
    repository="https://git.example.org/shop.git",
)


def extension(name: str = "blog", version: str = "1.0", *, enabled: bool = True) -> Extension:
    return Extension(name, version, PackageSource(name, version), enabled=enabled)


def request(*, have: tuple[Extension, ...] = (), port: int = 20000) -> ExtendRequest:
    change = install(have, extension())
    old = replace(OLD, extensions=have)
    new = replace(
        OLD, id=UUID(int=2), number=2, name="AppServer 2", port=port, extensions=change.after
    )
    return ExtendRequest(
        kind=JobKind.INSTALL,
        subject=extension(),
        change=change,
        have=have,
        pairs=(Successor(new=new, old=old),),
        in_service=True,
        own_host="web-1",
        route_version=1,
        watch=0,
    )


def steps(wanted: ExtendRequest) -> dict[str, Step]:
    found = extend.plan(wanted).steps
    assert len({step.name for step in found}) == len(found)
    return {step.name: step for step in found}


def order(wanted: ExtendRequest, *names: str) -> list[str]:
    return [name for name in steps(wanted) if name in names]


def test_everything_is_built_before_what_serves_is_touched() -> None:
    wanted = ("extension-media-blog-2", "extension-enable-blog-tables", "stop-1", "start-2")
    assert order(request(), *wanted) == list(wanted)


def test_the_stamp_is_the_last_thing_on_the_host() -> None:
    names = list(steps(request()))
    assert names[-2:] == ["extension-stamp-blog-2", "record-extensions"]


def test_the_exact_commit_is_taken_not_what_the_branch_is_now() -> None:
    fetch = steps(request())["fetch-2"].action
    assert isinstance(fetch, Command)
    assert fetch.env["REVISION"] == "1f3c"


def test_one_that_takes_over_a_port_starts_behind_the_other_and_gives_it_back() -> None:
    found = steps(request())
    assert found["stop-1"].undo == OLD.service.start
    names = list(found)
    # Undone behind the start: what is taken back has to answer again.
    assert names.index("keep-1") < names.index("stop-1")
    assert found["keep-1"].undo == OLD.check
    assert names.index("stop-1") < names.index("port-free-2") < names.index("start-2")


def test_one_with_a_port_of_its_own_starts_beside_the_other() -> None:
    found = steps(request(port=20001))
    assert "stop-1" not in found
    names = list(found)
    assert names.index("start-2") < names.index("background-stop-1-worker")


def test_a_failed_enabling_is_taken_back_script_by_script() -> None:
    enabled = steps(request())["extension-enable-blog-tables"]
    assert isinstance(enabled.undo, Command)


def test_the_version_before_is_enabled_again_when_the_new_one_fails() -> None:
    found = steps(request(have=(extension(version="0.5"),)))
    kept = found["extension-keep-blog"].undo
    assert isinstance(kept, Command)
    assert kept.env["EXTENSION_VERSION"] == "0.5"
    assert kept.cwd == OLD.site.release_dir


def test_what_runs_is_recorded_and_failed_when_it_is_taken_back() -> None:
    running = steps(request())["record-running"]
    ids = [str(UUID(int=2))]
    assert running.action == Note("app-servers.status", {"ids": ids, "status": "running"})
    assert running.undo == Note("app-servers.status", {"ids": ids, "status": "failed"})


@pytest.mark.parametrize("by_stamp", [True, False])
def test_stamps_are_looked_at_first_where_they_may_say_that_all_is_done(*, by_stamp: bool) -> None:
    found = list(steps(replace(request(), by_stamp=by_stamp)).values())
    assert found[0].name == ("extension-find-1" if by_stamp else "reach-2")
    assert all(step.unless == (("installed_1",) if by_stamp else ()) for step in found[1:])


def test_dependents_are_disabled_first_and_a_removal_comes_behind() -> None:
    shop = Extension("shop", "1", PackageSource("shop", "1"), requires=("blog",))
    have = (extension(), shop)
    wanted = replace(request(have=have), kind=JobKind.UNINSTALL, change=uninstall(have, "blog"))
    found = ("extension-disable-shop-rest", "extension-disable-blog-rest")
    assert order(wanted, *found, "extension-uninstall-blog-tables", "stop-1") == [
        *found,
        "stop-1",
        "extension-uninstall-blog-tables",
    ]
    assert list(steps(wanted))[-2:] == ["extension-uninstall-blog-tables", "record-extensions"]


def test_what_is_as_it_was_asked_for_needs_no_step() -> None:
    have = (extension(enabled=False),)
    nothing = replace(request(have=have), kind=JobKind.DISABLE, change=disable(have, "blog"))
    assert extend.plan(replace(nothing, pairs=())).steps == ()
