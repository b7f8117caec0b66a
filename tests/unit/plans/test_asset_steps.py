"""The steps of an asset release in the plan of a provision."""

import pytest

from app.domain.asset_release import AssetPlace
from app.domain.recipe import parse
from tests.support.provisions import SERVER, command, names, planned, request, step
from worker.plans.plan import Plan
from worker.steps.assets import PlaceManifest, ReleaseAssets, VerifyAssets
from worker.steps.step import OnCancel

PLACE = AssetPlace("s3://assets", "https://static.example.org/")
RELEASED = parse("""
name: released
settings:
  ASSETS: {type: bool}
static:
  collect: make static
  path: public
  publish_setting: ASSETS
  compilers: [{match: "*.less", run: "lessc {in} {out}", extension: .css}]
start: {run: exec serve}
check: {path: /}
""")


def released(**changes: object) -> Plan:
    values = {"recipe": RELEASED, "environment": {"ASSETS": "1"}, "asset_place": PLACE}
    return planned(**{**values, **changes})


def test_static_files_are_compiled_published_and_verified_before_the_site_is_started() -> None:
    found = names(released())
    wanted = [
        "static-collect",
        "static-there",
        "static-compile",
        "assets-release",
        "assets-manifest",
        "assets-verify",
    ]
    begin = found.index("static-collect")
    assert found[begin : begin + len(wanted)] == wanted
    assert found.index("assets-verify") < found.index("start")


def test_a_release_knows_its_tree_its_place_and_where_the_site_reads_the_manifest() -> None:
    plan, place = released(), PLACE.of("guestbook")
    site = request(recipe=RELEASED).site
    assert step(plan, "assets-release").action == ReleaseAssets(
        f"{site.release_dir}/public", site.release_dir, RELEASED.static, place, 4, SERVER
    )
    manifest = f"{site.release_dir}/public/staticfiles.json"
    assert step(plan, "assets-manifest").action == PlaceManifest(
        place, 4, SERVER, manifest, site.release_dir
    )
    assert step(plan, "assets-verify").action == VerifyAssets(place, 4, SERVER)


def test_what_is_published_is_not_taken_back() -> None:
    steps = [item for item in released().steps if item.name.startswith("assets-")]
    assert [(item.undo, item.on_cancel) for item in steps] == [(None, OnCancel.INTERRUPT)] * 3


def test_scripts_see_where_browsers_find_the_release() -> None:
    found = command(released(), "static-collect").env
    assert found["ASSETS_URL"] == "https://static.example.org/guestbook/"


@pytest.mark.parametrize("environment", [{"ASSETS": "0"}, {}])
def test_a_setting_switches_the_release_off(environment: dict[str, str]) -> None:
    plan = released(environment=environment)
    assert "assets-release" not in names(plan)
    assert "ASSETS_URL" not in command(plan, "static-collect").env


def test_a_worker_without_a_place_fails_a_release_before_anything_else() -> None:
    found = names(released(asset_place=None))
    assert found[:2] == ["record-waiting", "assets-configured"]
    assert "assets-release" not in found


def test_a_worker_without_a_place_does_everything_that_needs_none() -> None:
    assert "assets-configured" not in names(planned())
