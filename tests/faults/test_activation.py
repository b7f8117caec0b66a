"""kill -9 at every named point of a job that says who is in service: visitors notice nothing.

Another worker takes over. Afterwards one whole set is in service, and Postgres, the router, the
link `current` and the background parts agree which; a job survives two workers, so most of them
lose two.
"""

import httpx
import pytest

from tests.support.known_router import known_router
from tests.support.visited import make_visited

#: With the first of a file comes its arena, and two app servers.
pytestmark = pytest.mark.timeout(120)

STOP, START = "background-stop-{old}-worker", "background-start-{new}-worker"
SWITCH, RECORD, CURRENT = "router-switch", "record-in-service", "current-{new}"
#: For points that are in no step.
ANY = "router-find"

#: Where one worker after the other dies in an activation.
IN_AN_ACTIVATION = [
    [
        ("locks taken, not claimed", ANY),
        ("claimed", ANY),
        ("result written, not cleaned", SWITCH),
    ],
    [("after the intent", STOP), ("started on the host", START)],
    [("output read, not written", START), ("done on the host, not written", SWITCH)],
    [("output written", START), ("before the end is written", ANY)],
    [
        ("started on the host", SWITCH),
        ("before the intent", RECORD),
        ("locks released, nobody woken", ANY),
    ],
    [
        ("done on the host, not written", RECORD),
        ("started on the host", "drain-{old}"),
        ("end written, locks held", ANY),
    ],
    [("between two steps", CURRENT), ("all steps done, not cleaned", ANY)],
]
#: A job that has lost three is undone; and that loses two.
TO_THE_END = [
    ("started on the host", START),
    ("started on the host", SWITCH),
    ("done on the host, not written", RECORD),
    ("before an undo", ANY),
    ("undo started on the host", ANY),
]
IN_AN_UNDO = [("undo started on the host", ANY), ("undo done, not written", ANY)]
IN_A_DEACTIVATION = [
    ("done on the host, not written", SWITCH),
    ("started on the host", "background-stop-2-worker"),
    ("end written, locks held", ANY),
]
IN_A_TERMINATION = [
    ("started on the host", "background-stop"),
    ("done on the host, not written", "remove"),
    ("end written, locks held", ANY),
]
IN_A_ROUTE = [
    ("started on the host", "router-configure"),
    ("done on the host, not written", SWITCH),
    ("locks released, nobody woken", ANY),
]
#: Where a job has not been claimed, or has ended.
UNCLAIMED = "locks taken, not claimed"
ENDED = {"end written, locks held", "locks released, nobody woken"}


@pytest.fixture(scope="module")
def shop(arena, machine, tmp_path_factory):
    """A site with two app servers that run, 1 and 2."""
    folder = tmp_path_factory.mktemp("caddy")
    with known_router(arena, machine, folder / "known") as router:
        made = make_visited(arena, machine, router, folder)
        assert [made.provision(), made.provision()] == [1, 2]
        made.serve(1)
        yield made


def killed(arena, begin, points, **names):
    """The job, which has lost a worker at each of these points."""
    job = None
    for point, step in points:
        worker = arena.worker(point=point, step=step.format(**names))
        job = job or begin()
        arena.crashed(worker)
        arena.pass_time()
    return job


def carried_out(shop, begin, points, **names):
    """The job as it ended, with another worker behind those that die at the points."""
    job = killed(shop.arena, begin, points, **names)
    with shop.arena.workers():
        ended = shop.arena.finished(job, seconds=30)
        shop.check_nothing_left(ended)
        shop.settled()
    check_once(shop, ended, points)
    return ended


def told(arena, job, kind):
    """The step, or the id, of each event of that type."""
    events = [event["data"] for event in arena.events(job) if event["type"] == kind]
    return [data.get("step") or data.get("name") for data in events]


def check_once(shop, job, points):
    """One end, one result for each step; each worker that claimed it was an attempt."""
    types = shop.arena.types(job)
    assert types[-1] == f"job.{job['status']}"
    assert types.count(types[-1]) == 1
    claims = sum(point != UNCLAIMED for point, _ in points)
    attempts = claims + (points[-1][0] not in ENDED)
    assert types.count("job.started") == job["attempt"] == attempts, types
    done = told(shop.arena, job, "step.succeeded")
    assert len(done) == len(set(done))


def dead(points):
    return ", ".join(point for point, _ in points)


def both(shop):
    """Who serves, and the other one."""
    [old] = shop.active()
    return old, 3 - old


@pytest.mark.parametrize("points", IN_AN_ACTIVATION, ids=dead)
def test_an_activation_loses_its_workers_and_no_visitor(arena, shop, points):
    old, new = both(shop)
    seen = len(shop.diary())
    with shop.visitors() as visitors:
        ended = carried_out(
            shop, lambda: shop.ask("activate", new, watch=0, drain=5), points, old=old, new=new
        )
    assert ended["status"] == "succeeded", ended["error"]
    assert (ended["outcome"], ended["service_state"]) == ("changed", "serving_new")
    shop.check_in_service(new)
    assert shop.diary()[seen:] == [f"stop {old}", f"start {new}"]
    assert told(arena, ended, "app_server.activated") == [f"AppServer {new}"]
    assert told(arena, ended, "app_server.deactivated") == [f"AppServer {old}"]
    visitors.check(old, new)


def test_an_activation_that_loses_too_many_workers_is_undone_whoever_dies_then(arena, shop):
    old, new = both(shop)
    seen = len(shop.diary())
    with shop.visitors() as visitors:
        ended = carried_out(
            shop, lambda: shop.ask("activate", new, watch=0, drain=5), TO_THE_END, old=old, new=new
        )
    assert (ended["status"], ended["error"]["code"]) == ("failed", "worker-lost")
    assert (ended["outcome"], ended["service_state"]) == ("rolled_back", "serving_old")
    shop.check_in_service(old)
    assert shop.diary()[seen:] == [
        *(f"stop {old}", f"start {new}"),
        *(f"stop {new}", f"start {old}"),
    ]
    visitors.check(old, new)


def test_the_way_back_of_a_broken_site_goes_on_when_its_workers_die(arena, shop):
    old, new = both(shop)
    seen, page = len(shop.diary()), shop.release(new) / "smoke"
    away = page.rename(page.with_name("away"))
    with shop.visitors() as visitors:
        ended = carried_out(shop, lambda: shop.ask("activate", new, watch=1, drain=5), IN_AN_UNDO)
    away.rename(page)
    assert (ended["status"], ended["error"]["code"]) == ("failed", "site-broken")
    assert (ended["outcome"], ended["service_state"]) == ("rolled_back", "serving_old")
    shop.check_in_service(old)
    assert shop.diary()[seen:][2:] == [f"stop {new}", f"start {old}"]
    undone = told(arena, ended, "step.undone")
    assert undone[0] == SWITCH
    assert len(undone) == len(set(undone))
    visitors.check(old, new)


def test_a_deactivation_loses_its_workers_and_leaves_the_rest_in_service(arena, shop):
    shop.serve(1, 2)
    seen = len(shop.diary())
    with shop.visitors() as visitors:
        ended = carried_out(shop, lambda: shop.ask("deactivate", 2, drain=5), IN_A_DEACTIVATION)
    assert ended["status"] == "succeeded", ended["error"]
    shop.check_in_service(1)
    assert shop.diary()[seen:] == ["stop 2"]
    assert told(arena, ended, "app_server.deactivated") == ["AppServer 2"]
    visitors.check(1, 2)


def test_a_termination_loses_its_workers_and_leaves_the_others(arena, shop):
    [active], number = shop.active(), shop.provision()
    seen, release = len(shop.diary()), shop.release(number)
    with shop.visitors() as visitors:
        ended = carried_out(shop, lambda: shop.ask("terminate", number), IN_A_TERMINATION)
    assert (ended["status"], ended["outcome"]) == ("succeeded", "changed"), ended["error"]
    shop.check_in_service(active)
    assert shop.diary()[seen:] == [f"stop {number}"]
    assert not release.exists()
    assert not (shop.shared.parent / "run" / str(number)).exists()
    assert shop.machine.processes(f"{release}/") == []
    [row] = arena.sql(
        "SELECT status, cleaned_at FROM app_servers WHERE name = $1", f"AppServer {number}"
    )
    assert row["status"] == "terminated"
    assert row["cleaned_at"]
    visitors.check(active)


def test_a_route_is_repaired_although_its_workers_die(arena, shop):
    [active] = shop.active()
    shop.lose_route()
    ended = carried_out(shop, lambda: shop.arena.request(shop.name, kind="route"), IN_A_ROUTE)
    assert (ended["status"], ended["outcome"]) == ("succeeded", "changed"), ended["error"]
    assert ended["service_state"] == "serving_old"
    shop.check_in_service(active)


def test_a_worker_that_is_told_to_stop_gives_the_rest_of_the_watch_to_the_next(arena, shop):
    old, new = both(shop)
    with shop.visitors() as visitors:
        first = arena.worker()
        job = shop.ask("activate", new, watch=20, drain=5)
        arena.said(job, "after 0 s")
        first.terminate()
        first.join(10)
        assert first.exitcode == 0
        assert arena.job(job)["status"] == "queued"
        # As if it had watched for most of the time.
        arena.sql(
            "UPDATE steps SET started_at = started_at - interval '18 s'"
            " WHERE job_id = $1 AND name = 'watch'",
            job["id"],
        )
        with arena.workers():
            ended = arena.finished(job, seconds=30)
            shop.settled()
    assert (ended["status"], ended["attempt"]) == ("succeeded", 2), ended["error"]
    types = arena.types(job)
    assert "job.recovered" not in types
    # The second does not begin at nothing: it says when it had its first answers.
    rest = arena.events(job)[types.index("job.handed_over") :]
    watched = [event["data"] for event in rest if event["data"].get("step") == "watch"]
    said = "".join(data.get("text", "") for data in watched)
    assert "after 0 s" not in said
    assert "watched for" in said
    # Two are left of the twenty, and some for a slow machine.
    assert watched[-1]["duration_ms"] < 10_000
    shop.check_in_service(new)
    visitors.check(old, new)


@pytest.mark.parametrize("point", ["api: committed, not pushed", "api: pushed"])
def test_a_request_whose_answer_is_lost_makes_one_job_when_it_comes_again(arena, shop, point):
    _, new = both(shop)
    before = len(arena.jobs(shop.name))
    key = {"Idempotency-Key": f"again-{point}".replace(" ", "-")}
    arena.end(arena.forked[0])
    doomed = arena.api_process(point=point)
    with pytest.raises(httpx.TransportError):
        shop.ask("activate", new, headers=key)
    arena.crashed(doomed)
    arena.forked[0] = arena.api_process()
    job = shop.ask("activate", new, headers=key)
    assert shop.ask("activate", new, headers=key)["id"] == job["id"]
    assert len(arena.jobs(shop.name)) == before + 1
    with arena.api as api:
        api.post(f"/v1/jobs/{job['id']}/cancel").raise_for_status()
    assert arena.job(job)["status"] == "canceled"
