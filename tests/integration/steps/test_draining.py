"""Connections of an app server, counted by the kernel and waited for; with real sockets."""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.support.local_shell import LocalShell
from worker.steps import draining


@contextmanager
def connected(address: str = "127.0.0.1", *, many: int = 1) -> Iterator[tuple[int, ExitStack]]:
    """The port of a listener with connections, and what closes them all."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as listener, ExitStack() as open_ones:
        port = listener.getsockname()[1]
        for _ in range(many):
            open_ones.enter_context(socket.create_connection((address, port)))
            open_ones.enter_context(listener.accept()[0])
        yield port, open_ones


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "localhost"])
def test_open_connections_are_counted_and_the_wait_is_bounded(
    shell: LocalShell, address: str
) -> None:
    with connected("127.0.0.1" if address == "localhost" else address, many=3) as (port, _):
        ran = shell.run(draining.drain(address, port, most=1))
    assert (ran.exit_code, ran.facts) == (0, {"connections_left": "3"})
    assert "connections to the app server: 3; waiting for at most 1 s\n" in ran.output


def test_a_site_on_both_protocols_is_found_by_its_plain_address(shell: LocalShell) -> None:
    with socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)), listener.accept()[0]:
            ran = shell.run(draining.drain("127.0.0.1", port, most=0))
    assert ran.facts == {"connections_left": "1"}


def test_it_ends_as_soon_as_the_last_connection_does(shell: LocalShell) -> None:
    with connected(many=2) as (port, open_ones):
        ending = threading.Timer(0.5, open_ones.close)
        ending.start()
        ran = shell.run(draining.drain("127.0.0.1", port, most=50))
        ending.join()
    assert (ran.exit_code, ran.facts) == (0, {"connections_left": "0"})
    assert "no connection to the app server is left" in ran.output


def test_nobody_else_is_waited_for(shell: LocalShell) -> None:
    """Not the listener, not another port, not another address of the host."""
    with connected() as (port, _), socket.create_server(("127.0.0.1", 0)) as idle:
        ran = shell.run(draining.drain("127.0.0.1", idle.getsockname()[1], most=50))
        assert ran.facts == {"connections_left": "0"}
        ran = shell.run(draining.drain("127.0.0.2", port, most=50))
        assert ran.facts == {"connections_left": "0"}


def test_a_host_that_shows_no_connections_is_not_waited_for(
    shell: LocalShell, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bare = LocalShell(shell.base, {"PATH": str(tmp_path_factory.mktemp("without awk"))})
    ran = bare.run(draining.drain("127.0.0.1", 80, most=50))
    assert (ran.exit_code, ran.facts) == (0, {"connections_left": "unknown"})
    assert "nothing is waited for" in ran.output


@pytest.mark.parametrize("name", list(filter(shutil.which, ["busybox", "dash", "bash"])))
def test_other_shells_count_the_same(shell: LocalShell, name: str) -> None:
    with connected(many=2) as (port, _):
        command = draining.drain("127.0.0.1", port, most=0)
        said = subprocess.run(
            [name, *(["sh"] if name == "busybox" else []), "-c", command.script],
            env={**command.env, "PATH": os.environ["PATH"]},
            capture_output=True,
            text=True,
            check=True,
        )
    assert said.stdout.splitlines()[-1] == "connections_left=2"
