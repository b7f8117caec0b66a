"""The plan of an inspection: every extension is looked at, and what was found is kept once."""

from dataclasses import replace
from uuid import UUID

from app.domain.extension import Extension, PackageSource
from app.domain.recipe import parse
from worker.plans import inspect
from worker.plans.deployment import Deployment
from worker.plans.inspect import InspectRequest
from worker.plans.plan import Plan
from worker.steps.step import Command, Note

RECIPE = """
name: site
extension:
  install: [{name: package, run: pip install}]
  media: {folders: echo media, target: static}
start: {run: exec serve}
check: {}
"""


def extension(name: str, *, enabled: bool = True) -> Extension:
    return Extension(name, "1.0", PackageSource(name, "1.0"), enabled=enabled)


ONE = Deployment(
    id=UUID(int=1),
    number=1,
    name="AppServer 1",
    instance="shop",
    revision="main",
    recipe=parse(RECIPE),
    environment={},
    port=20000,
    host_name="web-1",
    extensions=(extension("blog"), extension("wiki"), extension("old", enabled=False)),
)
TWO = replace(ONE, id=UUID(int=2), number=2, name="AppServer 2", host_name="web-2")


def planned(*serving: Deployment) -> Plan:
    return inspect.plan(InspectRequest(serving=serving, own_host="web-1"))


def test_what_is_enabled_is_looked_at_wherever_it_serves() -> None:
    found = [(step.name, step.at) for step in planned(ONE, TWO).steps]
    assert found == [
        ("extension-look-blog-1", ""),
        ("extension-look-wiki-1", ""),
        ("extension-look-blog-2", "web-2"),
        ("extension-look-wiki-2", "web-2"),
        ("record-extensions-seen", ""),
    ]


def test_no_look_changes_anything_or_stands_in_the_way_of_the_next() -> None:
    looks = [step for step in planned(ONE).steps if isinstance(step.action, Command)]
    assert [step.finds for step in looks] == ["seen_1_blog_unseen", "seen_1_wiki_unseen"]
    # Nor does a host that is away.
    assert all(step.dispensable for step in looks)
    assert not any(step.undo for step in planned(ONE).steps)


def test_each_look_reports_facts_of_its_own() -> None:
    reports = [
        name
        for step in planned(ONE, TWO).steps
        if isinstance(step.action, Command)
        for name in step.action.reports
    ]
    assert len(reports) == len(set(reports)) == 12


def test_what_was_found_is_kept_with_where_it_was_looked_for() -> None:
    action = planned(ONE).steps[-1].action
    assert isinstance(action, Note)
    wanted = {"app_server": str(UUID(int=1)), "number": 1, "version": "1.0"}
    assert action.data == {"seen": [{**wanted, "name": name} for name in ("blog", "wiki")]}


def test_a_site_without_extensions_needs_no_step() -> None:
    assert planned(replace(ONE, extensions=())).steps == ()
    section = RECIPE.replace("extension:", "settings: {}\nnothing:").partition("nothing:")
    plain = section[0] + "start: {run: exec serve}\ncheck: {}\n"
    assert planned(replace(ONE, recipe=parse(plain))).steps == ()


def test_a_recipe_without_media_has_its_stamps_looked_at() -> None:
    recipe = parse(RECIPE.replace("  media: {folders: echo media, target: static}\n", ""))
    [look, *_] = planned(replace(ONE, recipe=recipe)).steps
    assert isinstance(look.action, Command)
    assert "sha256sum" not in look.action.script
    assert look.action.paths["LL_STAMP"].endswith("/blog.version")
