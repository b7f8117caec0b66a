"""`liftlock up` with real servers: started, used, stopped, killed, started again."""

import asyncio
import json
import os
import signal
import stat
from pathlib import Path

import asyncpg
import httpx
import pytest
from redis import Redis
from redis.exceptions import RedisError

from local.data import open_data
from local.processes import identify
from tests.support.servers import wait_until

UP = "Liftlock is up."


def variables(data):
    """What DATA/env exports."""
    lines = (data / "env").read_text().splitlines()
    pairs = (line.removeprefix("export ").split("=", 1) for line in lines)
    return {name: value.strip("'") for name, value in pairs}


def fetch(data, statement):
    async def ask():
        url = variables(data)["LIFTLOCK_DATABASE_URL"].replace("+asyncpg", "")
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(statement)
        finally:
            await connection.close()

    return asyncio.run(ask())


def is_whole(up):
    """Whether the API, the database and Redis answer."""
    try:
        with Redis.from_url(variables(up.data)["LIFTLOCK_REDIS_URL"]) as redis:
            redis.ping()
        httpx.get(f"{up.address}/readyz", trust_env=False).raise_for_status()
        return fetch(up.data, "SELECT count(*) FROM starts") == 1
    except (httpx.HTTPError, RedisError, OSError, asyncpg.PostgresError):
        return False


def outside():
    """What `up` must never change: users, groups."""
    return [Path(name).read_bytes() for name in ("/etc/passwd", "/etc/group")]


def parents(path):
    return [(folder, folder.stat().st_mode, folder.stat().st_uid) for folder in path.parents]


def gone(pids):
    return all(identify(pid) is None for pid in pids)


def test_everything_answers_and_stops_and_comes_back_with_its_data(run_up, home):
    before = outside(), parents(home / "data")
    first = run_up().wait_for(UP)
    assert "token-of-the-stand-in" in first.output
    assert httpx.get(f"{first.address}/readyz", trust_env=False).status_code == 200
    with Redis.from_url(variables(first.data)["LIFTLOCK_REDIS_URL"]) as redis:
        redis.set("kept", "yes")
    assert set(first.children) == {"postgres", "redis", "caddy", "router", "api", "worker-1"}
    pids, assets = first.children.values(), variables(first.data)["LIFTLOCK_ASSETS_URL"]
    assert httpx.get(assets, trust_env=False).headers["Server"] == "Caddy"
    assert first.stop() == 0
    assert gone(pids)

    second = run_up().wait_for(UP)
    assert "token-of-the-stand-in" not in second.output
    assert "liftlock tokens create --local" in second.output
    # Pages of running sites name it.
    assert variables(second.data)["LIFTLOCK_ASSETS_URL"] == assets
    assert fetch(second.data, "SELECT count(*) FROM starts") == 2
    with Redis.from_url(variables(second.data)["LIFTLOCK_REDIS_URL"]) as redis:
        assert redis.get("kept") == b"yes"
    assert second.stop(signal.SIGTERM) == 0
    assert (outside(), parents(home / "data")) == before


def test_nobody_but_the_owner_reads_the_data_and_passwords_are_in_no_command_line(run_up):
    up = run_up().wait_for(UP)
    assert stat.S_IMODE(up.data.stat().st_mode) == 0o700
    for name in ("master.key", "postgres.password", "redis.password", "env", "state.json"):
        assert stat.S_IMODE((up.data / name).stat().st_mode) == 0o600, name
    secrets = [(up.data / f"{part}.password").read_text().strip() for part in ("postgres", "redis")]
    words = " ".join(
        Path(f"/proc/{pid}/cmdline").read_bytes().decode() for pid in up.children.values()
    )
    assert not [secret for secret in secrets if secret in words]


def test_a_wrong_password_is_refused(run_up):
    up = run_up().wait_for(UP)
    url = variables(up.data)["LIFTLOCK_DATABASE_URL"].replace("+asyncpg", "")
    password = (up.data / "postgres.password").read_text().strip()
    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(asyncpg.connect(url.replace(password, "wrong")))


def test_after_kill_9_the_next_start_stops_what_is_left_and_works(run_up):
    killed = run_up().wait_for(UP)
    left = killed.children
    killed.stop(signal.SIGKILL)
    assert identify(left["postgres"]) is not None
    up = run_up().wait_for(UP)
    assert f"Stopping postgres (process {left['postgres']})" in up.output
    assert gone(left.values())
    assert fetch(up.data, "SELECT count(*) FROM starts") == 2


def test_a_stale_pid_file_with_the_id_of_another_program_does_no_harm(run_up):
    up = run_up().wait_for(UP)
    note = up.data / "postgres" / "postmaster.pid"
    text = note.read_text().splitlines()
    up.stop()
    note.write_text("\n".join([str(os.getpid()), *text[1:], ""]))
    run_up().wait_for(UP)


def test_a_second_up_on_the_same_data_names_the_first(run_up):
    first = run_up().wait_for(UP)
    second = run_up()
    assert second.exit_code() == 2
    assert f"already up on {first.data} (process {first.process.pid})" in second.output
    assert httpx.get(f"{first.address}/readyz", trust_env=False).status_code == 200


def test_a_killed_part_comes_back(run_up):
    up = run_up().wait_for(UP)
    for name in ("worker-1", "api", "redis", "postgres"):
        before = up.children[name]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda: up.children.get(name, before) != before, f"a new {name}", log=up.log)  # noqa: B023
    wait_until(lambda: is_whole(up), "all parts to answer", log=up.log)
    assert "postgres died (SIGKILL); starting it again in 0.2 s" in up.output


def test_a_port_in_use_is_named_with_its_process(run_up, home):
    first = run_up().wait_for(UP)
    port = first.address.rpartition(":")[2]
    second = run_up("--port", port, data=home / "other")
    assert second.exit_code() == 2
    assert f"Port {port} on 127.0.0.1 is in use by process {first.children['api']}" in second.output
    assert "--port" in second.output


@pytest.mark.parametrize("name", ["with space & more", "long" * 30])
def test_a_path_that_is_no_socket_address_is_reached_through_a_short_link(run_up, home, name):
    up = run_up(data=home / name).wait_for(UP)
    short = Path(json.loads((up.data / "state.json").read_text())["short"])
    assert fetch(up.data, "SELECT 1") == 1
    assert up.stop() == 0
    assert not short.exists()


def test_given_servers_are_used_and_none_is_started(run_up, database_url, redis_url):
    env = {"LIFTLOCK_DATABASE_URL": database_url, "LIFTLOCK_REDIS_URL": redis_url}
    up = run_up(**env, LIFTLOCK_ASSETS_STORE="s3://bucket/assets").wait_for(UP)
    assert set(up.children) == {"router", "api", "worker-1"}
    assert not (up.data / "postgres").exists()


@pytest.mark.parametrize("given", [None, "/srv/cache"])
def test_fetched_files_are_kept_in_the_data_directory_unless_told_otherwise(run_up, given):
    env = {"LIFTLOCK_ASSETS_CACHE": given} if given else {}
    up = run_up(**env).wait_for(UP)
    cache = given or str(up.data / "assets-cache")
    worker = Path(f"/proc/{up.children['worker-1']}/environ").read_bytes().decode()
    assert f"LIFTLOCK_ASSETS_CACHE={cache}" in worker.split("\0")


def test_a_cluster_of_another_major_version_is_refused_and_left_alone(run_up, home):
    open_data(home / "data").close()
    folder = home / "data" / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("13\n")
    up = run_up()
    assert up.exit_code() == 2
    assert "The data was made by PostgreSQL 13" in up.output
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


def test_a_part_that_keeps_dying_stops_all_and_shows_its_last_words(run_up, home):
    up = run_up(STAND_IN_WORKER="broken")
    assert up.exit_code() == 1
    assert "worker-1 died 5 times within 60 s (exit code 1)" in up.output
    assert "the worker has no wish to work" in up.output
    assert up.children == {}


def test_an_unknown_way_to_start_postgres_is_refused_with_the_known_ones(run_up):
    up = run_up(LIFTLOCK_POSTGRES_AS="wizard")
    assert up.exit_code() == 2
    assert "LIFTLOCK_POSTGRES_AS is 'wizard'; it takes one of: ordinary, namespace" in up.output


@pytest.mark.root
def test_root_runs_postgres_as_nobody_when_told_to_and_later_as_itself(run_up):
    up = run_up(LIFTLOCK_POSTGRES_AS="nobody").wait_for(UP)
    server = Path(f"/proc/{up.children['postgres']}")
    assert server.owner() == "nobody"
    assert (up.data.owner(), stat.S_IMODE(up.data.stat().st_mode)) == ("root", 0o700)
    assert up.stop() == 0
    again = run_up().wait_for(UP)
    assert fetch(again.data, "SELECT count(*) FROM starts") == 2
