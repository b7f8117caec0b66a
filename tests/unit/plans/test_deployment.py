"""An app server as plans see it."""

import pytest

from app.domain.asset_release import AssetPlace
from app.domain.recipe import parse
from tests.support.activations import server
from tests.support.provisions import command, planned


@pytest.mark.parametrize(
    ("address", "upstream"), [("10.0.0.5", "10.0.0.5:20001"), ("fd00::5", "[fd00::5]:20001")]
)
def test_a_router_is_told_address_and_port(address: str, upstream: str) -> None:
    assert server(1, address=address).upstream == upstream


def test_scripts_are_told_to_listen_where_the_router_looks() -> None:
    assert server(1, address="10.0.0.5").surroundings.env["BIND"] == "10.0.0.5"


def test_the_commit_is_known_once_it_was_found() -> None:
    assert server(1).surroundings.env["COMMIT"] == "abc"
    assert "COMMIT" not in server(1, commit="").surroundings.env


def test_scripts_of_a_later_job_see_the_url_of_the_released_files() -> None:
    recipe = parse("name: a\nstatic: {path: p, publish: true}\nstart: {run: x}\ncheck: {}\n")
    place = AssetPlace("s3://bucket", "https://cdn.example.org/")
    one = server(1, recipe=recipe, asset_place=place)
    assert one.surroundings.env["ASSETS_URL"] == "https://cdn.example.org/shop/"


def test_a_provision_starts_no_background_part() -> None:
    recipe = parse("""
name: a
start: {run: x}
check: {}
background: {start: [{name: b, run: start worker}], stop: [{name: b, run: stop worker}]}
""")
    plan = planned(recipe=recipe)
    assert not [item.name for item in plan.steps if "background" in item.name]
    assert command(plan, "start").script.find("worker") == -1


def test_a_step_names_no_host_when_it_is_the_jobs_own() -> None:
    assert (server(1).at("web1"), server(1).at("web2")) == ("", "web1")
