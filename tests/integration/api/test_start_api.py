"""The process as `liftlock up` and supervisors start it."""

import base64
import os
import signal
import socket
import subprocess
import sys

import httpx
import pytest

from tests.support.servers import wait_until
from tests.support.worked import new_token

KEY = base64.b64encode(bytes(range(32))).decode()
PROGRAM = [sys.executable, "-m", "app.main"]


@pytest.fixture
def environment(database_url, redis_url):
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LIFTLOCK_")}
    return clean | {
        "LIFTLOCK_DATABASE_URL": database_url,
        "LIFTLOCK_REDIS_URL": redis_url,
        "LIFTLOCK_MASTER_KEY": KEY,
        "LIFTLOCK_PORT": str(free_port()),
    }


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as found:
        return found.getsockname()[1]


def refusal(environment):
    """Its one line on the error stream; fails unless it ends with 2."""
    done = subprocess.run(
        PROGRAM, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


class Running:
    def __init__(self, environment, log):
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                PROGRAM, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        address = f"http://127.0.0.1:{environment['LIFTLOCK_PORT']}"
        headers = {"Authorization": f"Bearer {new_token(environment['LIFTLOCK_DATABASE_URL'])}"}
        self.client = httpx.Client(base_url=address, headers=headers, trust_env=False)
        wait_until(self._is_ready, "the API to be ready", log=log)

    def _is_ready(self):
        assert self.process.poll() is None
        try:
            return self.client.get("/readyz").is_success
        except httpx.TransportError:
            return False

    def stop(self):
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


@pytest.fixture
def start(environment, tmp_path):
    started = []

    def start():
        started.append(Running(environment, tmp_path / f"log-{len(started)}"))
        return started[-1]

    yield start
    for running in started:
        running.client.close()
        running.process.kill()
        running.process.wait()


def test_the_first_start_makes_the_key_and_loads_the_recipes_and_the_next_keeps_both(start):
    first = start()
    identity = first.client.get("/v1/identity").json()
    recipes = first.client.get("/v1/recipes").json()["items"]
    assert {"django", "trac", "static-site", "command"} <= {item["name"] for item in recipes}
    first.stop()
    second = start()
    assert second.client.get("/v1/identity").json() == identity
    assert second.client.get("/v1/recipes").json()["items"] == recipes


def test_sigterm_ends_it_cleanly(start):
    running = start()
    assert running.stop() in {0, -signal.SIGTERM}
    assert "Traceback" not in running.log.read_text()


def test_the_log_holds_no_line_for_every_request(start):
    running = start()
    before = running.log.read_text()
    for _ in range(3):
        running.client.get("/v1/jobs")
    assert running.log.read_text() == before


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"LIFTLOCK_MASTER_KEY": "c2hvcnQ="}, "must be 32 bytes in base64"),
        ({"LIFTLOCK_MASTER_KEY": None}, "Set LIFTLOCK_MASTER_KEY or LIFTLOCK_MASTER_KEY_FILE"),
        ({"LIFTLOCK_PORT": "many"}, "LIFTLOCK_PORT"),
        ({"LIFTLOCK_DATABASE_URL": "mysql://x/y"}, "must begin with postgresql+asyncpg://"),
        ({"LIFTLOCK_DATABASE_URL": "postgresql+asyncpg://x@127.0.0.1:1/y"}, "does not answer"),
        ({"LIFTLOCK_DATABASE_URL": "postgresql+asyncpg://x@127.0.0.1:no/y"}, "LIFTLOCK_DATABASE"),
        ({"LIFTLOCK_REDIS_URL": "http://127.0.0.1"}, "LIFTLOCK_REDIS_URL"),
        ({"LIFTLOCK_HOST": "203.0.113.7"}, "Cannot listen on 203.0.113.7"),
    ],
)
def test_a_wrong_setting_ends_it_with_one_line(environment, wrong, sentence):
    changed = {**environment, **wrong}
    line = refusal({name: value for name, value in changed.items() if value is not None})
    assert sentence in line
    assert line.startswith("liftlock api: ")


def test_a_password_in_a_setting_is_not_shown(environment):
    url = "postgresql+asyncpg://x:hunter2-hunter2@127.0.0.1:1/y"
    assert "hunter2" not in refusal({**environment, "LIFTLOCK_DATABASE_URL": url})


def test_a_database_that_is_not_migrated_says_what_to_run(environment, postgres_server):
    url = postgres_server.create("start_not_migrated")
    line = refusal({**environment, "LIFTLOCK_DATABASE_URL": url})
    postgres_server.drop("start_not_migrated")
    assert "run: liftlock db upgrade" in line


def test_a_port_in_use_is_named(environment):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port}" in refusal({**environment, "LIFTLOCK_PORT": str(port)})


def test_another_master_key_than_the_one_before_is_refused(environment, start):
    start().stop()
    other = base64.b64encode(bytes(32)).decode()
    line = refusal({**environment, "LIFTLOCK_MASTER_KEY": other})
    assert "Is LIFTLOCK_MASTER_KEY the one it was made with?" in line
