"""One set of background parts runs: also behind a way back that failed, or a host that is full."""

import pytest

from app import services
from app.domain.job import JobKind, JobStatus, Outcome
from app.errors import Conflict
from tests.integration.worker.conftest import diary
from tests.support import deployments
from worker.engine import RetryPolicy
from worker.jobs.run_job import run_job
from worker.remote.errors import HostUnreachable, RunnerFailed
from worker.remote.ssh_host import SshHost

pytestmark = pytest.mark.timeout(180)

_SWITCH = {"kind": JobKind.ACTIVATE, "watch": 0, "drain": 0}


async def test_what_a_failed_way_back_left_is_put_right_by_two_commands(
    db, queue, ctx, standing, carried_out, serving, active, machine, monkeypatch
):
    await standing(2)
    monkeypatch.setattr(RetryPolicy, "pause", lambda *_: 0.01)
    real = services.activation.activate

    async def away(*_, **__):
        raise HostUnreachable("no answer", hint="ping")

    with monkeypatch.context() as patched:

        async def fall_silent(*args, **named):
            await real(*args, **named)
            patched.setattr(SshHost, "run", away)

        patched.setattr(services.activation, "activate", fall_silent)
        job = await carried_out(**_SWITCH, app_servers=("shop:2",))
    assert (job.outcome, await active()) == (Outcome.ROLLBACK_FAILED, [1])
    assert (await serving(), diary(machine)) == (2, ["start 1", "stop 1", "start 2"])
    with pytest.raises(Conflict, match="may still pass requests on to AppServer 2"):
        await carried_out(JobKind.TERMINATE, app_server="shop:2")

    await services.dirty_routes.sweep(db, queue)
    [route] = await deployments.jobs_of(db, JobKind.ROUTE)
    await run_job(ctx, str(route.id), 1)
    assert await serving() == 1
    for again in (
        await carried_out(JobKind.TERMINATE, app_server="shop:2"),
        await carried_out(**_SWITCH, app_servers=("shop:1",)),
    ):
        assert (again.status, again.outcome) == (JobStatus.SUCCEEDED, Outcome.CHANGED)
    assert diary(machine)[3:] == ["stop 2", "stop 1", "start 1"]
    assert (await serving(), await active()) == (1, [1])


async def test_the_old_parts_are_not_left_running_on_a_host_that_lives(
    standing, carried_out, serving, active, machine, monkeypatch
):
    """Its disk is full: it cannot be told to stop them, and they run."""
    await standing(2)
    monkeypatch.setattr(RetryPolicy, "pause", lambda *_: 0.01)
    real = SshHost.run

    async def full(self, command, **more):
        if "stop ${RELEASE_DIR" in command.script:
            raise RunnerFailed("it cannot write: 0 kB free", hint="df")
        return await real(self, command, **more)

    with monkeypatch.context() as patched:
        patched.setattr(SshHost, "run", full)
        job = await carried_out(**_SWITCH, app_servers=("shop:2",))
    assert (job.status, job.error["code"]) == (JobStatus.FAILED, RunnerFailed.code)
    assert (await serving(), await active()) == (1, [1])
    assert "start 2" not in diary(machine)
