"""Ports that are free, taken, or not ours to take."""

import os
import socket

import pytest

from local import ports
from local.errors import Refused


@pytest.fixture
def taken():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_free_port_can_be_claimed():
    port = ports.claim("127.0.0.1", 0)
    assert ports.claim("127.0.0.1", port) == port


def test_a_taken_port_is_named_with_its_process_and_the_option(taken):
    with pytest.raises(Refused) as caught:
        ports.claim("127.0.0.1", taken, option="--somewhere")
    assert f"Port {taken} on 127.0.0.1 is in use by process {os.getpid()}" in str(caught.value)
    assert "--somewhere" in str(caught.value)


def test_the_first_free_port_is_kept_from_others_until_it_is_given_back(taken):
    first, mark = ports.claim_first("127.0.0.1", taken)
    second, other = ports.claim_first("127.0.0.1", taken)
    assert taken < first < second
    mark.close()
    other.close()
    again, mark = ports.claim_first("127.0.0.1", taken)
    assert again == first
    mark.close()


def test_an_address_of_another_machine_is_refused():
    with pytest.raises(Refused, match="Nothing can listen on"):
        ports.claim("192.0.2.1", 0)
