"""What makes a run of `make bench-activation` green or red, and with what it ends."""

import json
from collections import Counter
from types import SimpleNamespace

import pytest

from benchmarks import activation, fronts, switching
from benchmarks.switching import Switching
from benchmarks.tally import Run, Traffic
from benchmarks.traffic import Counted

WANTED = 500
GREEN = {
    "seconds": 2.0,
    "sent": 1000,
    "right": Counter(fast=990, slow=10),
    "wrong": Counter(),
    "words": [],
    "servers": Counter({"4000": 1000}),
    "fast": [1.0, 2.0],
    "connections": 36,
}


def run(*, left=(0, 0), trouble=(), **traffic):
    made = Run("caddy", took=[0.5, 0.6], left=list(left), trouble=list(trouble))
    made.traffic = Traffic(**{**GREEN, **traffic})
    return made


def test_a_run_that_lost_nothing_at_the_rate_is_green():
    assert run().is_green(WANTED)


@pytest.mark.parametrize(
    "found",
    [
        {"sent": 1001, "wrong": Counter({"status 502": 1})},
        {"wrong": Counter({"reset": 1})},
        {"sent": 1001},
        {"seconds": 2.001},
        {"left": (0, 1)},
        {"trouble": ("switch 2 failed: None",)},
    ],
    ids=["one failed", "failed and right", "unanswered", "slow", "left behind", "trouble"],
)
def test_one_fault_makes_a_run_red(found):
    assert not run(**found).is_green(WANTED)


def test_what_the_client_wrote_is_what_is_judged(tmp_path):
    counted = Counted(sent=3, right=Counter(fast=2), connections=1)
    counted.failed("short", "fast 1")
    (tmp_path / "found").write_text(json.dumps({"seconds": 2, **vars(counted)}))
    read = Traffic.read(tmp_path / "found")
    assert (read.sent, read.failed, read.rate) == (3, 1, 1.0)
    assert read.words == ["fast 1: short"]


@pytest.fixture
def ended(monkeypatch):
    """With what the command ends, given the runs, and the routers that are on the machine."""

    def end(*runs, kinds=("caddy", "nginx")):
        async def measure(*_):
            return list(runs)

        monkeypatch.setattr(activation, "_run", measure)
        monkeypatch.setattr(fronts, "program", lambda kind: kind if kind in kinds else None)
        monkeypatch.setattr("sys.argv", ["activation", "--only", "caddy", "nginx"])
        # It would not end at a TERM any more.
        monkeypatch.setattr("signal.signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            activation.main()
        return ended.value.code

    return end


def test_the_command_ends_with_0_when_all_runs_are_green(ended):
    assert ended(run(), run()) == 0


def test_the_command_ends_with_1_when_one_run_is_red(ended):
    assert ended(run(), run(wrong=Counter(reset=1))) == 1


def test_the_command_ends_with_1_when_nothing_was_measured(ended):
    assert ended(kinds=()) == 1


def test_the_command_ends_with_1_when_a_router_was_not_measured(ended):
    assert ended(run(), kinds=("caddy",)) == 1


class Api:
    """Whose jobs end as told."""

    def __init__(self, *ends):
        self._ends = list(ends)

    async def ask(self, method, _path, _body=None):
        if method == "POST":
            return {"id": "1"}
        error = {"code": "check-failed"}
        status = self._ends.pop(0)
        return {"status": status, "error": None if status == "succeeded" else error}


@pytest.fixture
def switched(monkeypatch):
    """The run of as many switches as jobs are told, with requests left behind after each."""

    async def site(*_):
        return SimpleNamespace(json=lambda: {"under_way": 2})

    monkeypatch.setattr(switching, "_ask", site)

    async def switch(*ends, seconds=60, step="_switch"):
        made, pair = Run("caddy"), [{"id": "a"}, {"id": "b"}]
        asked = Switching(None, Api(*ends), None, rate=1)
        if step == "_break":
            await asked._break(made, pair)
        else:
            await asked._switch(made, pair, len(ends), switching.time.monotonic() + seconds)
        return made

    return switch


async def test_switches_that_succeed_are_no_trouble(switched):
    made = await switched("succeeded", "succeeded")
    assert (made.trouble, made.left, len(made.took)) == ([], [2, 2], 2)


async def test_a_switch_that_fails_is_trouble(switched):
    made = await switched("succeeded", "failed")
    assert made.trouble == ["switch 2 failed: {'code': 'check-failed'}"]


async def test_switches_that_were_not_made_in_time_are_trouble(switched):
    made = await switched("succeeded", seconds=-1)
    assert made.trouble == ["only 0 of 1 switches in the time for them"]


async def test_a_broken_server_that_is_activated_is_trouble(switched):
    made = await switched("succeeded", step="_break")
    assert made.trouble == ["a server that answers 500 was activated"]
    assert made.broken == "activated"


async def test_a_broken_server_that_is_refused_is_none(switched):
    made = await switched("failed", step="_break")
    assert (made.trouble, made.broken) == ([], "check-failed")
