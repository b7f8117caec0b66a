"""A command line with a scripted API."""

import pytest

from tests.unit.cli.fake import JOB, Cli, Clock, FakeApi, job
from tests.unit.cli.played_job import HAPPY, serve_events


@pytest.fixture
def api() -> FakeApi:
    return FakeApi()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cli(api: FakeApi, clock: Clock) -> Cli:
    return Cli(api, clock)


@pytest.fixture
def running(api: FakeApi) -> FakeApi:
    """A job that is posted, runs and succeeds."""
    api.on("POST", "/v1/jobs", (202, job("queued")))
    api.on("GET", f"/v1/jobs/{JOB}", job())
    serve_events(api, HAPPY)
    return api
