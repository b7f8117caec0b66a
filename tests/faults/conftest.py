"""An arena and a host for all faults of one file; every test makes sites of its own."""

import os
import secrets

import pytest

from tests.support.arena import make_site, running_arena
from tests.support.machines import demo_machine, register


@pytest.fixture(scope="module")
def arena(postgres_server, template_database, tmp_path_factory):
    database = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    url = postgres_server.create(database, template=template_database)
    with running_arena(url, tmp_path_factory.mktemp("arena")) as made:
        yield made
    postgres_server.drop(database)


@pytest.fixture(scope="module")
def machine(arena, tmp_path_factory):
    name = f"demo-{os.urandom(3).hex()}"
    for made in demo_machine(arena, name, tmp_path_factory.mktemp("demo")):
        register(arena, made, capacity=20)
        yield made


@pytest.fixture
def site(arena, machine, tmp_path):
    """Make an instance; keyword arguments are its settings, and `recipe`."""
    return lambda **values: make_site(arena, machine, tmp_path, **values)


@pytest.fixture(autouse=True)
def _no_worker_is_left(arena):
    yield
    arena.end_workers()
