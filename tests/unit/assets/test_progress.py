import pytest

from worker.assets.building import progress
from worker.assets.building.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_counts_are_told_at_most_every_second(clock):
    told = []
    progress = Progress(told.append)
    for second in (0.5, 1.0, 1.5, 1.9, 2.0):
        clock[0] = 100 + second
        progress.count("read", int(second * 10), 20)
    assert told == ["read: 10 of 20 files", "read: 20 of 20 files"]


def test_a_quick_build_tells_nothing(clock):
    told = []
    Progress(told.append).count("read", 20, 20)
    assert not told
