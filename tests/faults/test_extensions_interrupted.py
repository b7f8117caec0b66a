"""kill -9 in the middle of an installation: what serves stays whole, the next worker ends it."""

import pytest

from tests.support import extended
from tests.support.extended import make_extended, package

pytestmark = pytest.mark.timeout(120)

INSTALL, ENABLE = "extension-install-blog-package-2", "extension-enable-blog-enable"
MEDIA, STAMP = "extension-media-blog-2", "extension-stamp-blog-2"

#: Where one worker after the other dies.
POINTS = [
    [("before the intent", "record-made"), ("started on the host", INSTALL)],
    [("done on the host, not written", INSTALL), ("started on the host", MEDIA)],
    [("done on the host, not written", ENABLE), ("started on the host", "stop-1")],
    [("done on the host, not written", "stop-1"), ("started on the host", "start-2")],
    [("done on the host, not written", STAMP), ("before the intent", "record-extensions")],
]
#: Three are too many: the job is undone, also what was behind the switch.
TO_THE_END = [
    ("started on the host", ENABLE),
    ("started on the host", "start-2"),
    ("done on the host, not written", STAMP),
]


@pytest.fixture(scope="module", autouse=True)
def _recipe(arena):
    extended.add_recipe(arena)


@pytest.fixture
def shop(arena, machine, tmp_path):
    made = make_extended(arena, machine, tmp_path)
    package(tmp_path / f"{made.name}-packages", "blog", "1.0")
    return made


def killed(shop, points):
    """The installation, which has lost a worker at each of these points."""
    job = None
    for point, step in points:
        worker = shop.arena.worker(point=point, step=step)
        job = job or shop.ask("install", "blog", "1.0")
        shop.arena.crashed(worker)
        shop.arena.pass_time()
    return job


@pytest.mark.parametrize(
    "points", POINTS, ids=lambda some: ", ".join(" ".join(one) for one in some)
)
def test_the_next_worker_goes_on_where_the_last_one_was(arena, shop, points):
    job = killed(shop, points)
    with arena.workers():
        ended = arena.finished(job, seconds=60)
    assert ended["status"] == "succeeded", ended["error"]
    assert shop.stamp("blog") == "1.0\n"
    assert shop.media("blog/app.js") == "// blog 1.0"
    assert shop.effects("install") == ["install blog 1.0"]
    assert shop.effects("enable") == ["enable blog 1.0"]
    shop.check_nothing_left(ended)


@pytest.mark.parametrize("step", ["current-3", "extension-uninstall-blog-uninstall"])
def test_a_removal_that_loses_its_worker_late_goes_on_with_what_it_found_first(arena, shop, step):
    shop.install("blog")
    worker = arena.worker(point="done on the host, not written", step=step)
    job = shop.ask("uninstall", "blog")
    arena.crashed(worker)
    arena.pass_time()
    with arena.workers():
        ended = arena.finished(job, seconds=60)
    assert ended["status"] == "succeeded", ended["error"]
    assert (shop.stamp("blog"), shop.file("enabled")) == (None, [])
    shop.answers()


def test_what_served_serves_on_while_nobody_works(shop):
    before = shop.current.readlink()
    killed(shop, [("started on the host", INSTALL)])
    assert shop.current.readlink() == before
    assert shop.stamp("blog") is None
    shop.answers()


def test_one_that_loses_every_worker_is_taken_back_whole(arena, shop):
    before = shop.current.readlink()
    job = killed(shop, TO_THE_END)
    with arena.workers():
        ended = arena.finished(job, seconds=60)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "worker-lost")
    assert (ended["outcome"], ended["service_state"]) == ("rolled_back", "serving_old")
    assert shop.current.readlink() == before
    assert (shop.stamp("blog"), shop.file("enabled")) == (None, [])
    assert shop.extension("blog")["status"] == "failed"
    shop.answers()
    assert shop.install("blog")["outcome"] == "changed"
    assert shop.stamp("blog") == "1.0\n"
