"""Where new app servers go when the instance has a pool instead of a host."""

import asyncio

import pytest

from app import services
from app.domain.host import HostStatus
from app.errors import Conflict, Invalid, ManualLock
from tests.support import factories

NETWORK = factories.MINIMAL_RECIPE + "data: network\n"


async def add_pool(db, **hosts):
    """Hosts by name, with what is special about each."""
    return {
        name: await factories.add_host(db, name=name, pool="web", **values)
        for name, values in hosts.items()
    }


async def add_instance(db, *, recipe=NETWORK, **values):
    row = await factories.add_recipe(db, recipe)
    return await factories.add_instance(db, recipe=row, pool="web", **values)


async def hosts_of(db, queue, vault, **values):
    """Names of the hosts that the app servers of one request get."""
    await factories.request(db, queue, vault, **values)
    found = await services.jobs.list_page(db, after=None, limit=50)
    newest = found[0].job.params["deployment"]
    return sorted(view.host_name for view in found if view.job.params["deployment"] == newest)


async def lock_by_hand(db, on):
    await services.locks.place(db, on=on, message="Not now.", actor="ann")


async def test_the_emptiest_host_of_the_pool_is_chosen(db, queue, vault):
    await add_pool(db, alpha={}, beta={})
    await factories.add_host(db, name="aaa", pool="other")
    await add_instance(db)
    assert [await hosts_of(db, queue, vault) for _ in range(3)] == [["alpha"], ["beta"], ["alpha"]]


async def test_app_servers_of_one_deployment_spread(db, queue, vault):
    await add_pool(db, alpha={}, beta={}, gamma={"status": HostStatus.CORDONED})
    await add_instance(db, target_count=3)
    assert await hosts_of(db, queue, vault) == ["alpha", "alpha", "beta"]


async def test_labels_decide(db, queue, vault):
    await add_pool(db, alpha={}, beta={"labels": {"disk": "ssd"}})
    await add_instance(db, labels={"disk": "ssd"})
    assert await hosts_of(db, queue, vault) == ["beta"]


async def test_data_in_files_keeps_all_app_servers_on_one_host(db, queue, vault):
    await add_pool(db, alpha={}, beta={})
    await add_instance(db, recipe=factories.MINIMAL_RECIPE, target_count=2)
    assert await hosts_of(db, queue, vault) == ["alpha", "alpha"]
    assert await hosts_of(db, queue, vault) == ["alpha", "alpha"]


async def test_app_servers_go_where_the_data_was_prepared(db, queue, vault):
    hosts = await add_pool(db, alpha={}, beta={})
    instance = await add_instance(db, recipe=factories.MINIMAL_RECIPE)
    await factories.change(db, instance, prepared_host_id=hosts["beta"].id)
    assert await hosts_of(db, queue, vault) == ["beta"]


async def test_a_host_that_is_named_goes_before_the_pool(db, queue, vault):
    await add_pool(db, alpha={}, beta={})
    await add_instance(db)
    assert await hosts_of(db, queue, vault, host="beta") == ["beta"]


async def test_data_that_every_host_reaches_may_be_prepared_elsewhere(db, queue, vault):
    hosts = await add_pool(db, alpha={}, beta={})
    instance = await add_instance(db)
    await factories.change(db, instance, prepared_host_id=hosts["alpha"].id)
    assert await hosts_of(db, queue, vault, host="beta") == ["beta"]


async def test_data_of_one_host_is_not_looked_for_on_another(db, queue, vault):
    hosts = await add_pool(db, alpha={}, beta={})
    instance = await add_instance(db, recipe=factories.MINIMAL_RECIPE)
    await factories.change(db, instance, prepared_host_id=hosts["alpha"].id)
    with pytest.raises(Conflict, match="prepared on host alpha; beta has none"):
        await factories.request(db, queue, vault, host="beta")


async def test_a_host_that_is_locked_by_hand_is_passed_over(db, queue, vault):
    await add_pool(db, alpha={}, beta={})
    await lock_by_hand(db, "host:alpha")
    await add_instance(db)
    assert await hosts_of(db, queue, vault) == ["beta"]


async def test_an_instance_that_is_locked_by_hand_gets_no_place(db, queue, vault):
    await add_pool(db, alpha={})
    await add_instance(db)
    await lock_by_hand(db, "instance:shop")
    with pytest.raises(ManualLock):
        await factories.request(db, queue, vault)


async def test_without_a_place_each_host_tells_why(db, queue, vault):
    await add_pool(
        db,
        alpha={"status": HostStatus.QUARANTINED},
        beta={"host_key": None},
        gamma={"places": 1},
    )
    await add_instance(db)
    await factories.request(db, queue, vault)
    with pytest.raises(Conflict) as refused:
        await factories.request(db, queue, vault)
    assert refused.value.code == "no-place"
    assert refused.value.detail == (
        "Pool web has no place for another app server of instance shop: alpha is quarantined; beta"
        " is not enrolled; gamma is full: 1 of 1 places are taken."
    )
    assert refused.value.hint == "See them: liftlock hosts list --pool web"


async def test_a_pool_without_hosts_says_so(db, queue, vault):
    await add_instance(db, target_count=2)
    with pytest.raises(Conflict, match="2 more app servers of instance shop: it has no hosts"):
        await factories.request(db, queue, vault)


async def test_an_instance_with_no_place_at_all_needs_a_host_in_the_request(db, queue, vault):
    await factories.add_instance(db)
    with pytest.raises(Invalid, match="no host, pool or provider"):
        await factories.request(db, queue, vault)


async def test_requests_at_once_never_put_more_on_a_host_than_it_has_places(db, queue, vault):
    await add_pool(db, alpha={"places": 2}, beta={"places": 2})
    recipe = await factories.add_recipe(db, NETWORK)
    names = [f"shop-{number}" for number in range(6)]
    for name in names:
        await factories.add_instance(db, recipe=recipe, pool="web", name=name)
    asked = [factories.request(db, queue, vault, instance=name) for name in names]
    results = await asyncio.gather(*asked, return_exceptions=True)
    refused = [one.code for one in results if isinstance(one, Conflict)]
    assert refused == ["no-place"] * 2
    placed = [one.host_name for one in results if not isinstance(one, BaseException)]
    assert sorted(placed) == ["alpha", "alpha", "beta", "beta"]


async def test_a_repeated_job_is_placed_anew(db, queue, vault):
    hosts = await add_pool(db, alpha={}, beta={})
    await add_instance(db)
    first = await factories.request(db, queue, vault)
    await services.commands.cancel(db, queue, first.job.id, actor="ann")
    await factories.change(db, hosts["alpha"], status=HostStatus.CORDONED)
    again = await services.commands.retry(
        db, queue, vault, first.job.id, actor="ann", request_id="r"
    )
    assert (first.host_name, again.host_name) == ("alpha", "beta")
