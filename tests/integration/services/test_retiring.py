"""Asking for an app server to go out of service, or away; and for a router to be told anew."""

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.host import HostStatus
from app.domain.job import JobKind, JobStatus, OnConflict
from app.errors import AlreadyWaiting, Conflict, Invalid
from app.services import retiring, routing
from app.services.job_request import Terms
from tests.support import deployments, factories, worked

BOTH = pytest.mark.parametrize("kind", [JobKind.DEACTIVATE, JobKind.TERMINATE])
RETENTION = Terms("liftlock:retention")


@pytest.fixture
async def site(db):
    return await factories.add_site(db)


@pytest.fixture
def ask(db, queue, vault):
    async def ask(kind, app_server=None, **values):
        return await factories.request(db, queue, vault, kind=kind, app_server=app_server, **values)

    return ask


async def add(db, site, **values):
    host, instance = site
    return await factories.add_app_server(db, instance, host, **values)


async def test_what_is_in_service_can_be_taken_out(db, site, ask):
    row = await add(db, site, is_active=True)
    view = await ask(JobKind.DEACTIVATE, "shop:1", drain=2.5)
    params = {"instance": "shop", "names": ["AppServer 1"], "app_server": str(row.id)}
    assert view.job.params == {**params, "drain": 2.5}
    assert view.app_servers == ((row.id, "AppServer 1"),)


async def test_what_is_not_in_service_cannot_be_taken_out(db, site, ask):
    await add(db, site)
    with pytest.raises(Conflict, match="is not in service") as refused:
        await ask(JobKind.DEACTIVATE, "shop:1")
    assert refused.value.code == "conflict"


async def test_what_is_in_service_cannot_be_terminated(db, site, ask):
    row = await add(db, site, is_active=True)
    with pytest.raises(Conflict, match="is in service and cannot be terminated") as refused:
        await ask(JobKind.TERMINATE, "shop:1")
    assert refused.value.code == "app-server-active"
    assert refused.value.hint.endswith(f"liftlock app-servers deactivate {row.id}")


async def test_what_a_router_that_is_behind_may_pass_requests_on_to_cannot_be_terminated(
    db, queue, vault, ask
):
    """The way back was noted, and nobody told the router of it."""
    await deployments.add_routed_site(db)
    await deployments.serve(db, queue, vault)
    [job] = await deployments.ask(db, queue, vault, activate=True)
    await deployments.succeed(db, job)
    taken = await deployments.claim(db, (await deployments.jobs_of(db, JobKind.ACTIVATE))[-1])
    await deployments.note_switch(db, taken)
    await deployments.note_way_back(db, taken)
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED)
    with pytest.raises(Conflict, match="may still pass requests on to AppServer 2") as refused:
        await ask(JobKind.TERMINATE, "shop:2")
    assert refused.value.code == "app-server-active"
    assert "liftlock routers sync front" in refused.value.hint
    assert (await ask(JobKind.TERMINATE, "shop:2", gone=True, reason="it burned down")).job
    await deployments.execute(db, "UPDATE instances SET route_applied = route_version")
    assert (await ask(JobKind.TERMINATE, "shop:2")).job.status is JobStatus.QUEUED


async def test_nor_one_whose_activation_failed_before_it_was_noted(db, queue, vault, ask):
    """Its router may have been switched all the same."""
    await deployments.add_routed_site(db)
    await deployments.serve(db, queue, vault)
    [job] = await deployments.ask(db, queue, vault, activate=True)
    await deployments.succeed(db, job)
    taken = await deployments.claim(db, (await deployments.jobs_of(db, JobKind.ACTIVATE))[-1])
    await services.activation.want_route(db, taken.job, taken.work.facts.route_version)
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED)
    with pytest.raises(Conflict, match="may still pass requests on to AppServer 2"):
        await ask(JobKind.TERMINATE, "shop:2")


async def test_what_no_router_was_ever_told_of_can_be_terminated_while_one_is_behind(db, ask):
    host, instance = await deployments.add_routed_site(db)
    await factories.add_app_server(db, instance, host)
    await deployments.execute(db, "UPDATE instances SET route_version = 7")
    assert (await ask(JobKind.TERMINATE, "shop:1")).job.status is JobStatus.QUEUED


@pytest.mark.parametrize(
    "status",
    [
        AppServerStatus.RUNNING,
        AppServerStatus.FAILED,
        AppServerStatus.ERROR,
        AppServerStatus.TERMINATED,
    ],
)
async def test_what_is_not_in_service_can_be_terminated_in_any_state(db, site, ask, status):
    row = await add(db, site, status=status)
    view = await ask(JobKind.TERMINATE, "shop:1")
    params = {"instance": "shop", "names": ["AppServer 1"], "app_server": str(row.id)}
    assert view.job.params == params


async def test_it_can_be_asked_for_twice(db, site, ask):
    await add(db, site, status=AppServerStatus.TERMINATED)
    first, second = [await ask(JobKind.TERMINATE, "shop:1") for _ in range(2)]
    assert first.job.id != second.job.id
    assert second.job.status is JobStatus.QUEUED


@pytest.mark.parametrize("has_begun", [False, True])
async def test_what_is_still_made_cannot_be_terminated(db, queue, vault, site, ask, has_begun):
    made = (await factories.request(db, queue, vault)).job
    if has_begun:
        await worked.claim(db, str(made.id))
    with pytest.raises(Conflict, match=f"job {made.id}, which makes it, has not ended"):
        await ask(JobKind.TERMINATE, "shop:1")


async def test_what_could_not_be_made_can_be_terminated(db, queue, vault, site, ask):
    made = (await factories.request(db, queue, vault)).job
    await services.commands.cancel(db, queue, made.id, actor="ann")
    assert (await ask(JobKind.TERMINATE, "shop:1")).job.status is JobStatus.QUEUED


@BOTH
@pytest.mark.parametrize("ref", [None, "shop:7", "shop"])
async def test_what_is_not_there_is_refused_with_its_place(db, site, ask, kind, ref):
    with pytest.raises(Invalid) as refused:
        await ask(kind, ref)
    assert [field.pointer for field in refused.value.errors] == ["/app_server"]


@BOTH
async def test_a_closed_host_takes_the_job(db, site, ask, kind):
    await add(db, site, is_active=kind is JobKind.DEACTIVATE)
    await factories.change(db, site[0], status=HostStatus.QUARANTINED)
    assert (await ask(kind, "shop:1")).job.status is JobStatus.QUEUED


async def test_only_what_is_about_the_same_app_server_is_in_the_way(db, site, ask):
    for _ in range(2):
        await add(db, site)
    first = await ask(JobKind.TERMINATE, "shop:1")
    await ask(JobKind.TERMINATE, "shop:2", on_conflict=OnConflict.REJECT)
    await ask(JobKind.TERMINATE, "shop:2", on_conflict=OnConflict.SUPERSEDE)
    same = await ask(JobKind.TERMINATE, "shop:1", on_conflict=OnConflict.RETURN)
    assert same.job.id == first.job.id
    with pytest.raises(AlreadyWaiting):
        await ask(JobKind.TERMINATE, "shop:1", on_conflict=OnConflict.REJECT)


@BOTH
async def test_it_can_be_repeated(db, queue, vault, site, ask, kind):
    await add(db, site, is_active=kind is JobKind.DEACTIVATE)
    first = await ask(kind, "shop:1")
    await services.commands.cancel(db, queue, first.job.id, actor="ann")
    again = await services.commands.retry(
        db, queue, vault, first.job.id, actor="ann", request_id="r"
    )
    assert (again.job.params, again.job.retry_of) == (first.job.params, first.job.id)


async def test_nobody_has_to_ask_by_hand(db, site):
    row = await add(db, site)
    async with db.transaction() as session:
        made = await retiring.make(
            session, JobKind.TERMINATE, instance=site[1], app_server=row, terms=RETENTION
        )
    view = await services.jobs.get(db, made.id)
    assert (view.job.actor, view.app_servers) == ("liftlock:retention", ((row.id, row.name),))


async def test_a_router_is_told_anew(db, site, ask):
    _, instance = site
    edge = await factories.add_host(db, name="edge-1")
    router = await factories.add_router(db, edge)
    await factories.change(db, instance, router_id=router.id)
    view = await ask(JobKind.ROUTE)
    assert (view.job.host_id, view.job.params) == (edge.id, {"instance": "shop"})
    assert view.job.recipe_id == instance.recipe_id
    assert (await ask(JobKind.ROUTE, on_conflict=OnConflict.RETURN)).job.id == view.job.id


async def test_an_instance_without_a_router_has_none_to_tell(db, site, ask):
    with pytest.raises(Invalid, match="has no router") as refused:
        await ask(JobKind.ROUTE)
    assert [field.pointer for field in refused.value.errors] == ["/instance"]


async def test_a_router_of_before_forgets_the_instance(db, site, ask):
    host, instance = site
    router = await factories.add_router(db, host)
    await factories.change(db, instance, router_id=router.id)
    async with db.transaction() as session:
        made = await routing.make(
            session, instance=instance, router=router, terms=RETENTION, forget=True
        )
    told = await ask(JobKind.ROUTE, on_conflict=OnConflict.SUPERSEDE)
    async with db.transaction() as session:
        kept = await store.jobs.get(session, made.id)
    assert kept.params == {"instance": "shop", "router": str(router.id), "forget": True}
    assert (kept.status, told.job.status) == (JobStatus.QUEUED, JobStatus.QUEUED)


async def _left(db, queue, site):
    """A job by which the router of before was to forget the instance, and which was canceled."""
    host, instance = site
    router = await factories.add_router(db, host)
    async with db.transaction() as session:
        made = await routing.make(
            session, instance=instance, router=router, terms=RETENTION, forget=True
        )
    await services.commands.cancel(db, queue, made.id, actor="ann")
    return router, made


async def test_what_a_router_did_not_forget_it_is_told_to_forget_again(db, queue, vault, site):
    router, made = await _left(db, queue, site)
    again = await services.commands.retry(db, queue, vault, made.id, actor="ann", request_id="r")
    assert again.job.params == {"instance": "shop", "router": str(router.id), "forget": True}
    assert again.job.host_id == router.host_id


async def test_a_router_that_the_instance_has_again_is_not_told_to_forget_it(
    db, queue, vault, site
):
    router, made = await _left(db, queue, site)
    await factories.change(db, site[1], router_id=router.id)
    again = await services.commands.retry(db, queue, vault, made.id, actor="ann", request_id="r")
    assert again.job.params == {"instance": "shop"}


async def test_a_router_that_is_gone_forgets_nothing_more(db, queue, vault, site):
    router, made = await _left(db, queue, site)
    await services.routers.delete(db, router.name, expected=None)
    with pytest.raises(Conflict, match="is gone"):
        await services.commands.retry(db, queue, vault, made.id, actor="ann", request_id="r")


async def test_one_that_could_not_be_confirmed_gone_says_so_until_it_serves_again(
    db, queue, vault, site, ask
):
    row = await add(db, site)
    taken = await worked.claim(db, str((await ask(JobKind.TERMINATE, "shop:1")).job.id))
    error = {"code": "unconfirmed-gone", "title": "Nobody can tell"}
    await services.ending.settle(db, taken, status=JobStatus.FAILED, error=error)
    found = (await services.app_servers.get(db, "shop:1")).app_server
    assert (found.status, found.error) == (AppServerStatus.RUNNING, error)
    async with db.transaction() as session:
        await store.routes.activate(session, row.instance_id, [row.id])
    assert (await services.app_servers.get(db, "shop:1")).app_server.error is None


async def test_why_one_failed_is_told_also_when_it_cannot_be_confirmed_gone(db, site, ask):
    await add(db, site, status=AppServerStatus.FAILED, error={"code": "step-failed"})
    taken = await worked.claim(db, str((await ask(JobKind.TERMINATE, "shop:1")).job.id))
    error = {"code": "unconfirmed-gone"}
    await services.ending.settle(db, taken, status=JobStatus.FAILED, error=error)
    found = (await services.app_servers.get(db, "shop:1")).app_server
    assert found.error == {"code": "step-failed"}


async def test_a_host_is_not_ready_since_one_there_was_taken_out_of_service(db, site, ask):
    await factories.change(db, site[0], status=HostStatus.UNREACHABLE)
    await add(db, site, is_active=True)
    taken = await worked.claim(db, str((await ask(JobKind.DEACTIVATE, "shop:1")).job.id))
    await services.ending.settle(db, taken, status=JobStatus.SUCCEEDED)
    found = (await services.hosts.get(db, site[0].name)).host
    assert found.status is HostStatus.UNREACHABLE
