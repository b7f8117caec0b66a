"""The predecessor's cases of folders, locks and kills, through whole jobs on a real sshd host."""

from datetime import datetime, timedelta

import pytest

from tests.support import extended_sshd
from tests.support.extended_sshd import HALF, ROOT, TO_MEDIA, close, give, make_hosted
from tests.support.stack import eventually

pytestmark = [pytest.mark.sshd, pytest.mark.timeout(180)]


@pytest.fixture(scope="module")
def arena(postgres_server, template_database, tmp_path_factory):
    folder = tmp_path_factory.mktemp("arena")
    with extended_sshd.extended_arena(postgres_server, template_database, folder) as made:
        yield made


@pytest.fixture(scope="module")
def machine(arena):
    with extended_sshd.user_machine(arena) as made:
        yield made


@pytest.fixture
def shop(arena, machine):
    return make_hosted(arena, machine)


@pytest.fixture(autouse=True)
def _no_worker_is_left(arena):
    yield
    arena.end_workers()


def attempts(arena, job):
    return arena.output(job).count("attempt ")


def lasted(arena, job, step):
    """From the step's start to its failure."""
    began, ended = (
        next(
            datetime.fromisoformat(event["at"])
            for event in arena.events(job)
            if event["type"] == kind and event["data"]["step"] == step
        )
        for kind in ("step.started", "step.failed")
    )
    return ended - began


def check_nothing_of_it_is_there(shop, job):
    """It failed before anything of it was enabled, and the site serves as before."""
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert job["service_state"] == "serving_old"
    assert shop.stamp("blog") is None
    assert list(shop.app.glob("releases/*/.liftlock/extensions/blog.version")) == []
    assert shop.effects("enable") == []
    assert shop.file("enabled") == []
    kept = shop.extension("blog")
    assert (kept["status"], bool(kept["load_error"])) == ("failed", True)
    assert set(shop.served().values()) == {None}
    shop.answers()


def check_installed(shop, version="1.0"):
    assert shop.stamp("blog") == f"{version}\n"
    assert shop.served() == shop.tree(version)
    assert shop.file("enabled") == [f"blog {version}"]
    kept = shop.extension("blog")
    assert (kept["status"], kept["version"]) == ("enabled", version)


def test_a_folder_that_the_copy_may_not_write_is_named_with_the_command_that_repairs_it(
    arena, machine, tmp_path
):
    # Case 5.
    shop = make_hosted(arena, machine, recipe="extended-media")
    media = shop.shared / "media"
    close(media)
    job = shop.done("install", "blog", "1.0", settings={"INSTALL": TO_MEDIA})
    assert job["error"]["code"] == "not-writable"
    said = job["error"]["detail"]
    owner = "root:root" if ROOT else f"{machine.user}:"
    assert f"found:  dr-xr-xr-x {owner}" in said
    assert f"wanted: drwxr-xr-x {machine.user}:" in said
    assert f"sudo chmod -R u+rwX '{media}'" in said
    assert shop.effects("install") == []
    check_nothing_of_it_is_there(shop, job)
    shop.repair(job, tmp_path)
    shop.install("blog", settings={"INSTALL": TO_MEDIA})
    check_installed(shop)
    assert (media / "blog" / "app.js").read_text() == "// blog 1.0"


def test_releases_that_cannot_be_written_are_named_with_the_command_that_repairs_it(shop, tmp_path):
    # Case 5, for the release itself.
    releases = shop.app / "releases"
    close(releases)
    job = shop.done("install", "blog", "1.0")
    assert job["error"]["code"] == "not-writable"
    assert f"found:  dr-xr-xr-x root:root {releases}" in job["error"]["detail"] or not ROOT
    check_nothing_of_it_is_there(shop, job)
    shop.repair(job, tmp_path)
    shop.install("blog")
    check_installed(shop)


def test_a_folder_that_only_the_copy_knows_fails_it_with_the_words_of_the_system(shop):
    # Case 5, in the middle of the copy.
    media = shop.shared / "media"
    close(media)
    job = shop.done("install", "blog", "1.0", settings={"INSTALL": TO_MEDIA})
    assert job["error"]["code"] == "extension-failed"
    assert str(media) in job["error"]["detail"]
    assert "Permission denied" in job["error"]["detail"]
    check_nothing_of_it_is_there(shop, job)
    give(shop.machine, media)
    shop.install("blog", settings={"INSTALL": TO_MEDIA})
    check_installed(shop)


def test_a_lock_that_another_process_holds_is_tried_ten_times_and_then_named(arena, shop):
    # Case 6.
    with shop.held("blog"):
        job = shop.done("install", "blog", "1.0")
    error = job["error"]
    assert error["code"] == "extension-locked"
    assert "There have been 10 attempts" in error["detail"]
    assert str(shop.lock("blog")) in error["detail"]
    assert str(shop.app / "releases" / "v1-2") in error["detail"]
    assert attempts(arena, job) == 10
    assert lasted(arena, job, error["step"]) > timedelta(seconds=9)
    assert shop.effects("install") == []
    check_nothing_of_it_is_there(shop, job)
    shop.install("blog")
    check_installed(shop)


def test_an_older_version_under_a_lock_that_stays_busy_is_never_called_a_success(arena, shop):
    # Case 22.
    shop.install("blog", "0.9")
    before = shop.current.readlink()
    with shop.held("blog"), shop.read_meanwhile("0.9"):
        job = shop.done("install", "blog", "1.0")
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert (job["error"]["code"], job["service_state"]) == ("extension-locked", "serving_old")
    assert "There have been 10 attempts" in job["error"]["detail"]
    assert attempts(arena, job) == 10
    assert shop.effects("install") == ["install blog 0.9"]
    assert shop.current.readlink() == before
    check_installed(shop, "0.9")
    assert "10 attempts" in shop.extension("blog")["load_error"]


def test_a_lock_that_can_never_be_had_is_no_matter_where_the_stamp_says_so_already(arena, shop):
    # Case 23.
    shop.install("blog")
    before, effects = shop.current.readlink(), shop.effects()
    with shop.held("blog"):
        close(shop.lock("blog"))
        close(shop.lock("blog").parent)
        job = shop.install("blog")
    assert (job["outcome"], job["service_state"]) == ("unchanged", "serving_old")
    assert attempts(arena, job) == 0
    done = [one["data"]["step"] for one in arena.events(job) if one["type"] == "step.succeeded"]
    assert done == ["extension-find-2"]
    assert (shop.current.readlink(), shop.effects()) == (before, effects)
    check_installed(shop)


def test_a_stamp_that_cannot_be_written_is_its_own_error_and_the_next_run_installs(
    arena, shop, tmp_path
):
    # Case 24.
    shop.install("blog", "0.9")
    closing = {"ENABLE": 'chmod 555 "$RELEASE_DIR/.liftlock/extensions"'}
    job = shop.done("install", "blog", "1.0", settings=closing)
    folder = shop.app / "releases" / "v1-3" / ".liftlock" / "extensions"
    assert (job["status"], job["outcome"]) == ("failed", "rolled_back"), job
    assert (job["error"]["code"], job["service_state"]) == ("stamp-unwritten", "serving_old")
    said = job["error"]["detail"]
    assert "There have been 10 attempts" in said
    assert str(folder / "blog.version") in said
    assert f"found:  dr-xr-xr-x {shop.machine.user}:" in said
    assert f"wanted: drwxr-xr-x {shop.machine.user}:" in said
    assert not (folder / "blog.version").exists()
    shop.answers()
    check_installed(shop, "0.9")
    shop.repair(job, tmp_path)
    assert folder.stat().st_mode & 0o777 == 0o755
    assert shop.install("blog")["outcome"] == "changed"
    check_installed(shop)


def half_way(shop):
    """A job whose copy stands still, and the pid of that."""
    job = shop.ask("install", "blog", "1.0", settings={"INSTALL": HALF})
    return job, shop.half_copied(1)


def kill_worker(arena):
    worker = arena.forked[-1]
    worker.kill()
    worker.join()
    arena.pass_time()


def begun_again(arena, job):
    eventually(
        lambda: arena.types(job).count("job.started") == 2 or None,
        "the next worker",
        seconds=20,
        explain=arena.logs,
    )


def check_the_rest_is_done(shop, job, *, copies):
    shop.open_gate()
    ended = shop.arena.finished(job, seconds=40)
    assert ended["status"] == "succeeded", ended["error"]
    assert len(shop.effects("half ")) == copies
    assert shop.effects("enable") == ["enable blog 0.9", "enable blog 1.0"]
    check_installed(shop)
    shop.check_nothing_left(ended)


def test_visitors_see_the_old_tree_whole_while_a_copy_is_killed_and_done_again(shop):
    # Case 25: its processes on the host.
    shop.install("blog", "0.9")
    with shop.read_meanwhile("0.9"):
        job, copy = half_way(shop)
        shop.kill_copy(copy)
        shop.half_copied(2)
    check_the_rest_is_done(shop, job, copies=2)


def test_visitors_see_the_old_tree_whole_while_the_worker_of_a_copy_is_killed(arena, shop):
    # Case 25: the worker. The copy lives on, and the next worker finds it.
    shop.install("blog", "0.9")
    with shop.read_meanwhile("0.9"):
        job, _ = half_way(shop)
        kill_worker(arena)
        arena.worker()
        begun_again(arena, job)
    check_the_rest_is_done(shop, job, copies=1)


def test_visitors_see_the_old_tree_whole_while_a_copy_and_its_worker_are_killed(arena, shop):
    # Case 25: both.
    shop.install("blog", "0.9")
    with shop.read_meanwhile("0.9"):
        job, copy = half_way(shop)
        kill_worker(arena)
        shop.kill_copy(copy)
        arena.worker()
        shop.half_copied(2)
    check_the_rest_is_done(shop, job, copies=2)
