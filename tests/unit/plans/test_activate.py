"""The activation plan: which steps, in which order, on which hosts, and the way back."""

from dataclasses import replace

import pytest

from app.domain.problem import CODES
from app.domain.router import Tls, TlsMode
from tests.support.activations import COLD, OVERLAPPING, activation, server, traffic, undone
from tests.support.provisions import command, names, step
from worker.plans import activate
from worker.steps.step import Command, Note, Probe, Watch


def test_the_first_activation_looks_asks_switches_and_watches() -> None:
    assert names(activation(server(1))) == [
        "router-find",
        "health-1",
        "route-wanted",
        "router-configure",
        "router-switch",
        "router-read-back",
        "router-ask",
        "record-in-service",
        "current-1",
        "watch",
    ]


def test_the_background_of_the_old_stops_before_that_of_the_new_starts() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),))
    assert names(plan) == [
        "router-find",
        "health-2",
        "before-1",
        "route-wanted",
        "background-stop-1-cron",
        "background-stop-1-worker",
        "background-start-2-worker",
        "background-start-2-cron",
        "router-configure",
        "router-switch",
        "router-read-back",
        "router-ask",
        "record-in-service",
        "current-2",
        "drain-1",
        "watch",
    ]


def test_background_parts_that_may_overlap_stop_after_the_drain() -> None:
    found = names(
        activation(server(2, recipe=OVERLAPPING), before=(server(1, recipe=OVERLAPPING),))
    )
    assert found[4:6] == ["background-start-2-worker", "background-start-2-cron"]
    assert found[-4:] == ["drain-1", "background-stop-1-cron", "background-stop-1-worker", "watch"]


@pytest.mark.parametrize(("old", "new"), [(COLD, OVERLAPPING), (OVERLAPPING, COLD)])
def test_background_parts_overlap_only_when_both_revisions_say_so(old, new) -> None:
    found = names(activation(server(2, recipe=new), before=(server(1, recipe=old),)))
    assert found.index("background-stop-1-cron") < found.index("background-start-2-worker")


def test_without_a_router_nothing_is_told_to_one() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),), routed=False)
    assert names(plan) == [
        "health-2",
        "background-stop-1-cron",
        "background-stop-1-worker",
        "background-start-2-worker",
        "background-start-2-cron",
        "record-in-service",
        "current-2",
        "watch-2",
    ]


def test_when_the_watched_site_breaks_requests_turn_back_before_all_else() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),))
    assert undone(plan, after="watch") == [
        "router-switch: 127.0.0.1:20001 6",
        "current-2: v1-1",
        "record-in-service: off=1 on=1 read_back=False route_version=6",
        "background-start-2-worker: stop cron stop worker",
        "background-stop-1-cron: start worker start cron",
        "route-wanted: version=6",
    ]


def test_a_background_part_that_does_not_start_leaves_the_router_alone() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),))
    assert undone(plan, after="background-start-2-worker") == [
        "background-start-2-worker: stop cron stop worker",
        "background-stop-1-cron: start worker start cron",
        "route-wanted: version=6",
    ]
    failures = command(plan, "background-start-2-worker").failures
    assert failures[1].code == "background-failed"


def test_the_way_back_of_the_first_activation_is_nobody() -> None:
    plan = activation(server(1))
    assert undone(plan, after="watch") == [
        "router-switch:  6",
        "current-1: v1-1",
        "record-in-service: off=1 on=0 read_back=False route_version=6",
        "route-wanted: version=6",
    ]


def test_the_notes_name_who_is_in_service_and_who_was() -> None:
    found = step(
        activation(server(3), server(4), before=(server(1), server(2))), "record-in-service"
    )
    assert isinstance(found.action, Note)
    assert isinstance(found.undo, Note)
    ids = {number: str(server(number).id) for number in range(1, 5)}
    on, off = [ids[3], ids[4]], [ids[1], ids[2]]
    assert found.action.data == {"on": on, "off": off, "route_version": 5, "read_back": True}
    assert found.undo.data == {"on": off, "off": on, "route_version": 6, "read_back": False}


def test_every_new_app_server_is_asked_by_itself_and_every_old_one_is_drained() -> None:
    found = names(activation(server(3), server(4), before=(server(1), server(2))))
    assert found[1:3] == ["health-3", "health-4"]
    assert [name for name in found if name.startswith("drain")] == ["drain-1", "drain-2"]


def test_all_upstreams_are_switched_at_once() -> None:
    plan = activation(server(3), server(4), before=(server(1),))
    assert command(plan, "router-switch").env["TO"] == "127.0.0.1:20003 127.0.0.1:20004"


def test_an_app_server_that_stays_is_neither_started_nor_drained() -> None:
    stays = server(1, recipe=COLD)
    found = names(activation(stays, server(2, recipe=COLD), before=(stays,)))
    assert not [name for name in found if "-1" in name and name != "health-1"]


def test_the_background_of_what_is_in_service_already_stops_and_starts_when_it_is_asked_for() -> (
    None
):
    """After a way back that failed, nobody knows which parts run."""
    one, two = server(1, recipe=COLD), server(2, recipe=OVERLAPPING)
    found = names(activation(one, two, before=(one, two)))
    assert [name for name in found if name.startswith("background")] == [
        "background-stop-1-cron",
        "background-stop-1-worker",
        "background-stop-2-cron",
        "background-stop-2-worker",
        "background-start-1-worker",
        "background-start-1-cron",
        "background-start-2-worker",
        "background-start-2-cron",
    ]


def test_where_some_only_leave_those_that_stay_go_on_undisturbed() -> None:
    stays = server(1, recipe=COLD)
    found = names(activation(stays, before=(stays, server(2, recipe=COLD))))
    assert [name for name in found if name.startswith("background")] == [
        "background-stop-2-cron",
        "background-stop-2-worker",
    ]


def test_only_what_goes_on_by_itself_is_not_left_out_on_a_host_that_lives() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),))
    assert [(item.name, item.harmless) for item in plan.steps if item.dispensable] == [
        ("background-stop-1-cron", False),
        ("background-stop-1-worker", False),
        ("drain-1", True),
    ]


def test_steps_on_other_hosts_name_them_and_those_on_the_own_host_do_not() -> None:
    old, new = server(1, recipe=COLD, host="web2"), server(2, recipe=COLD, host="web1")
    plan = activation(new, before=(old,), router_at="edge")
    places = {item.name: item.at for item in (*plan.steps, *plan.on_failure)}
    assert {name for name, at in places.items() if at == "edge"} == {
        "router-find",
        "router-reach-2",
        "before-1",
        "router-configure",
        "router-switch",
        "router-read-back",
        "router-ask",
        "watch",
    }
    on_web2 = {name for name, at in places.items() if at == "web2"}
    assert on_web2 == {"background-stop-1-cron", "background-stop-1-worker", "drain-1"}
    assert {places["health-2"], places["current-2"], places["site-log-2"]} == {""}


def test_current_is_moved_on_each_host_of_the_new_set() -> None:
    plan = activation(
        server(3, host="web1"), server(4, host="web2"), server(5, host="web2"), before=(server(1),)
    )
    moved = {item.name: item.at for item in plan.steps if item.name.startswith("current")}
    assert moved == {"current-3": "", "current-5": "web2"}
    assert undone(plan, after="current-5")[1:3] == ["current-5: v5-5", "current-3: v1-1"]


def test_requests_turn_back_first_and_nothing_else_does() -> None:
    plan = activation(server(2), before=(server(1),))
    assert [item.name for item in plan.steps if item.undo_first] == ["router-switch"]


def test_looks_at_the_hosts_are_repeated_after_a_wait() -> None:
    plan = activation(server(2), before=(server(1),))
    assert [item.name for item in plan.steps if item.again] == ["router-find", "health-2"]


def test_the_health_gate_asks_where_the_app_server_listens() -> None:
    probe = step(activation(server(2, address="10.0.0.5")), "health-2").action
    assert isinstance(probe, Probe)
    assert (probe.address, probe.port, probe.path) == ("10.0.0.5", 20002, "/up")
    assert probe.alive is not None


def test_the_health_gate_asks_from_the_host_of_the_router_too_where_that_is_another() -> None:
    """A firewall between the two would switch all visitors to what the router cannot reach."""
    new = server(2, host="web2", address="10.0.0.5")
    plan = activation(new, server(3, host="edge"), router_at="edge")
    assert names(plan)[:4] == ["router-find", "health-2", "router-reach-2", "health-3"]
    found = step(plan, "router-reach-2")
    assert isinstance(found.action, Probe)
    assert (found.at, found.again, found.action.alive) == ("edge", True, None)
    assert (found.action.address, found.action.port) == ("10.0.0.5", 20002)
    assert (found.action.path, found.action.contains) == ("/up", "Welcome")
    assert found.action.on_failure.code == "router-cannot-reach"


def test_what_serves_until_now_is_asked_from_the_router_for_the_case_of_a_way_back() -> None:
    plan = activation(server(3), before=(server(1), server(2)), router_at="edge")
    found = [item for item in plan.steps if item.finds]
    assert [(item.name, item.at, item.finds) for item in found] == [
        ("before-1", "edge", "dead_1"),
        ("before-2", "edge", "dead_2"),
    ]
    stay = step(plan, "watch").stay
    assert stay is not None
    assert stay.facts == ("dead_1", "dead_2")
    assert "AppServer 1 and AppServer 2 did not answer before the switch" in stay.why


@pytest.mark.parametrize(
    ("before", "more"),
    [
        ((), {}),
        ((server(1), server(2)), {}),  # one that stays answers
        ((server(1),), {"watch": 0}),
        ((server(1),), {"routed": False}),
    ],
)
def test_nobody_is_asked_where_no_visitor_would_be_turned_back_to_them(before, more) -> None:
    plan = activation(server(2), before=before, **more)
    assert not [item for item in plan.steps if item.finds]
    assert not [item for item in plan.steps if item.stay and item.stay.facts]


def test_the_site_is_asked_through_the_router_by_its_name() -> None:
    probe = step(activation(server(2)), "router-ask").action
    assert isinstance(probe, Probe)
    assert (probe.address, probe.port, probe.name, probe.tls) == (
        "127.0.0.1",
        80,
        "shop.example.org",
        False,
    )
    assert (probe.contains, probe.alive) == ("Welcome", None)


def test_a_site_with_tls_is_asked_on_the_port_of_tls() -> None:
    found = traffic([server(2)], [], tls=Tls(TlsMode.INTERNAL))
    probe = found.ask(server(2)).action
    assert isinstance(probe, Probe)
    assert (probe.port, probe.tls) == (443, True)


def test_a_certificate_from_an_authority_is_waited_for_before_the_switch() -> None:
    auto = activation(server(2), tls=Tls(TlsMode.AUTO))
    assert [name for name in names(auto) if name.startswith("router-")] == [
        "router-find",
        "router-configure",
        "router-certificate",
        "router-switch",
        "router-read-back",
        "router-ask",
    ]
    probe = step(auto, "router-certificate").action
    assert isinstance(probe, Probe)
    assert (probe.path, probe.name, probe.tls) == ("/known", "shop.example.org", True)
    assert (probe.tries * probe.every, probe.on_failure.code) == (60, "certificate-missing")


def test_no_other_certificate_is_waited_for() -> None:
    for mode in set(TlsMode) - {TlsMode.AUTO}:
        assert "router-certificate" not in names(activation(server(2), tls=Tls(mode)))


def test_the_check_and_the_smoke_pages_are_watched_through_the_router_and_each_by_itself() -> None:
    watch = step(activation(server(2), server(3), watch=7), "watch").action
    assert isinstance(watch, Watch)
    assert watch.seconds == 7
    asked = [(probe.port, probe.path, probe.contains) for probe in watch.probes]
    assert asked == [
        (80, "/up", "Welcome"),
        (80, "/basket", None),
        (20002, "/up", "Welcome"),
        (20003, "/up", "Welcome"),
    ]
    assert {probe.on_failure.code for probe in watch.probes} == {"site-broken"}


def test_a_process_is_only_asked_for_on_its_own_host() -> None:
    near = step(activation(server(2)), "watch").action
    far = step(activation(server(2), router_at="edge"), "watch").action
    assert isinstance(near, Watch)
    assert isinstance(far, Watch)
    assert near.probes[-1].alive is not None
    assert near.probes[-1].alive.failures[1].code == "site-broken"
    assert [probe.alive for probe in far.probes] == [None] * 3


def test_nobody_watches_for_no_seconds() -> None:
    assert "watch" not in names(activation(server(2), watch=0))


def test_the_test_only_flag_leaves_out_the_health_gate_and_nothing_else() -> None:
    gated, not_gated = activation(server(2)), activation(server(2), health_gate=False)
    assert [name for name in names(gated) if name != "health-2"] == names(not_gated)


def test_a_failure_shows_the_logs_of_the_new_set() -> None:
    plan = activation(server(2), server(3, host="web2"), before=(server(1),))
    shown = {item.name: item.at for item in plan.on_failure}
    assert shown == {"site-log-2": "", "site-log-3": "web2"}
    assert plan.steps[plan.diagnose_from - 1].name == "health-2"


def test_background_scripts_see_the_release_its_values_and_its_secrets() -> None:
    plan = activation(server(2, recipe=COLD, environment={"WORD": "hello"}))
    found = command(plan, "background-start-2-worker")
    assert (found.cwd, found.secrets) == ("apps/shop/releases/v2-2", ("TOKEN",))
    assert (found.env["WORD"], found.env["COMMIT"]) == ("hello", "abc")


def test_every_failure_of_every_step_is_in_the_catalogue() -> None:
    plan = activation(server(2, recipe=COLD), before=(server(1, recipe=COLD),))
    found = [item.action for item in plan.steps] + [item.undo for item in plan.steps]
    tables = [item.failures.values() for item in found if isinstance(item, Command)]
    assert {failure.code for failures in tables for failure in failures} <= set(CODES)


@pytest.mark.parametrize("routed", [True, False])
def test_the_steps_have_names_of_their_own(*, routed: bool) -> None:
    old = (server(1, recipe=COLD), server(2, recipe=COLD, host="web2"))
    new = (server(3, recipe=COLD), server(4, recipe=COLD, host="web2"))
    plan = activation(*new, before=old, routed=routed)
    found = [item.name for item in (*plan.steps, *plan.on_failure)]
    assert len(found) == len(set(found))


def test_the_same_request_gives_the_same_plan() -> None:
    plans = [activation(server(2), before=(server(1),)).describe() for _ in range(2)]
    assert plans[0] == plans[1]


def test_a_plan_can_be_kept_as_json() -> None:
    described = activation(server(2, recipe=COLD), before=(server(1),)).describe()
    assert [item["name"] for item in described if item["undo_first"]] == ["router-switch"]


def test_an_app_server_is_the_same_by_its_id_alone() -> None:
    one = server(1)
    assert activate.without((one, server(2)), (replace(one, name="renamed"),)) == (server(2),)
