"""Store, services and Redis locks against a model in plain Python, by random rules.

A short, always equal run is part of `make test`. A longer one, with a seed of its own, is

    HYPOTHESIS_PROFILE=chaos .venv/bin/python -m pytest tests/chaos/test_model.py -s

It prints its seed; CHAOS_SEED=N repeats it, CHAOS_EXAMPLES=N changes how long it is. A failure is
shrunk and printed as a short program of rules, with a line `@reproduce_failure(version, blob)`:
put it above `class LiftlockMachine` in tests/chaos/model/machine.py to run that program alone, or
call the rules from a test, as the program says.
"""

import os
import random
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from app import store
from app.domain.job import LeasePolicy
from app.gateways import locks
from app.services import claiming, execution
from tests.chaos.model.machine import LiftlockMachine
from tests.chaos.model.world import World
from worker.jobs import locking

CHAOS = os.environ.get("HYPOTHESIS_PROFILE") == "chaos"
LIMIT = 900 if CHAOS else 240
pytestmark = pytest.mark.timeout(LIMIT)

_COMMON = settings(
    deadline=None,
    database=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
SHORT = settings(_COMMON, derandomize=True, max_examples=40, stateful_step_count=40)
LONG = settings(
    _COMMON, max_examples=int(os.environ.get("CHAOS_EXAMPLES", "300")), stateful_step_count=60
)
#: For what must be found at once; what is found need not be made short.
BLUNT = settings(SHORT, phases=[Phase.generate])

#: What the run must have met.
MET = {
    "claimed",
    "blocked",
    "refused by Redis",
    "late claim",
    "race",
    "renewed",
    "suspended",
    "handed over",
    "settled",
    "recovered",
    "dispatched",
    "flushed",
    "waiter died",
    "released by an old attempt",
    "cancel of a job that has begun",
    "answered",
    "manual lock placed",
    "manual lock lifted",
    "request refused by a manual lock",
    "ended by a manual lock",
    "holder alive",
    "lock broken",
    "refused: claim",
    "refused: every write",
}


@pytest.fixture
def world(database_url, redis_url, vault, monkeypatch):
    """Where nothing ends by itself: neither leases nor places in line nor patience."""
    hour = timedelta(hours=1)
    for module in (claiming, execution):
        monkeypatch.setattr(module, "LeasePolicy", lambda: LeasePolicy(lease=hour))
    monkeypatch.setattr(locks, "TICKET", 3_600_000)
    monkeypatch.setattr(locks, "GRACE", 3_600_000)
    monkeypatch.setattr(locking, "_AGAIN", ())
    world = World(database_url, redis_url, vault)
    yield world
    world.close()


def machine_in(world):
    """The machine's class for this test's world."""

    class Machine(LiftlockMachine):
        seen = Counter()

    Machine.world = world
    return Machine


def test_everything_holds_whatever_happens(world, capsys):
    machine = machine_in(world)
    number = int(os.environ.get("CHAOS_SEED") or random.randrange(2**32))
    if CHAOS:
        with capsys.disabled():
            print(f"\nCHAOS_SEED={number}")
        machine = seed(number)(machine)
    run_state_machine_as_test(machine, settings=LONG if CHAOS else SHORT)
    print(machine.seen)
    assert not MET - set(machine.seen), machine.seen


#: Where a guard is, and what is there instead.
MISSING = {
    "attempt of an event": (store.events, "_APPEND", "attempt = $2 AND ", ""),
    "lease of an event": (store.events, "_APPEND", " AND lease_until IS NOT NULL", ""),
    "lease of a renewal": (store.attempts, "_RENEW", "AND lease_until IS NOT NULL", ""),
    "attempt of an end": (store.attempts, "_SETTLE", "attempt = $2", "attempt >= $2"),
    "attempt of a claim": (store.attempts, "_CLAIM", "attempt = $2 - 1", "attempt >= $2 - 1"),
    "holder of a lock": (store.turns, "_LOOK", "jobs.id <> $1", "false"),
    "owner of a release": (locks, "_SCRIPT", "if has[1] == ARGV[3] then", "if has[1] then"),
}


@pytest.mark.parametrize("fence", sorted(MISSING))
def test_the_machine_finds_a_missing_fence(request, monkeypatch, fence):
    module, name, guard, instead = MISSING[fence]
    statement = getattr(module, name)
    assert guard in statement
    monkeypatch.setattr(module, name, statement.replace(guard, instead, 1))
    machine = machine_in(request.getfixturevalue("world"))
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        run_state_machine_as_test(machine, settings=BLUNT)
