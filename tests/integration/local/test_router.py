"""The router of `liftlock up`: empty at first, told by its admin socket, the same next time."""

import json
import stat
import subprocess

import httpx
import pytest

from local import binaries, ports
from local.router import RouterServer
from tests.support.servers import wait_until

UP = "Liftlock is up."
SITE = 'http://shop.localhost {\n\trespond "welcome"\n}\n'
NAMED = {"Host": "shop.localhost"}


def router(up):
    """Where it takes requests."""
    port = json.loads((up.data / "state.json").read_text())["router_port"]
    return f"http://127.0.0.1:{port}"


def tell(server):
    """The program's own way to take its configuration in again."""
    words = ("--adapter", "caddyfile", "--config", server.config)
    where = ("--address", f"unix/{server.control}")
    subprocess.run([server.program, "reload", *words, *where], check=True, capture_output=True)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A router without `up`."""
    home = tmp_path_factory.mktemp("router")
    port, mark = ports.claim_first("127.0.0.1", 8900)
    made = RouterServer(binaries.caddy(), home / "data", home / "r.sock", "127.0.0.1", port)
    made.write_config()
    child, log = made.child(), home / "log"
    with mark, log.open("wb") as output:
        caddy = subprocess.Popen(
            child.argv, env=child.env, cwd=child.cwd, stderr=output, stdout=output
        )
        wait_until(made.answers, "the router", log=log)
        yield made
        caddy.terminate()
        assert caddy.wait(20) == 0, log.read_text()


def test_a_site_that_is_put_into_its_folder_is_served_after_a_reload(server):
    (server.sites / "shop.caddy").write_text(SITE)
    tell(server)
    assert httpx.get(server.url, headers=NAMED, trust_env=False).text == "welcome"


def test_only_its_owner_can_tell_it_anything(server):
    assert not stat.S_IMODE(server.control.stat().st_mode) & 0o077


def test_it_keeps_nothing_outside_of_its_folder(server):
    assert {path.name for path in server.directory.parent.iterdir()} == {
        server.directory.name,
        "log",
        "r.sock",
    }


def test_it_comes_back_on_the_same_port_with_its_sites(run_up):
    first = run_up().wait_for(UP)
    address = router(first)
    assert f"router   {address}" in first.output
    (first.data / "router" / "sites" / "shop.caddy").write_text(SITE)
    assert first.stop() == 0
    second = run_up().wait_for(UP)
    assert router(second) == address
    assert httpx.get(address, headers=NAMED, trust_env=False).text == "welcome"


def test_there_is_none_below_a_folder_whose_name_cannot_be_quoted(run_up, home):
    assert "router" not in run_up(data=home / "the data").wait_for(UP).children


def test_a_port_that_was_asked_for_is_taken_and_remembered(run_up):
    port, mark = ports.claim_first("127.0.0.1", 8900)
    with mark:
        assert run_up("--router-port", port).wait_for(UP).stop() == 0
        assert router(run_up().wait_for(UP)) == f"http://127.0.0.1:{port}"


def test_a_port_that_is_taken_is_refused_with_the_option_to_choose_another(run_up, home):
    first = run_up().wait_for(UP)
    port = router(first).rpartition(":")[2]
    second = run_up("--router-port", port, data=home / "other")
    assert second.exit_code() == 2
    assert f"Port {port} on 127.0.0.1 is in use" in second.output
    assert "--router-port" in second.output
