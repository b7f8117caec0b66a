"""One job on several real hosts, over the connections of one worker."""

import asyncio
from dataclasses import replace

import pytest

from app.domain.job import Ending, EndingWhy
from tests.support.diary import Diary, plan, run, step
from tests.support.ssh_server import running_server
from worker.engine import Begun, Past, RetryPolicy, Stop
from worker.engine.policy import SILENT
from worker.remote.errors import StaleToken
from worker.remote.following import Patience
from worker.remote.host import Fence
from worker.remote.hosts import Pool
from worker.steps.step import Command

FENCE = Fence({"instance:1": 8}, "job", "attempt 1")
NEWER = Fence({"instance:1": 9}, "other", "attempt 2")


@pytest.fixture
async def web2(tmp_path):
    async with running_server(tmp_path / "web2", name="web2") as server:
        yield server


@pytest.fixture
async def carry_out(server, web2):
    """Run a plan on `demo`, from where `web2` is known, with one pool."""

    async def carry_out(of, diary=None, *, fence=FENCE, **options):
        hosts = pool.hosts([server.identity, web2.identity])
        return await run(
            of,
            hosts.host(server.address),
            diary,
            hosts=lambda name: {"web2": hosts.host(web2.address)}[name],
            fence=fence,
            **options,
        )

    async with Pool() as pool:
        yield carry_out


def at_web2(name, script, undo=None):
    return replace(step(name, Command(script), Command(undo) if undo else None), at="web2")


async def test_facts_go_from_host_to_host_over_one_connection_each(carry_out, server, web2):
    of = plan(
        step("look", Command("echo commit=abc", reports=("commit",))),
        at_web2("there", 'echo "$COMMIT" > ../there'),
        step("here", Command('echo "$COMMIT" > ../here')),
        at_web2("more", "echo more >> ../there"),
    )
    assert (await carry_out(of)).error is None
    assert (web2.home / "there").read_text() == "abc\nmore\n"
    assert (server.home / "here").read_text() == "abc\n"
    assert (len(server.connections), len(web2.connections)) == (1, 1)
    assert not [*(server.base / "steps").glob("job-*"), *(web2.base / "steps").glob("job-*")]


async def test_a_failure_on_one_host_is_undone_on_both(carry_out, server, web2):
    of = plan(
        step("here", Command("touch ../here"), Command("rm ../here")),
        at_web2("there", "touch ../there", undo="rm ../there"),
        at_web2("break", "exit 7"),
    )
    outcome = await carry_out(of)
    assert outcome.undone
    assert not (server.home / "here").exists()
    assert not (web2.home / "there").exists()


async def test_a_host_that_went_away_keeps_no_other_from_its_undo(
    carry_out, server, web2, monkeypatch
):
    monkeypatch.setattr("worker.remote.ssh_host.Patience", lambda: Patience(away=0))
    monkeypatch.setattr("worker.remote.link.PAUSES", (0.001,))
    diary = Diary()

    def hears(line):
        if line.startswith("2 there succeeded"):
            web2.away = True
            for connection in tuple(web2.connections):
                connection.abort()

    diary.hears = hears
    of = plan(
        step("here", Command("touch ../here"), Command("rm ../here")),
        at_web2("there", "touch ../there", undo="rm ../there"),
        at_web2("more", "true"),
    )
    outcome = await carry_out(of, diary, retry=RetryPolicy(tries=1))
    assert outcome.error is not None
    assert outcome.error.code in SILENT
    assert not outcome.undone
    assert not (server.home / "here").exists()
    assert not list((server.base / "steps").glob("job-*"))


async def test_a_cancel_ends_what_runs_on_the_other_host(carry_out, server, web2):
    stop, begun, diary = Stop(), asyncio.Event(), Diary()

    async def output(*_what, **_more):
        begun.set()

    diary.output = output
    of = plan(
        step("here", Command("touch ../here"), Command("rm ../here")),
        at_web2("there", "echo begun; sleep 300; :"),
    )
    running = asyncio.create_task(carry_out(of, diary, stop=stop))
    await begun.wait()
    stop.order(Ending(EndingWhy.CANCELED, at="2026-01-01T00:00:00+00:00"))
    outcome = await running
    assert (outcome.undone, outcome.unproven) == (True, None)
    assert not web2.processes(f"LIFTLOCK_BASE={web2.base}")
    assert not (server.home / "here").exists()


async def test_a_successor_meets_what_runs_on_the_other_host(carry_out, web2):
    begun = asyncio.Event()

    class Dying(Diary):
        async def output(self, *what, **more):
            await super().output(*what, **more)
            begun.set()

    of = plan(at_web2("there", "echo once >> ../there; echo begun; until [ -e ../go ]; do :; done"))
    first = asyncio.create_task(carry_out(of, Dying()))
    await begun.wait()
    first.cancel()
    await asyncio.wait({first})
    (web2.home / "go").touch()
    diary = Diary()
    assert (await carry_out(of, diary, past=Past({1: Begun(running=True)}))).error is None
    assert (web2.home / "there").read_text() == "once\n"
    assert diary.said == "begun\n"


async def test_each_host_refuses_who_was_overtaken_there(carry_out, server, web2):
    await carry_out(plan(at_web2("there", "true")), fence=NEWER)
    of = plan(step("here", Command("touch ../here"), Command("rm ../here")), at_web2("x", "true"))
    with pytest.raises(StaleToken):
        await carry_out(of)
    assert (server.home / "here").exists()
