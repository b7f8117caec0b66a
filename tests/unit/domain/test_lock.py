from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from app.domain import lock
from app.domain.job import Ending, EndingWhy, JobKind, purpose
from app.domain.lock import BadLockName, Hold, LockName, Noun

JOB = UUID(int=7)
AT = datetime(2026, 11, 21, 10, 15, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("instance:shop", LockName(Noun.INSTANCE, "shop", manual=False)),
        ("host:web-1", LockName(Noun.HOST, "web-1", manual=False)),
        ("manual:all", LockName(Noun.ALL, None, manual=True)),
        ("manual:host:web-1", LockName(Noun.HOST, "web-1", manual=True)),
        ("manual:instance:shop", LockName(Noun.INSTANCE, "shop", manual=True)),
    ],
)
def test_a_name_is_read_and_written_the_same(text, expected):
    assert lock.parse_name(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    "text",
    ["", "all", "shop", "instance", "instance:", "site:shop", "manual", "manual:", "host:\0"],
)
def test_what_no_lock_is_called_is_told_with_the_forms_there_are(text):
    with pytest.raises(BadLockName, match="host:NAME"):
        lock.parse_name(text)


@pytest.mark.parametrize(
    "text", ["", "shop", "host", "host:", "host:a\0", "manual:all", "all:", "instance:"]
)
def test_a_manual_lock_is_on_everything_a_host_or_an_instance(text):
    with pytest.raises(BadLockName, match="all, host:NAME, instance:NAME"):
        lock.parse_place(text)


def test_a_provision_is_kept_from_beginning_by_three_manual_locks_and_an_enrolment_by_one():
    assert lock.manual_locks(JobKind.PROVISION, instance_id=1, host_id=2) == [
        "manual:all",
        "manual:host:2",
        "manual:instance:1",
    ]
    assert lock.manual_locks(JobKind.ENROLL, instance_id=None, host_id=2) == ["manual:host:2"]


@pytest.mark.parametrize(
    ("name", "where"),
    [
        ("manual:all", "may begin:"),
        ("manual:host:web-1", "may begin on host web-1:"),
        ("manual:instance:shop", "may begin on instance shop:"),
    ],
)
def test_a_manual_lock_says_where_why_who_and_since_when(name, where):
    since = AT.astimezone(timezone(timedelta(hours=5)))
    told = lock.manual_words(name, message="no deploys today", actor="ann", since=since)
    assert where in told
    assert told.endswith("“no deploys today” (ann, since 2026-11-21 10:15 UTC).")


@pytest.mark.parametrize(
    ("lease_until", "now", "suspended", "expected"),
    [
        (AT, AT - timedelta(seconds=1), False, Hold.WORKED_ON),
        (AT, AT, False, Hold.SILENT),
        (AT, AT + timedelta(seconds=20), False, Hold.SILENT),
        (AT, AT + timedelta(seconds=21), False, Hold.LEFT),
        (None, AT, False, Hold.BETWEEN),
        (None, AT, True, Hold.SUSPENDED),
    ],
)
def test_how_a_job_stands_is_told_by_its_lease(lease_until, now, suspended, expected):
    assert lock.hold_of(lease_until=lease_until, now=now, suspended=suspended) is expected


@pytest.mark.parametrize("hold", Hold)
def test_there_is_a_next_command_however_the_holder_stands(hold):
    told = lock.advice(hold, job=JOB, actor="ann", reason="it is told.")
    assert f"liftlock jobs {'show' if hold is Hold.SUSPENDED else 'logs -f'} {JOB}" in told
    assert ".." not in told


@pytest.mark.parametrize("hold", [Hold.LEFT, Hold.BETWEEN])
def test_where_no_worker_comes_it_is_said_how_to_start_one(hold):
    told = lock.advice(hold, job=JOB, actor="ann")
    assert "within 20 s" not in told
    for command in ("liftlock worker", "liftlock up", "supervisorctl status"):
        assert command in told


def _order(why=EndingWhy.CANCELED, **fields):
    return Ending(why, at=AT.isoformat(), by="bob", **fields)


@pytest.mark.parametrize("hold", Hold)
@pytest.mark.parametrize(
    ("order", "expected"),
    [
        (_order(), "A cancel was asked for by bob at 10:15:02 UTC"),
        (_order(EndingWhy.DEADLINE), "It was told to stop (deadline-exceeded) at 10:15:02 UTC"),
    ],
)
def test_who_was_told_to_stop_already_is_not_told_again_but_by_force(hold, order, expected):
    told = lock.advice(hold, job=JOB, actor="ann", order=order)
    assert expected in told
    assert "30 s" in told
    assert told.count(f"liftlock jobs cancel {JOB}") == 1
    assert f"liftlock jobs cancel {JOB} --force" in told


@pytest.mark.parametrize("hold", Hold)
def test_who_was_told_by_force_is_told_nothing_more(hold):
    told = lock.advice(hold, job=JOB, actor="ann", order=_order(force=True))
    assert "by force" in told
    assert "liftlock jobs cancel" not in told


def test_one_that_waits_for_a_reason_nobody_gave_says_so_in_a_sentence():
    assert lock.advice(Hold.SUSPENDED, job=JOB, actor="ann").startswith("It waits. See")


def test_a_manual_lock_is_lifted_with_its_name_and_token():
    told = lock.manual_advice("manual:all", token=4, actor="ann")
    assert "Ask ann" in told
    assert 'liftlock locks break manual:all --lock-token 4 --reason "…"' in told


@pytest.mark.parametrize(
    ("instance", "expected"),
    [("shop", "liftlock provision shop"), (None, f"liftlock jobs retry {JOB}")],
)
def test_after_breaking_it_is_said_what_is_left_and_how_to_ask_again(instance, expected):
    told = lock.broken_advice(JOB, host="web-1", instance=instance)
    assert "on host web-1" in told
    assert "the next job that needs the lock there ends it" in told
    assert told.endswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        (" \n\n", None),
        ("one\ntwo\n\n  \n", "two"),
        ("one\n  two", "two"),
        ("x" * 400, "x" * 300),
    ],
)
def test_the_last_line_is_the_last_with_anything_in_it(text, expected):
    assert lock.last_line(text) == expected


@pytest.mark.parametrize(
    ("instance", "host", "revision", "expected"),
    [
        ("shop", "web-1", "v2", "provision of shop to v2"),
        ("shop", "web-1", None, "provision of shop"),
        (None, "web-1", None, "provision of web-1"),
        (None, None, None, "provision of something that is gone"),
    ],
)
def test_a_job_says_what_it_is_for(instance, host, revision, expected):
    told = purpose(JobKind.PROVISION, instance=instance, host=host, revision=revision)
    assert told == expected
