"""What every host promises of its fence: both kinds of SSH servers, and the one of the engine's
tests, which only remembers."""

import pytest

from tests.support.fake_host import FakeHost
from worker.remote.errors import HostBusy, StaleToken
from worker.remote.host import Fence
from worker.steps.step import Command

LOCK = "instance:one"

#: What a host does for one attempt and for no older one.
DEEDS = ["run", "send", "kill", "reap", "clean"]


def fence(token, job="j"):
    return Fence({LOCK: token}, job=job, note=f"upgrade by {job}")


@pytest.fixture(params=["real", "fake"])
def host(request, machine, connect):
    return connect(machine) if request.param == "real" else FakeHost()


@pytest.fixture
def do(host, output, tmp_path):
    source = tmp_path / "source"
    source.write_text("content")

    async def do(deed, fence):
        match deed:
            case "run":
                name = f"{fence.job}-{fence.tokens[LOCK]}"
                await host.run(Command("true"), name=name, secrets={}, output=output, fence=fence)
            case "send":
                await host.send(source, "apps/file", fence)
            case "kill":
                await host.kill(f"{fence.job}-0", fence)
            case "reap":
                await host.reap(fence.job, fence)
            case "clean":
                await host.clean(f"{fence.job}-0", fence=fence)

    return do


@pytest.fixture
def leave_running(host, output):
    """A process of that job outlives its step."""

    async def leave(job, token):
        if isinstance(host, FakeHost):
            host.holders[LOCK] = job
        script = Command("sleep 300 & :")
        await host.run(script, name=f"{job}-9", secrets={}, output=output, fence=fence(token, job))

    return leave


@pytest.mark.parametrize("deed", DEEDS)
async def test_an_older_attempt_is_refused_everything(do, deed):
    await do("run", fence(7))
    with pytest.raises(StaleToken, match=rf"refuses token 6 of lock {LOCK}: .*seen 7") as stale:
        await do(deed, fence(6))
    assert (stale.value.lock, stale.value.token, stale.value.newest) == (LOCK, 6, 7)
    await do(deed, fence(7))


@pytest.mark.parametrize("deed", DEEDS)
async def test_a_newer_attempt_shuts_out_the_older_with_its_first_deed(do, deed):
    await do("run", fence(7))
    await do(deed, fence(8))
    with pytest.raises(StaleToken, match="seen 8"):
        await do("run", fence(7))


@pytest.mark.parametrize("deed", ["run", "send"])
async def test_what_another_job_left_running_keeps_others_out_and_is_named(do, leave_running, deed):
    await leave_running("j", 1)
    with pytest.raises(HostBusy, match=rf"job j started holds lock {LOCK}") as busy:
        await do(deed, fence(2, "i"))
    assert busy.value.transient
    await do(deed, fence(2, "j"))
