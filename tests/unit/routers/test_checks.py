"""What never reaches a router's configuration, and what is said about it."""

import pytest

from app.domain.router import CannotRoute, Route, RouterKind, Tls, TlsMode
from worker.routers import router_of

HOSTILE = (
    'a"; deny all; #',
    "a\nb",
    "$HOME",
    "a b",
    "{http.vars}",
    "%[src]",
    "a'",
    "`id`",
    "@ROUTE@",
)


@pytest.fixture(params=RouterKind, ids=str)
def router(request):
    return router_of(request.param, {}, sudo=False)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_domain_is_refused(router, text):
    with pytest.raises(CannotRoute, match="is no domain"):
        router.configure(Route("guest", text))


@pytest.mark.parametrize("text", [*HOSTILE, "../up", "", "."])
def test_a_hostile_instance_is_refused(router, text):
    with pytest.raises(CannotRoute, match="no name of an instance"):
        router.forget(text)


@pytest.mark.parametrize("text", [f"/etc/{text}" for text in HOSTILE[:3]] + ["relative.pem", ""])
def test_a_hostile_path_of_a_certificate_is_refused(router, text):
    with pytest.raises(CannotRoute, match="no absolute path"):
        router.configure(Route("guest", "a.example", Tls(TlsMode.FILES, text, "/etc/key.pem")))


@pytest.mark.parametrize(
    "text", ["app.example:80", "1.2.3.4", "1.2.3.4:0", "1.2.3.4:70000", "[::1]:80"]
)
def test_an_upstream_is_an_ipv4_address_with_a_port(router, text):
    with pytest.raises(CannotRoute):
        router.switch(Route("guest", upstreams=(text,)))


def test_as_many_upstreams_as_there_are_slots_are_taken_and_no_more(router):
    many = tuple(f"127.0.0.1:{port}" for port in range(8000, 8061))
    router.switch(Route("guest", upstreams=many[:60]))
    with pytest.raises(CannotRoute, match="60 upstreams at most"):
        router.switch(Route("guest", upstreams=many))


def test_the_slots_are_spread_evenly(router):
    found = router.switch(Route("guest", upstreams=("127.0.0.1:2", "127.0.0.1:1"))).env["ADDRESSES"]
    assert found.split() == ["127.0.0.1:1", "127.0.0.1:2"] * 30


def test_a_certificate_by_itself_needs_a_domain():
    caddy = router_of(RouterKind.CADDY, {}, sudo=False)
    with pytest.raises(CannotRoute, match="is for a domain"):
        caddy.configure(Route("guest", tls=Tls(TlsMode.AUTO)))


@pytest.mark.parametrize("kind", [RouterKind.NGINX, RouterKind.HAPROXY])
def test_what_a_kind_cannot_do_is_refused(kind):
    router = router_of(kind, {}, sudo=False)
    for route in (Route("guest", "a.example", Tls(TlsMode.AUTO)), Route("guest", hold=5)):
        with pytest.raises(CannotRoute):
            router.configure(route)


def test_caddy_holds_requests_when_it_is_asked_to():
    caddy = router_of(RouterKind.CADDY, {}, sudo=False)
    assert "lb_try_duration 2500ms" in caddy.configure(Route("guest", hold=2.5)).env["TEXT"]
    assert "lb_try_duration" not in caddy.configure(Route("guest")).env["TEXT"]


def test_the_option_of_a_router_is_for_all_of_its_routes():
    caddy = router_of(RouterKind.CADDY, {"hold": 7}, sudo=False)
    assert "lb_try_duration 7000ms" in caddy.configure(Route("guest")).env["TEXT"]


def test_other_upstreams_are_no_other_configuration(router):
    one, two = (
        router.configure(Route("guest", upstreams=upstreams)).env["TEXT"]
        for upstreams in (("127.0.0.1:1",), ("127.0.0.1:2", "127.0.0.1:3"))
    )
    assert one == two


def test_no_value_stands_in_a_script(router):
    route = Route("guestbook", "shop.example", upstreams=("127.0.0.1:4711",))
    commands = [
        router.configure(route),
        router.switch(route),
        router.read_back(route),
        router.close(route, message="Good night", retry_after=4712),
        router.open(route),
    ]
    for command in commands:
        for value in ("guestbook", "shop.example", "4711", "Good night", "4712"):
            assert value not in command.script


def test_seconds_after_which_people_come_again_are_bounded(router):
    with pytest.raises(CannotRoute, match="Retry-After"):
        router.close(Route("guest"), message="", retry_after=0)


def test_folders_are_below_the_base_folder_or_absolute():
    below = router_of(RouterKind.CADDY, {}, sudo=False).find()
    assert below.paths == {"FOLDER": "routers/caddy", "SITES": "routers/caddy/sites"}
    absolute = router_of(RouterKind.CADDY, {"folder": "/srv/routes"}, sudo=False).find()
    assert not absolute.paths
    assert absolute.env["SITES"] == "/srv/routes/sites"
