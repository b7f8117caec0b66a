"""A worker that dies at any step of an activation: one whole set serves, and Postgres knows it."""

from itertools import count

import pytest

from app import services
from app.domain.event import EventType
from app.domain.job import JobKind, JobStatus, ServiceState, WaitPolicy
from tests.integration.worker.conftest import diary
from tests.support import deployments, factories
from worker.engine import RetryPolicy
from worker.jobs.run_job import run_job
from worker.remote.errors import ConnectionLost
from worker.remote.ssh_host import SshHost

pytestmark = pytest.mark.timeout(180)

_SILENT = "UPDATE jobs SET lease_until = now() - interval '1 hour' WHERE lease_until IS NOT NULL"

_TURNED_BACK = (EventType.STEP_UNDONE, "record-in-service")


class Killed(BaseException):
    """Nobody handles it, so that nothing more is written."""


@pytest.fixture
def interrupted(db, queue, vault, ctx, monkeypatch):
    """Activate, and die when so many steps were done, the last of which nobody has noted.

    The job, taken from its worker; None when it had fewer steps.
    """
    real = services.execution.finish_step

    async def begin(ref, *, steps):
        asked = {"kind": JobKind.ACTIVATE, "app_servers": (ref,), "watch": 0, "drain": 0}
        job = (await factories.request(db, queue, vault, **asked)).job
        left = iter(range(steps, 0, -1))

        async def finish(*args, **named):
            if next(left, 0) == 1:
                raise Killed
            await real(*args, **named)

        with monkeypatch.context() as patched:
            patched.setattr(services.execution, "finish_step", finish)
            try:
                await run_job(ctx, str(job.id), 1)
            except Killed:
                await deployments.execute(db, _SILENT)
                await services.recovery.recover(db, policy=WaitPolicy())
                return job
        return None

    return begin


@pytest.fixture
def seen(serving, active, machine):
    """Who answers, who is in service, where `current` leads, whose background was begun last."""

    async def look():
        current = (machine.base / "apps/shop/current").readlink().name
        return await serving(), await active(), int(current[-1]), diary(machine)[-1]

    return look


def whole(number):
    return number, [number], number, f"start {number}"


async def test_the_next_worker_goes_on_wherever_one_died(db, ctx, standing, interrupted, seen):
    await standing(2)
    for steps in count(1):
        number = 2 - (steps + 1) % 2
        job = await interrupted(f"shop:{number}", steps=steps)
        if job is None:
            break
        await run_job(ctx, str(job.id), 2)
        ended = await deployments.job_of(db, job.id)
        assert (ended.status, ended.service_state) == (
            JobStatus.SUCCEEDED,
            ServiceState.SERVING_NEW,
        )
        assert await seen() == whole(number)
    assert steps > len(("find", "health", "wanted", "stop", "start", "configure", "switch"))


async def test_the_next_worker_turns_back_wherever_one_died_in_a_canceled_activation(
    db, queue, ctx, standing, interrupted, seen
):
    await standing(2)
    for steps in count(1):
        job = await interrupted("shop:2", steps=steps)
        if job is None:
            break
        await services.commands.cancel(db, queue, job.id, actor="ann")
        await run_job(ctx, str(job.id), 2)
        ended = await deployments.job_of(db, job.id)
        assert (ended.status, ended.service_state) == (JobStatus.CANCELED, ServiceState.SERVING_OLD)
        assert await seen() == whole(1)
    assert await seen() == whole(2)


async def test_the_next_worker_goes_on_with_a_turning_back_whose_cause_was_a_lost_connection(
    db, queue, vault, ctx, standing, active, monkeypatch
):
    """A step whose host fell silent has failed, though nobody knows how it ended there."""
    await standing(2)
    monkeypatch.setattr(RetryPolicy, "pause", lambda *_: 0.01)
    asked = {"kind": JobKind.ACTIVATE, "app_servers": ("shop:2",), "watch": 0, "drain": 0}
    job = (await factories.request(db, queue, vault, **asked)).job
    run, record = SshHost.run, services.execution.record

    async def lost(self, command, *, name, **more):
        if "CURRENT" in command.paths and not name.endswith("-undo"):
            raise ConnectionLost("no answer", hint="ping")
        return await run(self, command, name=name, **more)

    async def die_undoing(db, job, *events):
        await record(db, job, *events)
        if any((kind, data.get("step")) == _TURNED_BACK for kind, data in events):
            raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(SshHost, "run", lost)
        patched.setattr(services.execution, "record", die_undoing)
        with pytest.raises(Killed):
            await run_job(ctx, str(job.id), 1)
    await deployments.execute(db, _SILENT)
    await services.recovery.recover(db, policy=WaitPolicy())
    await run_job(ctx, str(job.id), 2)
    ended = await deployments.job_of(db, job.id)
    assert (ended.status, ended.error["code"]) == (JobStatus.FAILED, "connection-lost")
    assert await active() == [1]
