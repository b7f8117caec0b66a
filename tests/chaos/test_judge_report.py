"""What the judge measures, reads and tells."""

import json
from dataclasses import replace

import pytest

from tests.chaos.judge import History, as_json, judge, report
from tests.chaos.judge.checks import CHECKS
from tests.chaos.judge.history import Accepted, Event, Fault, Mark, Torn
from tests.chaos.judge.reading import _read_effects
from tests.chaos.made_up import FIRST, LINES, OTHER, SECOND, WORKER, good, made, started, step


def red(history):
    return judge(history).red


def silent(seconds, *faults, ended=None):
    """The worker of a job was hit at second 10, and the next one came so much later."""
    events = [
        Event(1, 1, "job.queued"),
        Event(2, 2, *started(token=1)),
        Event(3, 3, *step("started", 1)),
        Event(4, 10 + seconds - 0.1, "job.recovered", {"worker": WORKER, "attempt": 1}),
        Event(5, 10 + seconds, *started(2, token=2, worker=OTHER)),
        Event(6, 80, "job.succeeded"),
    ]
    hit = ended or Fault("kill-worker", "worker-1", 10, 10, WORKER)
    return History(
        accepted=[Accepted(FIRST, "shop", "web-1", 0)],
        jobs=[made(FIRST, events)],
        faults=[hit, *faults],
    )


def seconds(history):
    return [round(recovery.seconds, 1) for recovery in judge(history).recoveries]


def test_a_quick_recovery_is_measured():
    assert seconds(silent(17.5)) == [17.5]
    assert red(silent(17.5)) == []


def test_a_recovery_that_took_too_long():
    assert red(silent(20.5)) == ["recovery"]


def test_an_outage_is_subtracted_once():
    history = silent(
        29,
        Fault("postgres-restart", "postgres", 8, 14),
        Fault("redis-restart", "redis", 12, 20),
        Fault("flushall", "redis", 21, 21),
        Fault("partition-redis", "worker-2", 21, 30, OTHER),
    )
    assert seconds(history) == [19.0]
    assert red(history) == []


def test_a_worker_that_came_back_in_time_needed_no_recovery():
    cut = Fault("partition-postgres", "worker-1", 10, 15, WORKER)
    history = silent(40, ended=cut)
    worked = [Event(4, 20, *step("succeeded", 1)), Event(5, 21, *step("started", 2))]
    first, *_ = history.jobs
    events = (*first.events[:3], *worked, *(replace(e, seq=e.seq + 2) for e in first.events[3:]))
    assert seconds(replace(history, jobs=[made(FIRST, events)])) == []
    again = Fault("kill-worker", "worker-1", 33, 33, WORKER)
    history = replace(history, jobs=[made(FIRST, events)], faults=[cut, again])
    assert seconds(history) == [17.0]


def test_the_fault_that_explains_when_the_job_was_taken_back_is_the_cause():
    stopped = Fault("stop-worker", "worker-1", 10, 14, WORKER)
    killed = Fault("kill-worker", "worker-1", 13, 13, WORKER)
    assert seconds(silent(18, killed, ended=stopped)) == [18.0]
    later = replace(killed, at=45, until=45)
    assert seconds(silent(52, later, ended=stopped)) == [17.0]


def test_who_hands_its_jobs_over_is_no_loss():
    history = silent(40)
    handed = [replace(event, type="job.handed_over") for event in history.jobs[0].events[3:4]]
    events = (*history.jobs[0].events[:3], *handed, *history.jobs[0].events[4:])
    assert seconds(replace(history, jobs=[made(FIRST, events)])) == []


# --- the report --------------------------------------------------------------------------------


def test_the_report_says_what_was_and_what_was_found():
    history = replace(
        silent(17.5), seed=4711, left_out=["clock-jump: no libfaketime on this machine"]
    )
    assert report(judge(history)).splitlines() == [
        "seed      4711",
        "time      79 s, 1970-01-01 00:00:01 to 00:01:20 UTC",
        "faults    1: kill-worker 1",
        "jobs      1: succeeded 1",
        "effects   0 begun, 0 with an unknown end",
        f"found     {'   '.join(f'{name} 0' for name in [*CHECKS, 'recovery'])}",
        "recovery  p50 17.5 s, p95 17.5 s, max 17.5 s (n = 1; p95 at most 20 s)",
        "left out  clock-jump: no libfaketime on this machine",
        "verdict   GREEN",
    ]


def test_the_report_shows_the_evidence():
    said = report(judge(good(lines=[*LINES[:2], (4.2, "begin", 1), *LINES[2:]])))
    assert "verdict   RED: doubled" in said
    assert f"{FIRST}: step 1 was begun 2 times where 1 are allowed" in said
    assert "00:00:04.200000 web-1, line 3: begin of step 1" in said
    assert "00:00:03.000000 event 3: step.started, number 1" in said


def test_the_report_shows_ten_of_a_kind():
    lost = [Accepted(f"job-{number}", "shop", "web-1", 0) for number in range(12)]
    said = report(judge(replace(good(), accepted=[*good().accepted, *lost])))
    assert said.count("accepted, and not in the database") == 10
    assert "… and 2 more" in said


def test_the_report_as_json():
    verdict = json.loads(as_json(judge(silent(20.5))))
    assert not verdict["green"]
    assert verdict["recovery"] == {"n": 1, "bound": 20.0, "p50": 20.5, "p95": 20.5, "max": 20.5}
    assert len(verdict["findings"]["recovery"]) == 1


# --- reading -----------------------------------------------------------------------------------


def test_the_lines_of_a_host_are_read(tmp_path):
    (tmp_path / "web-1").mkdir()
    whole = [
        f"1763721315123456789 begin {FIRST}-7 shop",
        f"1763721316123456789 begin {FIRST}-7-undo shop",
        "17637213",
        f"1763721317123456789 end {FIRST}-7 shop",
    ]
    cut = f"1763721318123456789 begin {SECOND}-7 sho"
    (tmp_path / "web-1" / "effects.log").write_text("\n".join([*whole, cut]))
    found, torn = _read_effects(tmp_path)
    about = FIRST, 7, "shop", "web-1"
    assert found == [
        Mark(pytest.approx(1763721315.123457), "begin", *about, 1),
        Mark(pytest.approx(1763721317.123457), "end", *about, 4),
    ]
    assert torn == [
        Torn("web-1", 3, "17637213", is_last=False),
        Torn("web-1", 5, cut, is_last=True),
    ]
