"""Extensions are never half-installed: the acceptance cases of the predecessor, on a real host."""

import pytest

from tests.support import extended
from tests.support.extended import make_extended, package
from tests.support.stack import eventually

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", autouse=True)
def _recipe(arena):
    extended.add_recipe(arena)


@pytest.fixture
def shop(arena, machine, tmp_path):
    """A site that runs, with packages `blog` to install."""
    made = make_extended(arena, machine, tmp_path)
    packages = tmp_path / f"{made.name}-packages"
    package(packages, "blog", "0.5", **{"old.css": "old"})
    package(packages, "blog", "1.0", **{"new.css": "new"})
    package(packages, "blog", "100.0")
    package(packages, "wiki", "1.0")
    return made


def test_without_a_stamp_it_is_installed_and_stamped(shop):
    job = shop.install("blog")
    assert (job["outcome"], job["service_state"]) == ("changed", "serving_new")
    assert shop.stamp("blog") == "1.0\n"
    assert shop.media("blog/app.js") == "// blog 1.0"
    assert shop.file("enabled") == ["blog 1.0"]
    assert shop.extension("blog")["status"] == "enabled"


def test_an_older_stamp_is_replaced_and_what_only_the_old_one_had_is_gone(shop):
    shop.install("blog", "0.5")
    assert shop.media("blog/old.css") == "old"
    shop.install("blog", "1.0")
    assert shop.stamp("blog") == "1.0\n"
    assert (shop.media("blog/old.css"), shop.media("blog/new.css")) == (None, "new")


def test_a_newer_stamp_is_replaced_too(shop):
    shop.install("blog", "100.0")
    shop.install("blog", "1.0")
    assert shop.stamp("blog") == "1.0\n"
    assert shop.media("blog/app.js") == "// blog 1.0"


def test_the_same_version_is_left_as_it_is(shop):
    shop.install("blog")
    before, effects = shop.current.readlink(), shop.effects()
    job = shop.install("blog")
    assert (job["outcome"], job["service_state"]) == ("unchanged", "serving_old")
    assert shop.current.readlink() == before
    assert shop.effects() == effects


def test_the_same_version_by_force_is_installed_again(shop):
    shop.install("blog")
    before = shop.current.readlink()
    assert shop.install("blog", force=True)["outcome"] == "changed"
    assert shop.current.readlink() != before
    assert len(shop.effects("install")) == 2


def test_a_stamp_that_was_taken_away_counts_as_none(shop):
    shop.install("blog")
    (shop.current / ".liftlock" / "extensions" / "blog.version").unlink()
    assert shop.install("blog")["outcome"] == "changed"
    assert shop.stamp("blog") == "1.0\n"


def test_of_twenty_equal_requests_one_does_the_work(arena, shop):
    jobs = [shop.ask("install", "blog", "1.0") for _ in range(20)]
    with arena.workers(2):
        ended = [arena.finished(job, seconds=90) for job in jobs]
    assert {job["status"] for job in ended} == {"succeeded"}
    outcomes = [job["outcome"] for job in ended]
    assert (outcomes.count("changed"), outcomes.count("unchanged")) == (1, 19)
    assert shop.effects("install") == ["install blog 1.0"]


def test_two_different_extensions_asked_for_at_once_are_both_installed(arena, shop):
    jobs = [shop.ask("install", name, "1.0") for name in ("blog", "wiki")]
    with arena.workers(2):
        ended = [arena.finished(job, seconds=60) for job in jobs]
    assert [job["status"] for job in ended] == ["succeeded", "succeeded"]
    assert (shop.stamp("blog"), shop.stamp("wiki")) == ("1.0\n", "1.0\n")
    assert shop.file("enabled") == ["blog 1.0", "wiki 1.0"]
    assert shop.media("blog/app.js") == "// blog 1.0"
    assert shop.media("wiki/app.js") == "// wiki 1.0"


def test_one_whose_enabling_raises_is_disabled_again_and_the_site_is_untouched(shop):
    before = shop.current.readlink()
    raises = "python3 -c 'raise RuntimeError(\"no such table\")'"
    job = shop.done("install", "blog", "1.0", settings={"ENABLE": raises})
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back")
    assert (job["error"]["code"], job["service_state"]) == ("extension-failed", "serving_old")
    assert shop.file("enabled") == []
    assert shop.current.readlink() == before
    assert shop.stamp("blog") is None
    shop.answers()
    kept = shop.extension("blog")
    assert kept["status"] == "failed"
    message, empty, first, *_, last = kept["load_error"].splitlines()
    assert (empty, first) == ("", "Traceback (most recent call last):")
    assert "blog 1.0" in message
    assert last == "RuntimeError: no such table"
    # Nothing of it is there, so it can only be forgotten.
    assert shop.done("uninstall", "blog")["outcome"] == "unchanged"
    with shop.arena.api as api:
        assert api.get(f"/v1/instances/{shop.name}/extensions/blog").status_code == 404


def test_every_script_of_the_way_back_runs_though_one_of_them_fails(shop):
    wrong = {"ENABLE": "false", "DISABLE": "false"}
    job = shop.done("install", "blog", "1.0", settings=wrong)
    assert (job["status"], job["outcome"]) == ("failed", "rollback_failed")
    assert shop.effects("disable") == ["disable blog 1.0", "disabled blog 1.0"]
    assert shop.extension("blog")["status"] == "failed"
    shop.answers()


def test_the_version_before_is_restored_when_the_new_one_cannot_be_enabled(shop):
    shop.install("blog", "0.5")
    job = shop.done("install", "blog", "1.0", settings={"ENABLE": "false"})
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back")
    assert shop.file("enabled") == ["blog 0.5"]
    assert shop.stamp("blog") == "0.5\n"
    kept = shop.extension("blog")
    assert (kept["status"], kept["version"]) == ("enabled", "0.5")
    assert "1.0" in kept["load_error"]
    assert shop.media("blog/old.css") == "old"


def test_disabled_enabled_and_uninstalled(shop):
    shop.install("blog")
    assert shop.done("disable", "blog")["status"] == "succeeded"
    assert (shop.file("enabled"), shop.extension("blog")["status"]) == ([], "disabled")
    assert shop.done("disable", "blog")["outcome"] == "unchanged"
    assert shop.done("enable", "blog")["status"] == "succeeded"
    assert shop.file("enabled") == ["blog 1.0"]
    assert shop.done("uninstall", "blog")["status"] == "succeeded"
    assert (shop.stamp("blog"), shop.media("blog/app.js")) == (None, None)
    assert shop.effects()[-3:] == ["disable blog 1.0", "disabled blog 1.0", "uninstall blog 1.0"]
    with shop.arena.api as api:
        assert api.get(f"/v1/instances/{shop.name}/extensions/blog").status_code == 404


def test_dependents_are_disabled_first_and_requirements_enabled_first(shop):
    shop.install("blog")
    shop.install("wiki", requires=["blog"])
    shop.done("disable", "blog")
    assert shop.effects("disable ") == ["disable wiki 1.0", "disable blog 1.0"]
    shop.done("enable", "wiki")
    assert shop.file("enabled") == ["blog 1.0", "wiki 1.0"]


def test_one_that_cannot_start_gives_the_port_back_to_one_that_answers(shop):
    slow = {"ENABLE": 'rm -f "$RELEASE_DIR/number"'}
    job = shop.done("install", "blog", "1.0", settings=slow)
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["error"]["code"] == "check-failed"
    assert job["service_state"] == "serving_old"
    shop.answers()


def test_another_extension_that_waits_is_left_alone_by_supersede(shop):
    first, second = shop.ask("install", "blog", "1.0"), shop.ask("install", "wiki", "1.0")
    third = shop.ask("install", "wiki", "1.0", on_conflict="supersede")
    with shop.arena.workers():
        ended = [shop.arena.finished(job, seconds=60)["status"] for job in (first, second, third)]
    assert ended == ["succeeded", "superseded", "succeeded"]


def test_a_provision_that_was_asked_for_before_has_what_was_installed_since(arena, shop):
    job = shop.ask("install", "blog", "1.0")
    later = shop.request()
    with arena.workers():
        assert arena.finished(job, seconds=40)["status"] == "succeeded"
        assert arena.finished(later, seconds=40)["status"] == "succeeded"
    assert shop.media("blog/app.js") == "// blog 1.0"


def test_a_new_app_server_of_the_instance_has_its_extensions(arena, shop):
    shop.install("blog")
    with arena.workers():
        job = arena.finished(shop.request(), seconds=40)
    assert job["status"] == "succeeded", job["error"]
    assert shop.media("blog/app.js") == "// blog 1.0"
    assert shop.file("enabled") == ["blog 1.0"]


def test_a_file_that_goes_missing_while_it_serves_is_told_of_once_and_the_site_stays_up(
    arena, shop
):
    shop.install("blog")
    file = shop.current / "static" / "blog" / "new.css"
    kept = file.read_text()
    file.unlink()
    assert shop.media("blog/new.css") is None
    shop.answers()
    arena.sql("UPDATE instances SET extensions_seen_at = NULL WHERE name = $1", shop.name)
    with arena.workers() as [worker]:
        on = eventually(lambda: on_host(shop, "degraded"), "the look", seconds=30)
        first = arena.finished(eventually(lambda: newest_look(arena, shop), "its job", seconds=30))
    assert (first["outcome"], first["service_state"]) == ("unchanged", "serving_old")
    assert shop.extension("blog")["status"] == "enabled"
    assert on["error"]["code"] == "media-incomplete"
    assert "missing: blog/new.css" in on["error"]["detail"]
    assert arena.log_of(worker).count("extension.degraded") == 1
    told = "SELECT count(*) FROM events JOIN jobs ON jobs.id = job_id WHERE type = $1"
    told += " AND jobs.params ->> 'instance' = $2"
    assert arena.sql(told, "extension.degraded", shop.name)[0][0] == 1
    shop.answers()

    file.write_text(kept)
    arena.sql("UPDATE instances SET extensions_seen_at = NULL WHERE name = $1", shop.name)
    with arena.workers():
        on = eventually(lambda: on_host(shop, "installed"), "the look", seconds=30)
    assert on["error"] is None
    assert arena.sql(told, "extension.recovered", shop.name)[0][0] == 1
    assert arena.sql(told, "extension.degraded", shop.name)[0][0] == 1


def on_host(shop, status):
    """What is known of the extension on its only host, once that is so."""
    [one] = shop.extension("blog")["hosts"]
    return one if one["status"] == status else None


def newest_look(arena, shop):
    with arena.api as api:
        found = api.get("/v1/jobs", params={"kind": "inspect", "instance": shop.name}).json()
    return next(iter(found["items"]), None)
