"""A site that answers half stays in service when the one before it does not answer at all."""

import pytest

from app.domain.job import JobKind, JobStatus, Outcome, ServiceState
from tests.integration.worker import conftest
from tests.integration.worker.test_activating import kill

pytestmark = pytest.mark.timeout(180)

_SWITCH = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 5, "drain": 0}


@pytest.fixture(autouse=True)
def smoke(monkeypatch):
    """One of its pages is missing."""
    recipe = f"{conftest.SHOP_RECIPE}smoke: [/missing]\n"
    monkeypatch.setattr(conftest, "SHOP_RECIPE", recipe)


async def test_visitors_are_not_turned_back_to_what_has_died(
    standing, carried_out, serving, active, machine
):
    await standing(2)
    await kill(machine, 1)
    job = await carried_out(**_SWITCH)
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, "site-broken")
    assert (job.outcome, job.service_state) == (Outcome.CHANGED, ServiceState.SERVING_NEW)
    assert "Nothing was turned back, as AppServer 1 did not answer" in job.error["detail"]
    assert "liftlock provision shop --activate" in job.error["hint"]
    assert (await serving(), await active()) == (2, [2])
    assert conftest.diary(machine)[-1] == "start 2"


async def test_they_are_turned_back_to_what_answers(standing, carried_out, serving, active):
    await standing(2)
    job = await carried_out(**_SWITCH)
    assert (job.error["code"], job.outcome) == ("site-broken", Outcome.ROLLED_BACK)
    assert (await serving(), await active()) == (1, [1])
