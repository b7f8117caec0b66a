"""Behind a real Caddy, an installation loses no request, and a site that breaks is turned back."""

import pytest

from tests.support import extended
from tests.support.extended import make_extended, package
from tests.support.known_router import known_router
from tests.support.visited import Visitors

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", autouse=True)
def _recipe(arena):
    extended.add_recipe(arena)


@pytest.fixture(scope="module")
def router(arena, machine, tmp_path_factory):
    with known_router(arena, machine, tmp_path_factory.mktemp("caddy") / "known") as made:
        yield made


@pytest.fixture
def shop(arena, machine, router, tmp_path):
    """In service behind the router: AppServer 1."""
    domain = f"{tmp_path.name.replace('_', '-')[:40].strip('-')}.localhost"
    made = make_extended(arena, machine, tmp_path, router=router.name, domain=domain)
    package(tmp_path / f"{made.name}-packages", "blog", "1.0")
    with arena.api as api:
        answer = api.post(f"/v1/app-servers/{made.name}:1/activate", json={"watch": 0, "drain": 0})
    with arena.workers():
        assert arena.finished(answer.json(), seconds=40)["status"] == "succeeded"
    return made, Visitors(router.port, domain)


def test_no_visitor_notices_an_installation(shop):
    site, visitors = shop
    with visitors:
        job = site.install("blog", drain=5)
    assert (job["outcome"], job["service_state"]) == ("changed", "serving_new")
    visitors.check(1, 2)
    assert site.stamp("blog") == "1.0\n"


def test_a_site_that_breaks_under_watch_is_turned_back_and_the_extension_disabled(shop):
    site, visitors = shop
    # What is served goes away as soon as it is stamped as checked: the watch is the one to notice.
    breaks = {"ENABLE": '(sleep 2; rm -f "$RELEASE_DIR/number") >/dev/null 2>&1 &'}
    with visitors:
        job = site.done("install", "blog", "1.0", settings=breaks, watch=60, drain=0)
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["service_state"] == "serving_old"
    assert site.file("enabled") == []
    assert site.stamp("blog") is None
    assert site.extension("blog")["status"] == "failed"
