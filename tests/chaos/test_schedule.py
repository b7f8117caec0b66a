"""The campaign's faults and orders are drawn from the seed alone."""

import random

import pytest

from app.domain import recipe as recipes
from tests.chaos.campaign import load, recipe
from tests.chaos.campaign.schedule import TAKES_WORKER, Fault, Kind, Shape, schedule

SHAPE = Shape(workers=3, hosts=6, apis=2)
SIX_MINUTES = 360.0
seeds = pytest.mark.parametrize("seed", range(5))


def faults(seed: int, *, without: frozenset[Kind] = frozenset()) -> list[Fault]:
    return list(schedule(random.Random(seed), SIX_MINUTES, shape=SHAPE, left_out=without))


def test_the_same_seed_brings_the_same_faults():
    assert faults(7) == faults(7)
    assert faults(7) != faults(8)


def test_the_same_seed_asks_for_the_same_jobs():
    first, again = (load.orders(random.Random(7), ["a", "b"], 120, 360.0) for _ in range(2))
    assert first == again
    assert len({order.key for order in first}) == 120


@seeds
def test_six_minutes_are_enough_for_every_kind_of_fault(seed):
    assert {fault.kind for fault in faults(seed)} == set(Kind)


@seeds
def test_what_is_left_out_does_not_come(seed):
    without = frozenset({Kind.CLOCK_JUMP, Kind.PARTITION_HOST})
    assert not without & {fault.kind for fault in faults(seed, without=without)}


@seeds
def test_at_each_moment_a_worker_is_left(seed):
    taken = [
        (fault.at, fault.at + fault.lasts + TAKES_WORKER[fault.kind], fault.worker)
        for fault in faults(seed)
        if fault.kind in TAKES_WORKER
    ]
    for moment, _, _ in taken:
        away = {worker for since, until, worker in taken if since <= moment < until}
        assert len(away) < SHAPE.workers


@seeds
def test_a_worker_that_is_away_is_not_taken_again(seed):
    until = dict.fromkeys(range(SHAPE.workers), 0.0)
    for fault in faults(seed):
        if fault.kind in TAKES_WORKER:
            assert until[fault.worker] <= fault.at
            until[fault.worker] = fault.at + fault.lasts


def test_a_whole_cable_of_a_host_is_no_fault_of_one_worker():
    cut = [fault for seed in range(5) for fault in faults(seed) if fault.whole_cable]
    assert {fault.kind for fault in cut} == {Kind.PARTITION_HOST, Kind.PARTITION_POSTGRES}
    assert all((fault.worker is None) == (fault.kind is Kind.PARTITION_HOST) for fault in cut)


def test_the_recipe_is_a_valid_one():
    assert recipes.parse(recipe.source()).name == recipe.NAME
