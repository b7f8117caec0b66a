"""`liftlock up --demo`: two hosts that are registered, supervised, and the same next time."""

import json
import subprocess

import asyncssh
import pytest

from local.processes import identify
from tests.support.servers import wait_until

UP = "Liftlock is up."
SITE = "[program:site]\ncommand = sleep 600\n"


@pytest.fixture
def identity(home):
    """The key that the stand-in for the API shows as Liftlock's own."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    (home / "identity.pub").write_bytes(key.export_public_key())
    return key


def registered(home, kind="hosts"):
    return json.loads((home / f"{kind}.json").read_text())


def control(host, *words):
    """The answer of the host's supervisorctl, as a recipe's start would call it."""
    options = host["supervisor_options"]
    done = subprocess.run(
        [options["command"], "-c", options["config"], *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def registered_routers(home):
    """But for what each start may have to choose anew.

    Another test may have taken the ports; and a long path to a socket has a shorter one made.
    """
    routers = registered(home, "routers")
    for router in routers.values():
        for chosen in ("http_port", "https_port", "admin"):
            del router["options"][chosen]
    return routers


async def test_two_hosts_let_liftlock_in_and_supervise_sites_over_restarts(run_up, home, identity):
    up = run_up("--demo").wait_for(UP)
    hosts, routers = registered(home), registered_routers(home)
    one, two = hosts["demo-1"], hosts["demo-2"]
    assert one["port_last"] < two["port_first"] or two["port_last"] < one["port_first"]
    known = "".join(f"[127.0.0.1]:{host['port']} {host['host_key']}\n" for host in (one, two))
    for host in (one, two):
        async with asyncssh.connect(
            host["address"],
            host["port"],
            username=host["user"],
            client_keys=[identity],
            known_hosts=asyncssh.import_known_hosts(known),
            config=None,
            agent_path=None,
        ) as client:
            home_of_host = (await client.run("pwd", check=True)).stdout.strip()
        assert home_of_host == str(up.data / "hosts" / host["name"])
    (up.data / "hosts" / "demo-1" / "supervisor.d" / "site.conf").write_text(SITE)
    control(one, "update")
    wait_until(lambda: "RUNNING" in control(one, "status", "site"), "the site", log=up.log)
    site = int(control(one, "pid", "site"))
    pids = up.children.values()
    assert up.stop() == 0
    assert identify(site) is None
    assert not [pid for pid in pids if identify(pid)]

    again = run_up("--demo").wait_for(UP)
    assert (registered(home), registered_routers(home)) == (hosts, routers)
    wait_until(lambda: "RUNNING" in control(one, "status", "site"), "the site", log=again.log)
