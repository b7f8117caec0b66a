"""A host that goes, or is of no use, keeps no job from its end."""

from dataclasses import replace

import pytest

from tests.support.diary import Diary, plan, run, step
from tests.support.fake_host import Answer, FakeHost
from worker.engine import Begun, Past
from worker.remote.errors import (
    AuthFailed,
    ConnectionLost,
    ForwardingRefused,
    HostBusy,
    HostKeyChanged,
    HostKeyMissing,
    HostUnreachable,
    RunnerFailed,
    StepTimeout,
)
from worker.steps.machine import DestroyMachine
from worker.steps.step import Command

STOP = replace(step("stop"), dispensable=True)
REMOVE = step("destroy-machine", DestroyMachine("cloud", "ll-1"))


class Machines:
    def __init__(self, *, stays=False):
        self.removed, self._stays = 0, stays

    async def create(self, show):
        pytest.fail("a machine was made")

    async def destroy(self, show):
        if not self._stays:
            self.removed += 1
        return not self._stays


@pytest.fixture
def host():
    return FakeHost()


def tidied(host):
    return (host.reaped, host.cleaned)


async def test_nobody_tidies_on_a_host_that_was_removed(host):
    machines = Machines()
    outcome = await run(plan(STOP, REMOVE), host, machines=machines)
    assert (outcome.error, machines.removed) == (None, 1)
    assert host.scripts == ["stop"]
    assert tidied(host) == ([], [])


async def test_nobody_tidies_on_a_host_that_was_passed_over(host):
    host.answers = {"stop": Answer(error=HostUnreachable("no answer", hint="ping"))}
    outcome = await run(plan(STOP), host)
    assert outcome.error is None
    assert tidied(host) == ([], [])


async def test_a_host_that_answers_is_tidied(host):
    await run(plan(STOP), host)
    assert tidied(host) == (["job"], ["job-1"])


#: A host that is cut off, or was never there.
GONE = [HostUnreachable, ConnectionLost, HostKeyMissing]
#: It lives, but it is another one, lets nobody in, or runs nothing.
USELESS = [HostKeyChanged, AuthFailed, ForwardingRefused, RunnerFailed]
FAILURES = [
    Answer(exit_code=1),
    Answer(error=StepTimeout("it hangs", hint="look")),
    Answer(error=HostBusy("somebody works there", hint="wait")),
]


def fails(error):
    return Answer(error=error("so it is", hint="look"))


@pytest.mark.parametrize(
    ("error", "harmless"), [*[(one, False) for one in GONE], *[(one, True) for one in USELESS]]
)
async def test_what_is_gone_is_passed_over_and_told_and_what_is_useless_where_nothing_goes_on(
    host, error, harmless
):
    host.answers, diary = {"stop": fails(error)}, Diary()
    of = plan(step("switch"), replace(STOP, harmless=harmless))
    outcome = await run(of, host, diary)
    assert outcome.error is None
    assert host.scripts == ["switch", "stop"]
    assert tidied(host) == ([], [])
    [told] = [line for line in diary.lines if "Passed over" in line]
    assert "so it is" in told


@pytest.mark.parametrize("error", USELESS)
async def test_what_goes_on_on_a_host_that_lives_is_not_passed_over(host, error):
    host.answers = {"stop": fails(error)}
    outcome = await run(plan(step("switch", undo=Command("switch back")), STOP), host)
    assert outcome.error.code == error.code


async def test_a_host_of_another_key_is_named_when_it_is_passed_over(host):
    host.answers, diary = {"stop": fails(HostKeyChanged)}, Diary()
    await run(plan(replace(STOP, harmless=True)), host, diary)
    assert "as it failed (host-key-changed)" in diary.lines[-1]


async def test_no_other_step_is_passed_over_on_a_host_of_another_key(host):
    host.answers = {"switch": fails(HostKeyChanged)}
    outcome = await run(plan(step("switch"), STOP), host)
    assert outcome.error.code == "host-key-changed"


@pytest.mark.parametrize("answer", [*map(fails, [*GONE, *USELESS]), *FAILURES])
async def test_whatever_fails_on_a_machine_it_is_removed(host, answer):
    machines = Machines()
    host.answers = {"stop": answer}
    outcome = await run(plan(STOP, REMOVE), host, machines=machines)
    assert (outcome.error, machines.removed) == (None, 1)


async def test_what_fails_behind_the_removal_fails(host):
    host.answers = {"stop": Answer(exit_code=1)}
    outcome = await run(plan(REMOVE, STOP), host, machines=Machines())
    assert outcome.error.code == "step-failed"


async def test_a_machine_that_stays_is_tidied(host):
    outcome = await run(plan(STOP, REMOVE), host, machines=Machines(stays=True))
    assert outcome.error is None
    assert tidied(host) == (["job"], ["job-1"])


@pytest.mark.parametrize("answer", [fails(HostUnreachable), *FAILURES])
async def test_what_was_passed_over_is_not_confirmed_while_the_machine_stays(host, answer):
    host.answers = {"stop": answer}
    machines = Machines(stays=True)
    outcome = await run(plan(STOP, replace(STOP, name="tidy up"), REMOVE), host, machines=machines)
    assert (outcome.error.code, outcome.error.step) == ("unconfirmed-gone", "destroy-machine")
    assert "left out there: stop, tidy up" in outcome.error.detail
    assert "liftlock jobs retry job" in outcome.error.hint


async def test_nor_in_an_attempt_that_goes_on(host):
    past = Past({1: Begun(facts={"passed_over": "stop"})})
    outcome = await run(plan(STOP, REMOVE), host, past=past, machines=Machines(stays=True))
    assert (outcome.error.code, host.scripts) == ("unconfirmed-gone", [])
