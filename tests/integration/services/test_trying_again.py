"""Where the next attempt of a failed provision goes, and what is told when there is none."""

from uuid import UUID

import pytest

from app import services
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus
from tests.support import deployments, factories
from tests.support.deployments import ask, fail, job_of, jobs_of, succeed

NETWORK = factories.MINIMAL_RECIPE + "data: network\n"


@pytest.fixture
async def pool(db):
    """Two hosts; `alpha` comes first."""
    return {
        name: await factories.add_host(db, name=name, pool="web", **values)
        for name, values in {"alpha": {}, "beta": {"capacity": 1}}.items()
    }


async def add_instance(db, recipe=NETWORK, **values):
    row = await factories.add_recipe(db, recipe)
    return await factories.add_instance(db, recipe=row, **{"pool": "web", **values})


async def hosts_of(db):
    """Names of the hosts of all provisions, oldest first."""
    found = await services.jobs.list_page(db, after=None, limit=50, kind=JobKind.PROVISION)
    return [view.host_name for view in reversed(found)]


async def given_up(db, job):
    return [
        event.data
        for event in await factories.events(db, job.id)
        if event.type == EventType.JOB_GIVEN_UP
    ]


async def next_of(db, job):
    return await job_of(db, UUID((await job_of(db, job.id)).params["next"]))


@pytest.mark.parametrize("code", ["host-unreachable", "disk-full", "host-key-changed"])
async def test_what_the_host_brought_about_is_tried_on_another(db, queue, vault, pool, code):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    [(next_id, _)] = await fail(db, job, code)
    assert await hosts_of(db) == ["alpha", "beta"]
    again = await job_of(db, next_id)
    [_, app_server] = await deployments.app_servers(db)
    assert (again.host_id, app_server.host_id) == (pool["beta"].id, pool["beta"].id)
    await succeed(db, again)
    assert (await services.hosts.get(db, "beta")).host.status is HostStatus.READY


async def test_what_a_recipe_brought_about_is_tried_where_it_was(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "step-failed")
    assert await hosts_of(db) == ["alpha", "alpha"]


@pytest.mark.parametrize(
    "beta",
    [
        {"status": HostStatus.CORDONED},
        {"pool": "other"},
        {"host_key": None},
        {"port_first": 20000, "port_last": 20000, "places": 1, "labels": {"x": "y"}, "pool": None},
    ],
)
async def test_where_the_pool_has_no_other_place_the_same_host_is_tried(
    db, queue, vault, pool, beta
):
    await factories.change(db, pool["beta"], **beta)
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "alpha"]


async def test_data_in_files_of_one_host_is_tried_there(db, queue, vault, pool):
    instance = await add_instance(db, factories.MINIMAL_RECIPE)
    await factories.change(db, instance, prepared_host_id=pool["alpha"].id)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "alpha"]


async def test_data_that_is_in_no_files_yet_may_go_elsewhere(db, queue, vault, pool):
    await add_instance(db, factories.MINIMAL_RECIPE)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "beta"]


async def test_a_host_that_the_router_cannot_reach_is_no_other_place(db, queue, vault, pool):
    await factories.change(db, pool["alpha"], site_address="10.0.0.7")
    edge = await factories.add_host(db, name="edge")
    router = await factories.add_router(db, edge)
    await add_instance(db, router_id=router.id, domain="shop.example")
    await factories.change(db, pool["beta"], status=HostStatus.CORDONED)
    [job] = await ask(db, queue, vault, activate=True)
    await factories.change(db, pool["beta"], status=HostStatus.READY)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "alpha"]


async def test_a_host_that_was_named_is_tried_again_itself(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, host="alpha", attempts=2)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "alpha"]


async def test_a_host_that_was_closed_meanwhile_is_left(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await factories.change(db, pool["alpha"], status=HostStatus.CORDONED)
    await fail(db, job, "step-failed")
    assert await hosts_of(db) == ["alpha", "beta"]


async def test_a_host_that_has_left_the_pool_is_tried_again_where_there_is_no_other(
    db, queue, vault, pool
):
    await factories.change(db, pool["beta"], pool=None)
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await factories.change(db, pool["alpha"], pool="other")
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "alpha"]


async def test_of_several_others_one_is_taken_that_the_router_reaches(db, queue, vault, pool):
    await factories.add_host(db, name="gamma", pool="web", site_address="10.0.0.9", capacity=1)
    await factories.change(db, pool["alpha"], site_address="10.0.0.7")
    edge = await factories.add_host(db, name="edge")
    router = await factories.add_router(db, edge)
    await factories.change(db, pool["beta"], status=HostStatus.CORDONED)
    await add_instance(db, router_id=router.id, domain="shop.example")
    [job] = await ask(db, queue, vault, activate=True)
    await factories.change(db, pool["beta"], status=HostStatus.READY)
    await fail(db, job, "host-unreachable")
    assert await hosts_of(db) == ["alpha", "gamma"]


async def test_the_last_attempt_says_that_it_was(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job)
    assert await given_up(db, job) == []
    last = await next_of(db, job)
    await fail(db, last)
    told = {"attempt": 2, "of": 2, "why": "That was the last attempt."}
    assert await given_up(db, last) == [told]
    assert (await job_of(db, last.id)).params["given_up"] == told["why"]


async def test_an_end_that_another_attempt_would_not_change_says_so(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=3)
    await fail(db, job, "secret-missing")
    why = "Another attempt would not change that (secret-missing)."
    assert await given_up(db, job) == [{"attempt": 1, "of": 3, "why": why}]


async def test_without_a_place_it_says_why(db, queue, vault, pool):
    await factories.change(db, pool["beta"], places=1, host_key=None)
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "host-key-changed")
    why = "Host alpha is quarantined. Others of pool web: beta is not enrolled."
    assert await given_up(db, job) == [{"attempt": 1, "of": 2, "why": why}]
    types = await factories.event_types(db, job.id)
    assert types[-3:] == [
        EventType.HOST_QUARANTINED,
        EventType.JOB_GIVEN_UP,
        EventType.JOB_FAILED,
    ]


async def test_a_job_that_was_told_to_stop_says_so(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    taken = await deployments.claim(db, job)
    await services.commands.cancel(db, queue, job.id, actor="ann")
    error = {"code": "step-failed"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    told = {"attempt": 1, "of": 2, "why": "It was told to stop."}
    assert await given_up(db, job) == [told]


async def test_one_attempt_that_was_wanted_alone_says_nothing_more(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault)
    await fail(db, job)
    assert await given_up(db, job) == []


async def test_a_job_that_was_canceled_says_nothing_more(db, queue, vault, pool):
    await add_instance(db)
    [job] = await ask(db, queue, vault, attempts=2)
    await fail(db, job, "canceled", JobStatus.CANCELED)
    assert await given_up(db, job) == []


async def _half(db, queue, vault):
    """A request for two of which one failed for good, and its repetition by hand."""
    await add_instance(db, target_count=2)
    first, second = await ask(db, queue, vault, activate=True, attempts=1)
    await succeed(db, first)
    await fail(db, second)

    async def repeat():
        view = await services.commands.retry(
            db, queue, vault, second.id, actor="ann", request_id="r"
        )
        return view.job

    return first, repeat


async def test_a_part_that_is_repeated_by_hand_is_as_new_as_its_own_request(db, queue, vault, pool):
    first, repeat = await _half(db, queue, vault)
    # Another request was made after the first, and went into service.
    await deployments.execute(
        db, "UPDATE instances SET activated_sequence = $1", first.sequence + 1
    )
    repeated = await repeat()
    await succeed(db, repeated)
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    assert activation.params["sequence"] == repeated.sequence
    assert activation.params["deployment"] == str(first.id)
    assert len(activation.params["app_servers"]) == 2


async def test_an_attempt_that_follows_by_itself_is_as_old_as_what_it_repeats(
    db, queue, vault, pool
):
    await add_instance(db)
    [job] = await ask(db, queue, vault, activate=True)
    await fail(db, job)
    await succeed(db, await next_of(db, job))
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    assert activation.params["sequence"] == job.sequence


async def test_an_attempt_that_follows_a_repeated_part_is_as_old_as_that(db, queue, vault, pool):
    await add_instance(db, target_count=2)
    first, second = await ask(db, queue, vault, activate=True, attempts=2)
    await succeed(db, first)
    await fail(db, second)
    await fail(db, await next_of(db, second))
    view = await services.commands.retry(db, queue, vault, second.id, actor="ann", request_id="r")
    await fail(db, view.job)
    await succeed(db, await next_of(db, view.job))
    [activation] = await jobs_of(db, JobKind.ACTIVATE)
    assert activation.params["sequence"] == view.job.sequence


async def test_a_repeated_part_that_is_late_is_not_put_over_a_newer_request(db, queue, vault, pool):
    _, repeat = await _half(db, queue, vault)
    repeated = await repeat()
    await deployments.execute(
        db, "UPDATE instances SET activated_sequence = $1", repeated.sequence + 1
    )
    await succeed(db, repeated)
    assert await jobs_of(db, JobKind.ACTIVATE) == []
    assert EventType.ACTIVATION_SKIPPED in await factories.event_types(db, repeated.id)
