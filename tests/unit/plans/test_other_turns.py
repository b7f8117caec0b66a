"""Deactivation, route and termination: which steps, in which order, and what is taken back."""

from tests.support.activations import COLD, server, traffic, undone
from tests.support.provisions import command, names, step
from worker.plans import deactivate, route, terminate
from worker.plans.plan import Plan
from worker.steps.machine import DestroyMachine
from worker.steps.step import Note

ONE, TWO = server(1, recipe=COLD), server(2, recipe=COLD)


def deactivation(*before, routed=True, target=ONE, gone=False) -> Plan:
    rest = [one for one in before if one != target]
    return deactivate.plan(
        deactivate.DeactivateRequest(
            target=target,
            before=before,
            traffic=traffic(rest, before) if routed else None,
            own_host="web1",
            route_version=5,
            gone=gone,
        )
    )


def test_the_background_of_a_deactivated_app_server_stops_last() -> None:
    assert names(deactivation(ONE, TWO)) == [
        "router-find",
        "route-wanted",
        "router-configure",
        "router-switch",
        "router-read-back",
        "router-ask",
        "record-in-service",
        "drain-1",
        "background-stop-1-cron",
        "background-stop-1-worker",
    ]


def test_requests_go_to_those_that_stay() -> None:
    plan = deactivation(ONE, TWO)
    assert command(plan, "router-switch").env["TO"] == "127.0.0.1:20002"
    note = step(plan, "record-in-service").action
    assert isinstance(note, Note)
    on, off = [str(TWO.id)], [str(ONE.id)]
    assert note.data == {"on": on, "off": off, "route_version": 5, "read_back": True}


def test_when_nobody_stays_nobody_is_asked() -> None:
    plan = deactivation(ONE)
    assert "router-ask" not in names(plan)
    assert "nobody" in step(plan, "router-switch").title


def test_of_one_that_is_stated_to_be_gone_the_router_is_not_known_to_have_heard() -> None:
    plan = deactivation(ONE, TWO, gone=True)
    assert names(plan) == ["record-in-service"]
    note = step(plan, "record-in-service").action
    assert isinstance(note, Note)
    assert (note.data["off"], note.data["read_back"]) == ([str(ONE.id)], False)


def test_a_deactivation_that_fails_at_its_end_is_taken_back_whole() -> None:
    assert undone(deactivation(ONE, TWO), after="background-stop-1-worker") == [
        "router-switch: 127.0.0.1:20001 127.0.0.1:20002 6",
        "background-stop-1-cron: start worker start cron",
        "record-in-service: off=0 on=2 read_back=False route_version=6",
        "route-wanted: version=6",
    ]


def test_current_leads_to_the_newest_of_those_that_stay_on_the_host() -> None:
    three, far = server(3), server(4, host="web2")
    plan = deactivation(ONE, TWO, three, far, target=three)
    assert names(plan).index("record-in-service") + 1 == names(plan).index("current-2")
    assert command(plan, "current-2").env["RELEASE"] == "v2-2"
    assert undone(plan, after="current-2")[1] == "current-2: v3-3"


def test_current_stays_where_it_leads_to_one_that_stays_or_nobody_does() -> None:
    far = server(2, host="web2")
    for before in ((ONE, TWO), (ONE,), (ONE, far)):
        assert not [name for name in names(deactivation(*before)) if name.startswith("current")]


def test_without_a_router_only_the_record_changes_and_the_background_stops() -> None:
    assert names(deactivation(ONE, routed=False)) == [
        "record-in-service",
        "background-stop-1-cron",
        "background-stop-1-worker",
    ]


def routing(*active, forget=False) -> Plan:
    found = traffic(active, active)
    return route.plan(
        route.RouteRequest(instance="shop", traffic=found, active=active, forget=forget)
    )


def test_a_route_job_tells_the_router_everything_and_reads_it_back() -> None:
    assert names(routing(ONE, TWO)) == [
        "router-find",
        "router-look",
        "router-configure",
        "router-switch",
        "router-read-back",
        "router-ask",
        "record-route",
    ]


def test_a_route_job_takes_nothing_back() -> None:
    assert not [item for item in routing(ONE).steps if item.undo]


def test_a_route_job_records_the_version_that_it_was_told() -> None:
    note = step(routing(ONE), "record-route").action
    assert note == Note("route.applied", {"route_version": 5})


def test_a_router_forgets_an_instance() -> None:
    plan = routing(forget=True)
    assert names(plan) == ["router-find", "router-forget", "record-forgotten"]
    assert command(plan, "router-forget").env == {"INSTANCE": "shop"}


def termination(one=ONE) -> Plan:
    return terminate.plan(terminate.TerminateRequest(target=one, own_host="web1"))


def test_a_termination_stops_removes_and_records() -> None:
    assert names(termination()) == ["background-stop", "stop", "remove", "record-terminated"]
    assert names(termination(server(1)))[0] == "stop"


def test_a_termination_takes_nothing_back_and_may_be_repeated() -> None:
    assert not [item for item in termination().steps if item.undo]


def test_of_what_somebody_states_to_be_gone_there_is_only_the_record() -> None:
    machine = DestroyMachine("cloud", "ll-1")
    request = terminate.TerminateRequest(target=ONE, own_host="web1", machine=machine, gone=True)
    assert names(terminate.plan(request)) == ["record-terminated"]


def termination_on_a_machine() -> Plan:
    machine = DestroyMachine("cloud", "ll-1")
    request = terminate.TerminateRequest(target=ONE, own_host="web1", machine=machine)
    return terminate.plan(request)


def test_a_machine_is_removed_once_nothing_of_the_app_server_is_on_it() -> None:
    plan = termination_on_a_machine()
    assert names(plan) == [
        "background-stop",
        "stop",
        "remove",
        "destroy-machine",
        "record-terminated",
    ]
    assert step(plan, "destroy-machine").action == DestroyMachine("cloud", "ll-1")


def test_only_what_goes_with_a_machine_is_dispensable() -> None:
    plan = termination_on_a_machine()
    dispensable = [item.name for item in plan.steps if item.dispensable]
    assert dispensable == ["background-stop", "stop", "remove"]
    assert not [item for item in termination().steps if item.dispensable]


def test_only_paths_of_the_app_server_are_removed() -> None:
    assert dict(command(termination(), "remove").paths) == {
        "APP_DIR": "apps/shop",
        "CURRENT": "apps/shop/current",
        "RELEASE_DIR": "apps/shop/releases/v1-1",
        "RUN_DIR": "apps/shop/run/1",
    }


def test_an_app_server_on_another_host_is_terminated_there() -> None:
    plan = termination(server(1, host="web2"))
    assert [item.at for item in plan.steps] == ["web2", "web2", ""]
    cold = termination(server(1, host="web2", recipe=COLD))
    assert step(cold, "background-stop").at == "web2"
