"""The judge, on histories that were made up: each damage turns its check red, and no other."""

from dataclasses import replace

import pytest

from tests.chaos.judge import judge
from tests.chaos.judge.history import Accepted, AppServer, Lock, Seen, Served, Torn
from tests.chaos.made_up import (
    FIRST,
    LATER,
    LINES,
    OTHER,
    SECOND,
    USUAL,
    WORKER,
    good,
    made,
    marks,
    started,
    step,
)


def red(history):
    return judge(history).red


def test_a_good_history_is_green():
    assert red(good()) == []


# --- jobs --------------------------------------------------------------------------------------


def test_a_job_that_was_accepted_and_is_not_there_is_lost():
    history = good()
    gone = Accepted("nobody", "shop", "web-1", at=0)
    assert red(replace(history, accepted=[*history.accepted, gone])) == ["lost"]


def test_a_job_that_does_not_end_is_lost():
    open_ = good(USUAL[:-1], status="running", is_leased=True, finished_at=None)
    assert red(open_) == ["lost"]


def test_a_request_that_made_two_jobs_is_found():
    history = good()
    assert red(replace(history, accepted=history.accepted[:1])) == ["unasked"]


# --- effects -----------------------------------------------------------------------------------

TWICE = [(3.2, "begin", 1), (3.4, "end", 1), (4.2, "begin", 1), (4.4, "end", 1)]


def test_a_step_with_two_effects_is_doubled():
    assert red(good(lines=[*TWICE, *LINES[2:]])) == ["doubled"]


def test_a_step_with_an_effect_before_its_intent_is_doubled():
    assert red(good(lines=[(2.5, "begin", 1), *LINES[1:]])) == ["doubled"]


def test_a_successor_that_begins_a_step_under_its_name_may_not_repeat_it():
    recovered = [
        *USUAL[:3],
        ("job.recovered", {"worker": WORKER, "attempt": 1}),
        started(2, token=2, worker=OTHER),
        *USUAL[2:],
    ]
    lines = [(3.2, "begin", 1), (6.2, "end", 1), (8.2, "begin", 2), (8.8, "end", 2)]
    assert red(good(recovered, lines)) == []
    doubled = [(3.2, "begin", 1), (3.9, "end", 1), (6.2, "begin", 1), (6.4, "end", 1), *lines[2:]]
    assert red(good(recovered, doubled)) == ["doubled"]


RETRY = {"try": 2, "of": 4, "fresh": True, "undo": False}
UNKNOWN = [*USUAL[:3], step("unknown", 1), step("retrying", 1, **RETRY), *USUAL[3:]]
#: The first run was cut.
CUT = [(3.2, "begin", 1), (5.2, "begin", 1), (5.8, "end", 1), (7.2, "begin", 2), (7.8, "end", 2)]


def test_a_step_with_an_unknown_end_may_be_repeated_when_the_events_say_so():
    history = good(UNKNOWN, CUT)
    assert red(history) == []
    assert judge(history).unknown == 1


def test_a_step_that_is_met_again_may_not_be_repeated():
    met = [*USUAL[:3], step("unknown", 1), step("retrying", 1, **{**RETRY, "fresh": False})]
    assert red(good([*met, *USUAL[3:]], CUT)) == ["doubled"]


def test_a_step_may_not_be_repeated_before_the_events_say_so():
    assert red(good(UNKNOWN, [(3.2, "begin", 1), (4.9, "begin", 1), *CUT[2:]])) == ["doubled"]


def test_a_step_about_which_somebody_answered_repeat_may_be_repeated():
    answered = [
        *USUAL[:3],
        step("unknown", 1),
        ("job.suspended", {"kind": "question"}),
        ("job.answered", {"answer": "repeat"}),
        ("job.resumed", {"attempt": 2, "worker": OTHER, "tokens": {"instance:1": 2}}),
        step("started", 1, anew=True),
        *USUAL[3:],
    ]
    lines = [(3.2, "begin", 1), (8.2, "begin", 1), (8.8, "end", 1), (10.2, "begin", 2)]
    assert red(good(answered, lines)) == []


def test_a_step_that_was_undone_may_be_done_again():
    undone = [*USUAL[:4], step("undone", 1), *USUAL[2:]]
    lines = [*LINES[:2], (6.2, "begin", 1), (6.8, "end", 1), (8.2, "begin", 2), (8.8, "end", 2)]
    assert red(good(undone, lines)) == []


def test_an_undo_that_is_tried_again_allows_nothing():
    retry = step("retrying", 1, **{**RETRY, "undo": True})
    assert red(good([*USUAL[:3], retry, *USUAL[3:]], [(3.2, "begin", 1), *CUT[1:]])) == ["doubled"]


def test_a_step_with_two_results_is_doubled():
    twice = [*USUAL[:4], step("started", 1), step("succeeded", 1), *USUAL[4:]]
    lines = [*LINES[:2], (7.2, "begin", 2)]
    assert red(good(twice, lines)) == ["doubled"]


def test_two_steps_of_a_job_at_a_time_are_disorder():
    assert red(good(lines=[(3.2, "begin", 1), (5.5, "end", 1), *LINES[2:]])) == ["disorder"]


def test_two_steps_of_a_job_in_the_wrong_order_are_disorder():
    early = [*USUAL[:3], step("started", 2), *USUAL[3:]]
    lines = [(4.2, "begin", 2), (4.4, "end", 2), (4.5, "begin", 1), (4.8, "end", 1)]
    assert red(good(early, lines)) == ["disorder"]


# --- locks -------------------------------------------------------------------------------------


def test_two_jobs_at_one_instance_overlap():
    history = good()
    late = marks(FIRST, *LINES[:3], (LATER + 4, "end", 2))
    assert red(replace(history, marks=[*late, *history.marks[4:]])) == ["overlaps"]


def test_two_jobs_that_hold_one_instance_by_their_events_overlap():
    first, second = good().jobs
    behind = [replace(event, at=event.at - LATER) for event in second.events]
    history = replace(good(), jobs=[first, made(SECOND, behind)], marks=())
    assert red(history) == ["overlaps"]
    other = made(SECOND, behind, instance="blog")
    assert "overlaps" not in red(replace(history, jobs=[first, other]))


def test_a_begin_without_an_end_proves_its_moment_only():
    assert red(good(lines=LINES[:3])) == []


@pytest.mark.parametrize("token", [9, 10])
def test_a_token_that_does_not_grow(token):
    history = replace(good([USUAL[0], started(token=token), *USUAL[2:]]), locks=())
    assert red(history) == ["tokens"]


def test_a_lock_whose_row_is_behind():
    assert red(replace(good(), locks=[Lock("instance:1", 8)])) == ["tokens"]


# --- events and ends -----------------------------------------------------------------------------


def with_events(history, change):
    first, *rest = history.jobs
    return replace(history, jobs=[replace(first, events=change(first.events)), *rest])


@pytest.mark.parametrize(
    "change",
    [
        lambda events: events[:3] + events[4:],
        lambda events: (*events[:3], events[2], *events[3:]),
        lambda events: events[1:],
    ],
    ids=["gap", "twice", "first"],
)
def test_events_that_are_not_one_two_three(change):
    history = with_events(good(lines=()), change)
    assert red(history) == ["gaps"]


def test_events_that_end_before_the_last_number():
    assert red(good(last_seq=8)) == ["gaps"]


def test_an_event_behind_the_last_one():
    behind = [*USUAL, step("output", 2)]
    assert red(good(behind, finished_at=7)) == ["late"]


def test_a_result_behind_the_last_event():
    history = good()
    steps = [replace(history.steps[0], finished_at=7.5), *history.steps[1:]]
    assert red(replace(history, steps=steps)) == ["late"]


def test_an_effect_behind_the_last_event():
    unmatched = [*UNKNOWN[:5], ("job.failed", {})]
    values = {"status": "failed", "outcome": "rolled_back"}
    lines = [(3.2, "begin", 1), (8.2, "begin", 1)]
    assert red(good(unmatched, lines, **values)) == ["late"]
    unproven = {"status": "failed", "outcome": "rollback_failed"}
    assert red(good(unmatched, lines, **unproven)) == []


def test_two_last_events():
    assert red(good([*USUAL, ("job.succeeded", {})])) == ["ends"]


def test_an_end_without_a_last_event():
    assert red(good(USUAL[:-1])) == ["ends"]


@pytest.mark.parametrize(
    "history",
    [
        good(status="failed"),
        good(finished_at=7.5),
        replace(good(), seen=[Seen(FIRST, "failed", at=8)]),
    ],
    ids=["status", "written again", "seen"],
)
def test_a_final_state_that_changed(history):
    assert red(history) == ["final"]


def test_what_was_seen_before_the_end_may_differ():
    assert red(replace(good(), seen=[Seen(FIRST, "running", at=3)])) == []


# --- what is left --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "history",
    [
        good(is_leased=True),
        replace(good(), app_servers=[AppServer("shop-1", FIRST, "configuring")]),
        replace(good(), redis_locks=["lock:instance:1"]),
    ],
    ids=["lease", "app server", "Redis"],
)
def test_what_outlives_the_work(history):
    assert red(history) == ["leftovers"]


def test_a_line_may_be_cut_where_its_step_was():
    assert red(replace(good(), torn=[Torn("web-1", 9, "17", is_last=True)])) == []
    cut = Torn("web-1", 4, "1763", is_last=False)
    history = good(lines=LINES[:3])
    assert red(replace(history, marks=history.marks[:3], torn=[cut])) == []
    assert red(replace(good(), torn=[replace(cut, line=3)])) == ["torn"]


# --- who serves ----------------------------------------------------------------------------------

TURNS = [
    *USUAL[:-1],
    ("app_server.deactivated", {"name": "AppServer 1"}),
    ("app_server.activated", {"name": "AppServer 2"}),
    USUAL[-1],
]
WHOLE = Served(
    "shop",
    active=frozenset({2}),
    wanted=frozenset({"10.0.0.1:8002"}),
    routed=frozenset({"10.0.0.1:8002"}),
    is_settled=True,
    background=frozenset({2}),
    current=2,
)
HALF = [
    {"active": frozenset({1, 2}), "background": frozenset({1, 2})},
    {"routed": frozenset({"10.0.0.1:8001"})},
    {"routed": frozenset()},
    {"is_settled": False},
    {"background": frozenset({1, 2})},
    {"current": 1},
]


def turned(damage, **values):
    return replace(good(TURNS, **values), served=[replace(WHOLE, **damage)])


def test_one_whole_set_in_service_is_green():
    assert red(turned({})) == []


@pytest.mark.parametrize("damage", HALF)
def test_half_a_set_in_service_is_found(damage):
    assert red(turned(damage)) == ["service"]


def test_a_job_that_says_itself_that_not_all_was_undone_excuses_the_background_alone():
    values = {"kind": "activate", "outcome": "rollback_failed"}
    assert red(turned({"background": frozenset(), "current": 1}, **values)) == []
    assert red(turned({"is_settled": False}, **values)) == ["service"]
