"""Which options each kind of router takes."""

import pytest

from app.domain.router import RouterKind
from app.domain.router_options import checked


@pytest.mark.parametrize("kind", RouterKind)
def test_defaults_are_filled_in_and_are_themselves_accepted(kind):
    found = checked(kind, {})
    assert found == checked(kind, found)
    assert (found["http_port"], found["https_port"], found["program"]) == (80, 443, kind)


def test_the_folder_of_sites_is_below_that_of_routes():
    assert checked(RouterKind.NGINX, {"folder": "/srv/r"})["sites"] == "/srv/r/sites"


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("socket", "/run/x.sock", "takes no such option"),
        ("http_port", 0, "between 1 and 65535"),
        ("http_port", "80", "a number"),
        ("http_port", True, "a number"),
        ("hold", 5, "nginx cannot hold requests back"),
        ("hold", 61, "seconds, between 0 and 60"),
        ("hold", "5", "a number"),
        ("folder", "a/../../b", "no `..`"),
        ("folder", 'a"b', "letters, digits"),
        ("folder", "/", "It is a folder"),
        ("sites", "$x", "letters, digits"),
        ("config", "nginx.conf", "absolute"),
        ("program", "-x", "a program"),
        ("bind", "localhost", "IP address"),
        ("address", "a b", "IP address or a host name"),
        ("reload", "a\nb", "visible"),
        ("reload", 5, "a text"),
    ],
)
def test_a_wrong_option_is_named_with_what_is_wrong(option, value, message):
    with pytest.raises(ValueError) as caught:
        checked(RouterKind.NGINX, {option: value})
    name, sentence = caught.value.args
    assert name == option
    assert message in sentence


@pytest.mark.parametrize("admin", ["localhost:2019", "127.0.0.1:2019"])
def test_the_address_of_caddys_interface_has_a_port(admin):
    assert checked(RouterKind.CADDY, {"admin": admin})["admin"] == admin
    with pytest.raises(ValueError):
        checked(RouterKind.CADDY, {"admin": "localhost"})


def test_caddy_takes_seconds_for_which_it_holds_requests():
    assert checked(RouterKind.CADDY, {"hold": 5})["hold"] == 5
