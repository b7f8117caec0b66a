from datetime import UTC, datetime, timedelta

import pytest

from app.domain.machine import Wait, Waits
from tests.support.fake_provider import FakeProvider, impossible, made_as
from worker.providers.checking import PREFIX, Check
from worker.providers.lifecycle import Lifecycle
from worker.providers.provider import MachineFailed, ProviderFailed, Wish
from worker.providers.sweeping import Policy

SOON = Wait(0.05, 0.01)
TAG = f"{PREFIX}1"


class Tried:
    def __init__(self, provider=None, *, keeps=False, up=True):
        self.provider = provider or FakeProvider()
        self.up, self.passed, self.shown = up, [], []
        waits = Waits(state=SOON, reboot=SOON, shutdown=SOON)
        life = Lifecycle(self.provider, self.record, self.show, waits, self.answers)
        self.check = Check(life, self.passed.append, keeps=keeps)

    async def record(self, machine):
        pass

    async def show(self, line):
        self.shown.append(line)

    async def answers(self, address, port):
        return self.up

    async def run(self):
        await self.check.run(TAG, Wish())


class Doubling(FakeProvider):
    """Makes another machine whenever it is asked."""

    async def create(self, tag, wish, show):
        self.machines.pop(tag, None)
        return await super().create(tag, wish, show)


class Forgetful(FakeProvider):
    async def list(self, show):
        return ()


class Clinging(FakeProvider):
    """Says that it removed what it did not."""

    async def destroy(self, tag, show):
        made = self.machines.get(tag)
        gone = await super().destroy(tag, show)
        self.machines[tag] = made
        return gone


class Rewording(FakeProvider):
    async def create(self, tag, wish, show):
        made = await super().create(tag, wish, show)
        self.machines[tag] = made_as(tag, machine_id=made.machine_id, address="192.0.2.9")
        return made


async def test_a_provider_that_does_all_right_passes_and_keeps_nothing():
    tried = Tried()
    await tried.run()
    assert [line.partition(":")[0] for line in tried.passed] == [
        "create",
        "list",
        "create again",
        "destroy",
        "destroy again",
    ]
    assert not tried.provider.machines


async def test_a_machine_that_is_to_be_kept_stays():
    tried = Tried(keeps=True)
    await tried.run()
    assert list(tried.provider.machines) == [TAG]


@pytest.mark.parametrize(
    ("provider", "sentence"),
    [
        (Doubling(), "Asked again, it made m-"),
        (Forgetful(), "and lists \\[\\] with the tag"),
        (Clinging(), "was removed, and is still listed"),
        (Rewording(), "in other words than it made it"),
        (FakeProvider(create_fails=impossible(TAG)), "There is no room"),
    ],
    ids=lambda value: type(value).__name__,
)
async def test_a_provider_that_does_something_wrong_is_told_so(provider, sentence):
    with pytest.raises(MachineFailed, match=sentence):
        await Tried(provider).run()


async def test_a_machine_is_removed_when_something_is_wrong_with_it():
    tried = Tried(up=False)
    with pytest.raises(MachineFailed, match="does not answer SSH"):
        await tried.run()
    assert not tried.provider.machines


async def test_a_machine_that_may_be_left_is_told_by_its_tag():
    tried = Tried(FakeProvider(destroy_fails="The API answered 500."))
    with pytest.raises(ProviderFailed, match=r"whether the machine .* is gone"):
        await tried.run()
    assert f"{TAG} may still be there: The API answered 500." in tried.shown


@pytest.mark.parametrize(("policy", "left"), [(Policy.REPORT, 1), (Policy.REMOVE, 0)])
async def test_what_an_earlier_check_left_is_told_and_removed_if_wanted(policy, left):
    tried = Tried(FakeProvider(created=datetime.now(UTC) - timedelta(days=1)))
    tried.provider.machines[TAG] = None
    await tried.check.leftovers(policy)
    assert any(line.startswith(f"left by an earlier check: {TAG}") for line in tried.passed)
    assert len(tried.provider.machines) == left


async def test_machines_of_others_and_of_a_check_that_runs_now_are_left_alone():
    tried = Tried()
    tried.provider.machines[TAG] = None
    await tried.check.leftovers(Policy.REMOVE)
    tried.provider.created = datetime.now(UTC) - timedelta(days=1)
    tried.provider.machines = {"somebody-elses": None}
    await tried.check.leftovers(Policy.REMOVE)
    assert tried.provider.machines
    assert not any("destroy" in action for action, _ in tried.provider.calls)
