from datetime import timedelta

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus, WaitPolicy
from app.errors import Conflict, Invalid, PlanNotReady
from app.gateways.queue import JobQueue
from tests.support import factories


async def test_a_requested_job_is_queued_with_its_app_server_and_first_events(db, queue, vault):
    host, _ = await factories.add_site(db)
    view = await factories.request(db, queue, vault)
    assert view.job.status is JobStatus.QUEUED
    assert (view.instance_name, view.host_name) == ("shop", "alpha")
    assert view.app_server.status is AppServerStatus.NEW
    assert view.app_server.port == host.port_first
    assert view.app_server.release == "apps/shop/releases/main-1"
    assert await factories.event_types(db, view.job.id) == [
        EventType.JOB_QUEUED,
        EventType.APP_SERVER_CREATED,
    ]


async def test_a_job_is_kept_while_redis_is_away(db, queue, vault, tmp_path):
    await factories.add_site(db)
    nowhere = JobQueue.connect(f"unix://{tmp_path}/none")
    view = await factories.request(db, nowhere, vault)
    found = await services.jobs.get(db, view.job.id)
    assert found.job.status is JobStatus.QUEUED
    at_once = WaitPolicy(push_again_after=timedelta())
    assert await services.recovery.dispatch(db, queue, policy=at_once) == 1
    await nowhere.close()


async def test_a_worker_that_cannot_reach_redis_leaves_the_pushing_to_others(
    db, queue, vault, tmp_path
):
    await factories.add_site(db)
    await factories.request(db, queue, vault)
    nowhere = JobQueue.connect(f"unix://{tmp_path}/none")
    at_once = WaitPolicy(push_again_after=timedelta())
    assert await services.recovery.dispatch(db, nowhere, policy=at_once) == 0
    assert await services.recovery.dispatch(db, queue, policy=at_once) == 1
    await nowhere.close()


async def test_however_many_wait_each_is_pushed_in_its_turn(db, queue, vault, monkeypatch):
    await factories.add_site(db)
    jobs = [(await factories.request(db, queue, vault)).job.id for _ in range(5)]
    pushed = []

    async def push(job_id, _):
        pushed.append(job_id)

    monkeypatch.setattr(services.recovery, "_BATCH", 2)
    monkeypatch.setattr(queue, "push", push)
    at_once = WaitPolicy(push_again_after=timedelta())
    for _ in range(3):
        await services.recovery.dispatch(db, queue, policy=at_once)
    assert set(pushed) == set(jobs)


async def test_ports_go_round_so_that_a_bad_one_is_not_tried_again_at_once(db, queue, vault):
    await factories.add_site(db, port_first=4000, port_last=4002, next_port=4002)
    ports = [(await factories.request(db, queue, vault)).app_server.port for _ in range(3)]
    assert ports == [4002, 4000, 4001]


async def test_a_host_without_a_free_port_is_a_conflict_and_leaves_nothing(db, queue, vault):
    await factories.add_site(db, port_first=4000, port_last=4000, next_port=4000)
    await factories.request(db, queue, vault)
    with pytest.raises(Conflict, match="no free port in 4000-4000"):
        await factories.request(db, queue, vault)
    assert len(await services.jobs.list_page(db, after=None, limit=10)) == 1


async def test_a_dry_run_makes_no_app_server(db, queue, vault):
    await factories.add_site(db)
    view = await factories.request(db, queue, vault, dry_run=True)
    assert view.app_server is None


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({"instance": "nobody"}, "/instance"),
        ({"instance": None}, "/instance"),
        ({"host": "nowhere"}, "/host"),
    ],
)
async def test_an_unknown_name_is_refused_with_its_place(db, queue, vault, values, pointer):
    await factories.add_site(db)
    with pytest.raises(Invalid) as refused:
        await factories.request(db, queue, vault, **values)
    assert [error.pointer for error in refused.value.errors] == [pointer]
    assert await services.jobs.list_page(db, after=None, limit=10) == []


async def test_an_instance_without_a_host_needs_one_in_the_request(db, queue, vault):
    await factories.add_instance(db)
    with pytest.raises(Invalid, match="no host, pool or provider"):
        await factories.request(db, queue, vault)


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ({"host_key": None}, "host-key-missing"),
        ({"status": HostStatus.CORDONED}, "host-closed"),
        ({"status": HostStatus.QUARANTINED}, "host-closed"),
    ],
)
async def test_a_host_that_cannot_take_work_is_a_conflict(db, queue, vault, host, code):
    await factories.add_site(db, **host)
    with pytest.raises(Conflict) as refused:
        await factories.request(db, queue, vault)
    assert refused.value.code == code


async def test_a_required_secret_that_is_not_set_is_named(db, queue, vault):
    source = factories.MINIMAL_RECIPE + "secrets:\n  API_KEY:\n    required: true\n"
    host = await factories.add_host(db)
    await factories.add_instance(db, recipe=await factories.add_recipe(db, source), host=host)
    with pytest.raises(Conflict, match="lacks the secret\\(s\\) API_KEY"):
        await factories.request(db, queue, vault)


async def test_a_generated_secret_is_made_once_and_never_stored_in_plain_text(db, queue, vault):
    source = factories.MINIMAL_RECIPE + "secrets:\n  SECRET_KEY:\n    generate: 40\n"
    host = await factories.add_host(db)
    recipe = await factories.add_recipe(db, source)
    instance = await factories.add_instance(db, recipe=recipe, host=host)
    values = []
    for _ in range(2):
        await factories.request(db, queue, vault)
        async with db.transaction() as session:
            values.append(await services.secrets.reveal(session, vault, instance))
            [row] = await store.instances.list_secrets(session, instance.id)
    assert values[0] == values[1]
    assert len(values[0]["SECRET_KEY"]) == 40
    assert values[0]["SECRET_KEY"].encode() not in row.ciphertext


async def test_a_plan_is_not_ready_until_a_worker_made_it(db, queue, vault):
    await factories.add_site(db)
    view = await factories.request(db, queue, vault)
    with pytest.raises(PlanNotReady):
        await services.jobs.plan(db, view.job.id)
    await services.execution.keep_plan(db, view.job.id, [{"name": "x"}], attempt=1)
    assert await services.jobs.plan(db, view.job.id) == [{"name": "x"}]


async def test_an_enroll_job_needs_only_a_host(db, queue, vault):
    await factories.add_host(db, host_key=None)
    view = await factories.request(
        db, queue, vault, kind=JobKind.ENROLL, instance=None, host="alpha"
    )
    assert view.host_name == "alpha"
    assert view.app_server is None
