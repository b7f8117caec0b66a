"""`liftlock db …` and `tokens create --local`, as processes on a real PostgreSQL."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[str]:
    name = f"{postgres_server.prefix}_cli_{os.getpid()}"
    yield postgres_server.create(name)
    postgres_server.drop(name)


def liftlock(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "app.cli.main", *words],
        cwd=ROOT,
        env=os.environ | {"LIFTLOCK_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_an_empty_database_is_upgraded_and_a_second_time_left_alone(empty_database):
    first = liftlock(empty_database, "db", "upgrade", "--json")
    assert (first.returncode, first.stderr) == (0, "")
    assert json.loads(first.stdout)["before"] is None
    second = liftlock(empty_database, "db", "upgrade")
    assert second.returncode == 0
    assert "nothing to do" in second.stdout


def test_the_version_of_a_database_is_shown_and_checked(database_url):
    shown = json.loads(liftlock(database_url, "db", "current", "--json").stdout)
    assert shown["current"] == shown["head"]
    checked = liftlock(database_url, "db", "check")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "as expected" in checked.stdout


def test_a_database_that_was_never_upgraded_fails_the_check_and_says_what_to_type(empty_database):
    done = liftlock(empty_database, "db", "check")
    assert done.returncode == 1
    assert "liftlock db upgrade" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_local_token_is_printed_alone(database_url):
    done = liftlock(
        database_url, "tokens", "create", "--local", "--scope", "admin", "--quiet", "first"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 1
    assert len(done.stdout.strip()) >= 32


def test_a_local_token_with_a_bad_name_is_refused(database_url):
    done = liftlock(database_url, "tokens", "create", "--local", "a\x07b")
    assert done.returncode == 2
    assert "/name" in done.stderr


def test_a_database_that_does_not_answer_is_exit_5_without_password_or_traceback():
    url = "postgresql+asyncpg://liftlock:hidden-word@127.0.0.1:1/liftlock"
    for words in (("db", "upgrade"), ("db", "current"), ("tokens", "create", "--local", "first")):
        done = liftlock(url, *words)
        assert done.returncode == 5, done.stderr
        assert "LIFTLOCK_DATABASE_URL" in done.stderr
        assert "hidden-word" not in done.stderr
        assert "Traceback" not in done.stderr
