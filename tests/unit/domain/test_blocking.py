from uuid import UUID

import pytest

from app.domain import blocking

JOB = UUID(int=7)


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"kind": "lock", "job": "J", "locks": ["instance:1"]}, "liftlock jobs logs -f J"),
        ({"kind": "lock", "job": "J", "locks": ["instance:1"]}, "liftlock locks show instance:1"),
        ({"kind": "lock", "job": "J"}, "liftlock jobs logs -f J"),
        ({"kind": "order", "job": "J"}, "liftlock jobs show J"),
        ({"kind": "capacity", "host": "web-1", "capacity": 2}, "liftlock hosts set web-1 --cap"),
        ({"kind": "limit", "most_running": 3}, "LIFTLOCK_MAX_RUNNING"),
        ({"kind": "locks-unavailable", "detail": "gone"}, "GET /readyz"),
        ({"kind": "wait-question", "step": "leap"}, f"liftlock jobs answer {JOB} done|repeat"),
        ({"kind": "wait-time", "step": "wait"}, f"liftlock jobs cancel {JOB}"),
        ({"kind": "wait-probe", "step": "wait"}, f"liftlock jobs cancel {JOB}"),
        ({"kind": "something new"}, f"liftlock jobs logs {JOB}"),
    ],
)
def test_every_reason_to_wait_names_the_next_command(item, expected):
    assert expected in blocking.hint(item, job=JOB)


def test_who_is_in_the_way_is_said_in_words():
    told = blocking.words(
        [
            {"kind": "lock", "job": "J", "why": "provision of shop to v2", "actor": "ci"},
            {"kind": "lock", "job": "K", "job_kind": "enroll"},
            {"kind": "lock", "job": "L"},
            {"kind": "order", "job": "M"},
            {"kind": "capacity", "host": "web-1", "capacity": 2},
            {"kind": "limit", "most_running": 3},
            {"kind": "locks-unavailable", "detail": "gone"},
            {"kind": "wait-time", "reason": "an hour"},
        ]
    )
    assert told == (
        "job J (provision of shop to v2 by ci); job K (enroll); job L; job M, which goes first;"
        " a free place on host web-1 (2 at a time); a free place among all jobs (3 at a time);"
        " Redis, which did not answer; an hour"
    )


@pytest.mark.parametrize(("given", "expected"), [([], "its turn"), ([{}], "something else")])
def test_there_are_words_even_when_nothing_is_known(given, expected):
    assert blocking.words(given) == expected
