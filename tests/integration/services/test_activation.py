"""What jobs note about the set in service and about the router, and what that changes."""

import json

import pytest

from app import services, store
from app.domain.app_server import AppServerStatus
from app.domain.event import EventType
from app.domain.extension import ExtensionStatus
from app.domain.job import JobKind, JobStatus
from tests.support import deployments, factories
from tests.support.deployments import (
    active_numbers,
    ask,
    claim,
    execute,
    jobs_of,
    note_switch,
    note_way_back,
    succeed,
)


@pytest.fixture
async def site(db):
    return await deployments.add_routed_site(db)


@pytest.fixture
async def taken(db, queue, vault, site):
    """The activation of app server 2, while app server 1 serves."""
    await deployments.serve(db, queue, vault)
    [job] = await ask(db, queue, vault, activate=True)
    await succeed(db, job)
    return await claim(db, (await jobs_of(db, JobKind.ACTIVATE))[-1])


async def _types(db, job):
    found = await factories.event_types(db, job.id)
    return [kind for kind in found if kind.startswith(("app_server.", "route."))]


async def test_a_switch_puts_the_new_set_on_and_the_old_one_off(db, taken):
    await note_switch(db, taken)
    old, new = await deployments.app_servers(db)
    assert (old.is_active, new.is_active) == (False, True)
    assert old.deactivated_at == new.activated_at
    assert await _types(db, taken.job) == [
        EventType.APP_SERVER_DEACTIVATED,
        EventType.APP_SERVER_ACTIVATED,
        EventType.ROUTE_APPLIED,
    ]


async def test_an_extension_that_was_uninstalled_is_known_again_once_a_release_with_it_serves(
    db, site, taken
):
    """And what is known of those that are still there stays."""
    one = {"version": "1.0", "enabled": True, "settings": {}, "requires": []}
    documents = [
        {**one, "name": name, "source": {"package": name, "version": "1.0"}}
        for name in ("gone", "kept")
    ]
    with_them = "UPDATE app_servers SET extensions = $1::jsonb WHERE number = 2"
    await execute(db, with_them.replace("$1", f"'{json.dumps(documents)}'"))
    async with db.transaction() as session:
        await store.extensions.put(
            session,
            taken.job.instance_id,
            name="kept",
            source=documents[1]["source"],
            version="2.0",
            settings={},
            requires=(),
            status=ExtensionStatus.DISABLED,
            job_id=taken.job.id,
        )
    for _ in range(2):
        await note_switch(db, taken)
    found = await services.extensions.list_page(db, "shop", after=None, limit=10)
    told = [(one.extension.name, one.extension.version, one.extension.status) for one in found]
    assert told == [("gone", "1.0", "enabled"), ("kept", "2.0", "disabled")]


async def test_a_switch_that_is_noted_again_changes_nothing(db, taken):
    await note_switch(db, taken)
    before = await deployments.app_servers(db), await factories.event_types(db, taken.job.id)
    await note_switch(db, taken)
    assert (
        await deployments.app_servers(db),
        await factories.event_types(db, taken.job.id),
    ) == before


async def test_a_switch_notes_which_version_the_router_has(db, taken):
    await note_switch(db, taken)
    instance, version = await deployments.instance_row(db), taken.work.facts.route_version
    assert (instance.route_version, instance.route_applied) == (version, version)


async def test_the_event_of_a_route_names_the_router_and_where_requests_go(db, taken):
    await note_switch(db, taken)
    [told] = [
        event.data
        for event in await factories.events(db, taken.job.id)
        if event.type == EventType.ROUTE_APPLIED
    ]
    [_, new] = await deployments.app_servers(db)
    assert told == {
        "router": "front",
        "route_version": taken.work.facts.route_version,
        "upstreams": [f"127.0.0.1:{new.port}"],
    }


async def test_the_way_back_puts_the_old_set_on_again(db, taken):
    await note_switch(db, taken)
    before = (await deployments.app_servers(db))[0].activated_at
    await note_way_back(db, taken)
    assert await active_numbers(db) == [1]
    assert (await deployments.app_servers(db))[0].activated_at == before


async def test_the_way_back_counts_as_done_only_when_the_router_was_asked(db, taken):
    await note_switch(db, taken)
    await note_way_back(db, taken)
    instance, version = await deployments.instance_row(db), taken.work.facts.route_version
    assert (instance.route_version, instance.route_applied) == (version + 1, version)


async def test_the_way_back_is_noted_while_the_job_is_canceled(db, queue, taken):
    await note_switch(db, taken)
    await services.commands.cancel(db, queue, taken.job.id, actor="me")
    await note_way_back(db, taken)
    assert await active_numbers(db) == [1]


async def test_the_next_job_has_a_version_above_that_of_the_way_back(db, queue, vault, taken):
    await note_switch(db, taken)
    await note_way_back(db, taken)
    error = {"code": "site-broken"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    [_, new] = await deployments.app_servers(db)
    view = await factories.request(
        db, queue, vault, kind=JobKind.ACTIVATE, instance=None, app_servers=(str(new.id),)
    )
    later = await claim(db, view.job)
    assert later.work.facts.route_version == taken.work.facts.route_version + 2


async def test_a_switch_that_was_taken_back_is_not_the_newest_request(db, taken):
    before = (await deployments.instance_row(db)).activated_sequence
    await note_switch(db, taken)
    await note_way_back(db, taken)
    error = {"code": "site-broken"}
    await services.ending.settle(db, taken.job, status=JobStatus.FAILED, error=error)
    assert (await deployments.instance_row(db)).activated_sequence == before


async def test_only_what_runs_is_put_into_service(db, taken):
    await deployments.execute(db, "UPDATE app_servers SET status = 'failed' WHERE number = 2")
    await note_switch(db, taken)
    assert await active_numbers(db) == []


async def test_without_a_router_no_route_is_applied(db, queue, vault, site, taken):
    await deployments.execute(db, "UPDATE instances SET router_id = NULL, route_applied = 0")
    await note_switch(db, taken)
    assert (await deployments.instance_row(db)).route_applied == 0
    assert EventType.ROUTE_APPLIED not in await _types(db, taken.job)


async def _terminate(db, queue, vault, app_server):
    view = await factories.request(
        db, queue, vault, kind=JobKind.TERMINATE, instance=None, app_server=str(app_server.id)
    )
    return await claim(db, view.job)


async def test_a_running_app_server_is_terminated(db, queue, vault, site):
    [job] = await ask(db, queue, vault)
    await succeed(db, job)
    [app_server] = await deployments.app_servers(db)
    taken = await _terminate(db, queue, vault, app_server)
    for _ in range(2):
        await services.activation.terminated(db, taken.job, app_server.id)
    [app_server] = await deployments.app_servers(db)
    assert app_server.status is AppServerStatus.TERMINATED
    assert app_server.cleaned_at is not None
    assert await _types(db, taken.job) == [EventType.APP_SERVER_TERMINATED]


async def test_a_failed_app_server_that_is_terminated_stays_failed(db, queue, vault, site):
    [job] = await ask(db, queue, vault)
    await deployments.fail(db, job)
    [app_server] = await deployments.app_servers(db)
    taken = await _terminate(db, queue, vault, app_server)
    for _ in range(2):
        await services.activation.terminated(db, taken.job, app_server.id)
    [app_server] = await deployments.app_servers(db)
    assert app_server.status is AppServerStatus.FAILED
    assert app_server.cleaned_at is not None
    assert await _types(db, taken.job) == [EventType.APP_SERVER_CLEANED]


async def test_a_router_that_forgets_an_instance_applies_nothing_to_it(db, queue, vault, taken):
    await deployments.execute(
        db, "UPDATE jobs SET params = params || '{\"forget\": true}' WHERE kind = 'activate'"
    )
    forgetting = await services.work.look(db, taken.job.id)
    before = (await deployments.instance_row(db)).route_applied
    await services.activation.apply_route(db, forgetting.job, 99)
    assert (await deployments.instance_row(db)).route_applied == before
