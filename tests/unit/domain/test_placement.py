"""Which hosts of a pool get new app servers."""

from uuid import UUID

import pytest

from app.domain.host import HostStatus
from app.domain.placement import Candidate, NoPlace, Wanted, choose


def host(name, **values):
    defaults = {
        "id": UUID(int=sum(name.encode())),
        "status": HostStatus.READY,
        "enrolled": True,
        "locked": False,
        "labels": {},
        "capacity": 2,
        "held": 0,
        "places": None,
        "free_ports": 100,
    }
    return Candidate(name=name, **{**defaults, **values})


def chosen(*hosts, count=1, labels=None, **values):
    names = {one.id: one.name for one in hosts}
    found = choose(hosts, Wanted(count, labels or {}, **values))
    return [names[key] for key in found]


def reasons(*hosts, count=1, labels=None, **values):
    with pytest.raises(NoPlace) as refused:
        choose(hosts, Wanted(count, labels or {}, **values))
    return refused.value.reasons


def test_the_host_with_the_fewest_app_servers_is_chosen():
    assert chosen(host("a", held=2), host("b", held=1)) == ["b"]


def test_the_machine_of_another_instance_takes_none():
    another = host("a", made_for="by provider cloud for instance blog")
    assert chosen(another, host("b", held=2)) == ["b"]
    assert reasons(another) == {"a": "was made by provider cloud for instance blog"}


def test_a_host_of_twice_the_capacity_takes_twice_as_many():
    small, large = host("a", held=2, capacity=2), host("b", held=3, capacity=4)
    assert chosen(small, large) == ["b"]


def test_among_equals_the_first_by_name_is_chosen():
    assert chosen(host("b"), host("a"), host("c")) == ["a"]


def test_a_host_that_answers_is_preferred_to_one_that_does_not():
    assert chosen(host("a", status=HostStatus.UNREACHABLE), host("b", held=5)) == ["b"]
    assert chosen(host("a", status=HostStatus.UNREACHABLE)) == ["a"]


def test_app_servers_of_one_request_spread():
    assert chosen(host("a"), host("b", held=8), count=2) == ["a", "b"]
    assert chosen(host("a"), host("b", held=8), count=3) == ["a", "b", "a"]


def test_where_there_are_too_few_hosts_they_share_one():
    assert chosen(host("a"), count=2) == ["a", "a"]


def test_a_host_that_fills_up_gets_no_more():
    assert chosen(host("a", places=1), host("b"), count=3) == ["a", "b", "b"]


def test_app_servers_with_data_in_files_go_to_one_host():
    assert chosen(host("a", places=1), host("b"), count=2, together=True) == ["b", "b"]


def test_once_the_data_is_somewhere_they_go_there():
    there = host("b", held=9)
    assert chosen(host("a"), there, together=True, home=there.id) == ["b"]
    assert reasons(host("a"), together=True, home=there.id) == {
        "a": "has none of the instance's data"
    }


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"status": HostStatus.CORDONED}, "is cordoned"),
        ({"status": HostStatus.QUARANTINED}, "is quarantined"),
        ({"enrolled": False}, "is not enrolled"),
        ({"locked": True}, "is locked by hand"),
        ({"labels": {"disk": "hdd"}}, "lacks the label disk=ssd"),
        ({"held": 3, "places": 3}, "is full: 3 of 3 places are taken"),
        ({"held": 4, "places": 3}, "is full: 4 of 3 places are taken"),
        ({"free_ports": 0}, "has no free port"),
    ],
)
def test_a_host_that_takes_none_says_why(values, why):
    labels = {"disk": "ssd"}
    assert reasons(host("a", **{"labels": labels, **values}), labels=labels) == {"a": why}


def test_all_labels_are_needed_and_more_do_no_harm():
    wanted = {"disk": "ssd", "zone": "1"}
    whole, part = host("b", labels={**wanted, "x": "y"}), host("a", labels={"disk": "ssd"})
    assert chosen(part, whole, labels=wanted) == ["b"]


def test_when_too_few_fit_each_host_says_how_many():
    found = reasons(host("a", places=2), host("b", status=HostStatus.CORDONED), count=3)
    assert found == {"a": "has room for 2 only", "b": "is cordoned"}


def test_a_host_with_room_for_some_of_those_that_stay_together_says_so():
    assert reasons(host("a", places=2), count=3, together=True) == {"a": "has room for 2 only"}


def test_a_pool_without_hosts_has_no_reasons():
    assert reasons() == {}
