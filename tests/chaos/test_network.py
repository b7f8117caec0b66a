"""Namespaces on one bridge: what is cut off is cut off, and nothing of it stays behind."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.chaos.campaign.network import Namespaces, Place, Way

pytestmark = pytest.mark.root

_REACH = "import socket, sys; socket.create_connection(sys.argv[1:3], float(sys.argv[3]))"


@pytest.fixture
def network() -> Iterator[Namespaces]:
    made = Namespaces(os.urandom(3).hex())
    yield made
    made.remove()


@pytest.fixture
def port(network: Namespaces) -> Iterator[int]:
    with socket.create_server((network.center.address, 0)) as server:
        yield server.getsockname()[1]


def reaches(place: Place, address: str, port: int, *, seconds: int = 20) -> bool:
    command = (*place.prefix, sys.executable, "-c", _REACH, address, str(port), str(seconds))
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def is_cut_off(place: Place, address: str, port: int) -> bool:
    return not reaches(place, address, port, seconds=1)


@pytest.mark.parametrize("way", Way)
def test_a_place_that_is_cut_off_from_a_port_reaches_it_again_when_that_is_mended(
    network, port, way
):
    center, place, other = network.center.address, network.place("w-1"), network.place("w-2")
    network.cut(place, center, way=way, port=port)
    assert is_cut_off(place, center, port)
    assert reaches(other, center, port)
    network.mend(place, center, way=way, port=port)
    assert reaches(place, center, port)


def test_the_cut_of_one_port_leaves_the_others(network, port):
    center, place = network.center.address, network.place("w-1")
    network.cut(place, center, way=Way.BOTH, port=port + 1)
    assert reaches(place, center, port)


def test_a_pulled_cable_is_put_back(network, port):
    center, place = network.center.address, network.place("w-1")
    network.plug(place, up=False)
    assert is_cut_off(place, center, port)
    network.plug(place, up=True)
    assert reaches(place, center, port)


def test_nothing_of_it_stays_behind(network):
    place = network.place("w-1")
    with subprocess.Popen([*place.prefix, "sleep", "600"]) as left:
        network.remove()
        left.wait(10)
    names = "".join(
        subprocess.run(["ip", *what], check=True, capture_output=True, text=True).stdout
        for what in (("netns", "list"), ("link", "show"))
    )
    assert network.run not in names
