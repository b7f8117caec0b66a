"""Supervision, with small programs in place of the parts."""

import asyncio
import os
import signal
import sys

import pytest

from local.children import Child, Children, Policy, trim
from local.errors import Failed
from local.up import turn

QUICK = Policy(first_delay=0.01, ready_within=10)


class Notes:
    """What the children said and which processes they remembered."""

    def __init__(self):
        self.said = []
        self.processes = {}

    def remember(self, name, process):
        self.processes[name] = process


@pytest.fixture
def notes():
    return Notes()


@pytest.fixture
async def children(tmp_path, notes):
    children = Children(tmp_path, remember=notes.remember, say=notes.said.append, policy=QUICK)
    yield children
    await children.stop()


def program(tmp_path, text, *, name="part", stop=((signal.SIGTERM, 5.0),)):
    return Child(name=name, argv=(sys.executable, "-c", text), env={}, cwd=tmp_path, stop=stop)


def counting(tmp_path):
    """A program that leaves a line in `starts` each time, then waits."""
    return program(
        tmp_path,
        "import signal; print('x', file=open('starts', 'a', buffering=1)); signal.pause()",
    )


def starts(tmp_path):
    path = tmp_path / "starts"
    return len(path.read_text().splitlines()) if path.exists() else 0


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_dead_child_is_started_again_and_remembered(children, notes, tmp_path):
    await children.start(counting(tmp_path), ready=lambda: starts(tmp_path) == 1)
    first = notes.processes["part"]
    first_id = first.pid
    os.kill(first_id, signal.SIGKILL)
    await until(lambda: starts(tmp_path) == 2)
    await until(lambda: notes.processes["part"] != first)
    assert notes.said == ["part died (SIGKILL); starting it again in 0.0 s"]


async def test_a_child_that_dies_five_times_ends_the_watch_with_its_last_lines(
    children, notes, tmp_path
):
    child = program(tmp_path, "raise SystemExit('no disk, no fun')")
    with pytest.raises(Failed, match=r"part died 5 times within 60 s \(exit code 1\)") as caught:
        await children.start(child, ready=lambda: False)
    assert "no disk, no fun" in str(caught.value)
    assert len(notes.said) == 4


async def test_a_child_that_never_gets_ready_fails_the_start(tmp_path, notes):
    policy = Policy(ready_within=0.1)
    children = Children(tmp_path, remember=notes.remember, say=notes.said.append, policy=policy)
    with pytest.raises(Failed, match="part did not become ready"):
        await children.start(counting(tmp_path), ready=lambda: False)
    await children.stop()


async def test_children_stop_in_reverse_order_each_before_the_next(children, notes, tmp_path):
    order = []
    notes.remember = lambda name, process: process or order.append(name)
    children._remember = notes.remember
    for name in ("first", "second", "third"):
        child = program(tmp_path, "import signal; signal.pause()", name=name)
        await children.start(child, ready=lambda: True)
    await children.stop()
    assert order == ["third", "second", "first"]


async def test_workers_stop_before_the_hosts_they_work_on_and_the_servers_last(tmp_path):
    order = []

    def remember(name, process):
        if process is None:
            order.append(name)

    children = Children(tmp_path, remember=remember, say=print, policy=QUICK, turn=turn)
    hosts = ("demo-1-ssh", "demo-1-supervisord", "demo-2-ssh", "demo-2-supervisord")
    for name in ("postgres", "redis", "api", "worker-1", "worker-2", *hosts):
        child = program(tmp_path, "import signal; signal.pause()", name=name)
        await children.start(child, ready=lambda: True)
    await children.stop()
    assert order[:3] == ["worker-2", "worker-1", "api"]
    assert set(order[3:7]) == set(hosts)
    assert order[7:] == ["redis", "postgres"]


async def test_a_child_that_ignores_its_signal_is_killed(children, notes, tmp_path):
    text = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open('deaf', 'w'); signal.pause()"
    )
    child = program(tmp_path, text, stop=((signal.SIGTERM, 0.1),))
    await children.start(child, ready=(tmp_path / "deaf").exists)
    process = notes.processes["part"]
    await children.stop()
    assert not process.is_alive()
    assert notes.said == ["part did not stop; killing it"]


async def test_a_second_interrupt_shortens_the_wait(children, notes, tmp_path):
    text = (
        "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "open('deaf', 'w'); signal.pause()"
    )
    child = program(tmp_path, text, stop=((signal.SIGTERM, 3600.0),))
    await children.start(child, ready=(tmp_path / "deaf").exists)
    children.hurry()
    await children.stop()
    assert not notes.processes["part"]


async def test_no_child_is_started_after_the_stop_began(children, notes, tmp_path):
    children._policy = Policy(first_delay=3600)
    child = program(tmp_path, "open('died', 'a').write('x')")
    waiting = asyncio.create_task(children.start(child, ready=lambda: False))
    await until(lambda: notes.said)
    waiting.cancel()
    await children.stop()
    assert (tmp_path / "died").read_text() == "x"


async def test_a_program_that_does_not_exist_is_named(children, tmp_path):
    child = Child(name="part", argv=("/does/not/exist",), env={}, cwd=tmp_path)
    with pytest.raises(Failed, match="part cannot be started"):
        await children.start(child, ready=lambda: True)


async def test_once_returns_the_output(children, tmp_path):
    assert await children.once(program(tmp_path, "print('a token')")) == "a token\n"


async def test_once_shows_why_it_failed(children, tmp_path):
    with pytest.raises(Failed, match="exit code 3") as caught:
        await children.once(program(tmp_path, "import sys; print('why', file=sys.stderr); exit(3)"))
    assert "why" in str(caught.value)


async def test_a_program_that_runs_once_is_ended_by_the_stop(children, tmp_path):
    child = program(tmp_path, "import signal; open('begun', 'w'); signal.pause()")
    running = asyncio.create_task(children.once(child))
    await until((tmp_path / "begun").exists)
    running.cancel()
    await children.stop()
    assert children._once.returncode == -signal.SIGTERM


def test_delays_double_up_to_the_longest():
    delays = [Policy().delay(deaths) for deaths in (1, 2, 3, 7, 50)]
    assert delays == [0.2, 0.4, 0.8, 10.0, 10.0]


def test_a_long_log_begins_anew_and_keeps_one_older_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("local.children.LOG_LIMIT", 4)
    log = tmp_path / "part.log"
    with log.open("ab", buffering=0) as writing:
        writing.write(b"old lines")
        trim(log)
        writing.write(b"new")
    assert log.read_bytes() == b"new"
    assert (tmp_path / "part.log.1").read_bytes() == b"old lines"
