import json
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.domain.event import Reading, StoredEvent
from app.domain.job import JobStatus

AT = datetime(2026, 11, 21, 5, 0, 2, tzinfo=UTC)
EVENTS = tuple(StoredEvent(number, AT, "step.output", "{}") for number in (4, 5))


def test_an_event_is_one_line_of_json_whatever_its_text():
    event = StoredEvent(3, AT, "step.output", '{"text": "a\\nb"}')
    assert event.as_json() == (
        '{"seq":3,"at":"2026-11-21T05:00:02Z","type":"step.output","data":{"text": "a\\nb"}}'
    )
    assert event.data == {"text": "a\nb"}


def test_no_character_of_it_is_taken_for_the_end_of_a_line():
    text = '{"text": "é \x85 \u2028 \u2029"}'
    told = StoredEvent(3, AT, "step.output", text).as_json()
    assert len(told.splitlines()) == 1
    assert json.loads(told)["data"] == json.loads(text)


def test_its_time_is_told_in_utc():
    at = AT.astimezone(timezone(timedelta(hours=5))) + timedelta(microseconds=7)
    assert '"at":"2026-11-21T05:00:02.000007Z"' in StoredEvent(1, at, "a", "{}").as_json()


@pytest.mark.parametrize(
    ("items", "last_seq", "status", "expected"),
    [
        (EVENTS, 5, JobStatus.SUCCEEDED, (5, False, True)),
        (EVENTS, 5, JobStatus.RUNNING, (5, False, False)),
        (EVENTS, 6, JobStatus.SUCCEEDED, (5, True, False)),
        ((), 3, JobStatus.FAILED, (3, False, True)),
        ((), 2, JobStatus.FAILED, (3, False, True)),
    ],
)
def test_a_reading_knows_whether_something_comes_behind_it(items, last_seq, status, expected):
    found = Reading(after=3, items=items, last_seq=last_seq, status=status)
    assert (found.end, found.has_more, found.is_over) == expected
