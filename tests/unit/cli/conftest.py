"""A command line with a scripted API."""

import pytest

from tests.unit.cli.fake import Cli, Clock, FakeApi


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cli(api: FakeApi, clock: Clock) -> Cli:
    return Cli(api, clock)
