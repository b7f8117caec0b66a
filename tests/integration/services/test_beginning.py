"""When a job's turn has come: what it finds is kept; what it was asked for still makes sense."""

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus
from app.services.claiming import Blocked, Ended
from app.services.facts import ProvisionFacts, RouteFacts
from tests.support import deployments, factories
from tests.support.deployments import active_numbers, ask, claim, job_of, jobs_of, serve, succeed


@pytest.fixture
async def site(db):
    return await deployments.add_routed_site(db)


@pytest.fixture
async def activation(db, queue, vault, site):
    """Of app server 2, while app server 1 serves."""
    await serve(db, queue, vault)
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    return (await jobs_of(db, JobKind.ACTIVATE))[-1]


async def _ask(db, queue, vault, kind, **values):
    view = await factories.request(db, queue, vault, kind=kind, instance=None, **values)
    return view.job


async def _refused(db, job):
    with pytest.raises(Ended) as ended:
        await claim(db, job)
    return await job_of(db, job.id), ended.value.rivals


async def test_an_activation_finds_the_set_that_serves_and_two_versions(db, activation):
    before = await deployments.instance_row(db)
    work = (await claim(db, activation)).work
    [old, new] = await deployments.app_servers(db)
    assert work.facts == RouteFacts((old.id,), route_version=before.route_version + 1)
    assert [one.app_server.id for one in work.targets] == [new.id]
    assert [one.app_server.id for one in work.before] == [old.id]
    assert (work.routed.router.name, work.routed.host.name) == ("front", "alpha")


async def test_what_an_activation_found_is_the_same_for_its_next_attempt(db, activation):
    first = await claim(db, activation)
    await deployments.note_switch(db, first)
    await services.claiming.hand_over(db, first.job)
    again = (await claim(db, activation)).work
    assert again.facts == first.work.facts
    assert [one.app_server.number for one in again.before] == [1]


async def test_what_came_between_the_look_and_the_claim_is_seen(db, queue, vault, activation):
    work = await services.work.look(db, activation.id)
    await deployments.execute(db, "UPDATE app_servers SET is_active = false")
    await deployments.execute(db, "UPDATE instances SET domain = 'shop.example.org'")
    names = [f"instance:{activation.instance_id}"]
    taken = await services.claiming.claim(db, work, attempt=1, worker="w", lock_names=names)
    assert (taken.work.before, taken.work.facts.before) == ((), ())
    assert taken.work.instance.domain == "shop.example.org"


async def test_before_its_claim_an_activation_shows_what_it_would_find(db, activation):
    work = await services.work.look(db, activation.id)
    assert [one.app_server.number for one in work.before] == [1]
    assert len(work.facts.before) == 1


async def test_a_route_job_brings_the_version_that_is_wanted_already(db, queue, vault, site):
    await deployments.execute(db, "UPDATE instances SET route_version = 7")
    view = await factories.request(db, queue, vault, kind=JobKind.ROUTE)
    work = (await claim(db, view.job)).work
    assert (work.facts, work.targets) == (RouteFacts((), route_version=7), ())


async def test_a_provision_sees_who_serves(db, queue, vault, site):
    await serve(db, queue, vault)
    [job] = await ask(db, queue, vault)
    work = (await claim(db, job)).work
    assert isinstance(work.facts, ProvisionFacts)
    assert [one.app_server.number for one in work.before] == [1]


async def test_a_termination_freezes_nothing(db, queue, vault, site):
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    [app_server] = await deployments.app_servers(db)
    ended = await _ask(db, queue, vault, JobKind.TERMINATE, app_server=str(app_server.id))
    taken = await claim(db, ended)
    assert (taken.job.facts, taken.work.facts) == ({}, None)
    assert [one.app_server.id for one in taken.work.targets] == [app_server.id]


async def test_ways_to_hosts_behind_others_are_found(db, queue, vault, site, activation):
    near = await factories.add_host(db, name="near")
    far = await factories.add_host(db, name="far", jump_host_id=near.id)
    await deployments.execute(db, "UPDATE hosts SET jump_host_id = $1 WHERE name = 'alpha'", far.id)
    work = await services.work.look(db, activation.id)
    ways = [work, *work.targets, *work.before, work.routed]
    assert [[host.name for host in way.jumps] for way in ways] == [["far", "near"]] * 4


async def test_an_app_server_that_failed_meanwhile_is_not_put_into_service(db, activation):
    await deployments.execute(db, "UPDATE app_servers SET status = 'terminated' WHERE number = 2")
    job, _ = await _refused(db, activation)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "app-server-unhealthy")
    assert await active_numbers(db) == [1]


async def test_an_activation_that_a_newer_one_overtook_is_superseded(db, queue, vault, activation):
    [newer] = await ask(db, queue, vault)
    await deployments.execute(db, "UPDATE instances SET activated_sequence = $1", newer.sequence)
    job, rivals = await _refused(db, activation)
    assert (job.status, job.error["code"]) == (JobStatus.SUPERSEDED, "newer-request")
    assert rivals == [(newer.id, 1)]
    *_, skipped, last = await factories.events(db, activation.id)
    assert (skipped.type, last.type) == (EventType.ACTIVATION_SKIPPED, EventType.JOB_SUPERSEDED)
    assert skipped.data == {"app_servers": job.params["app_servers"], "newer": str(newer.id)}


async def test_a_person_may_go_back_to_an_older_app_server(db, queue, vault, activation):
    await deployments.switch(db, activation)
    [old, _] = await deployments.app_servers(db)
    back = await _ask(db, queue, vault, JobKind.ACTIVATE, app_servers=(str(old.id),))
    await deployments.switch(db, back)
    assert await active_numbers(db) == [1]
    assert (await deployments.instance_row(db)).activated_sequence == back.sequence


async def test_an_app_server_that_went_into_service_is_not_terminated(db, queue, vault, activation):
    [_, new] = await deployments.app_servers(db)
    ended = await _ask(db, queue, vault, JobKind.TERMINATE, app_server=str(new.id))
    await deployments.switch(db, activation)
    job, _ = await _refused(db, ended)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "app-server-active")


async def test_what_the_router_may_still_pass_requests_on_to_is_not_terminated(
    db, queue, vault, activation
):
    taken = await claim(db, activation)
    await deployments.note_switch(db, taken)
    await services.ending.settle(db, taken.job, status=JobStatus.SUCCEEDED)
    [old, _] = await deployments.app_servers(db)
    ended = await _ask(db, queue, vault, JobKind.TERMINATE, app_server=str(old.id))
    await deployments.execute(db, "UPDATE instances SET route_version = route_applied + 1")
    job, _ = await _refused(db, ended)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "app-server-active")
    assert job.error["detail"].endswith("Nothing was stopped.")


async def test_an_activation_that_has_begun_is_never_refused(db, activation):
    first = await claim(db, activation)
    await services.claiming.hand_over(db, first.job)
    await deployments.execute(db, "UPDATE instances SET activated_sequence = 10000")
    assert (await claim(db, activation)).job.attempt == 2


async def test_who_has_the_site_says_which_app_servers_it_puts_into_service(
    db, queue, vault, activation
):
    await claim(db, activation)
    [job] = await ask(db, queue, vault)
    with pytest.raises(Blocked) as refused:
        await claim(db, job)
    assert refused.value.blocked_by[0]["why"].endswith("of shop: AppServer 2")
    lock = await services.locks.get(db, "instance:shop")
    assert lock.holder.why.endswith("of shop: AppServer 2")


async def _router_elsewhere(db):
    edge = await factories.add_host(db, name="edge-1")
    await deployments.execute(db, "UPDATE routers SET host_id = $1", edge.id)


async def test_a_router_that_cannot_reach_the_new_set_is_not_told_of_it(db, activation):
    await _router_elsewhere(db)
    job, _ = await _refused(db, activation)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "router-cannot-reach")
    assert job.error["detail"].endswith("cannot reach it there. Nothing was switched.")
    assert await active_numbers(db) == [1]


async def test_a_router_that_was_locked_by_hand_meanwhile_is_not_told_anything(db, activation):
    await _router_elsewhere(db)
    await services.locks.place(db, on="host:edge-1", message="Not now.", actor="ann")
    job, _ = await _refused(db, activation)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "manual-lock")
    assert "host edge-1" in job.error["detail"]
