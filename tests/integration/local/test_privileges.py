"""PostgreSQL started by root, which it refuses: in a user namespace, or as nobody."""

import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest

from local import binaries, postgres, privileges
from local.errors import Refused
from local.postgres import Cluster
from local.privileges import Launch, Mechanism
from tests.support.servers import wait_until


@pytest.fixture
def programs():
    return binaries.postgres_programs()


@pytest.fixture
def closed():
    """A folder that only its owner may enter, as the data directory is.

    Not pytest's own: with the names of user and test in it, a socket's path is too long.
    """
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def works(folder, programs, launch):
    """Make a cluster, start it, ask it, stop it; returns who owned its process."""
    cluster = Cluster(
        programs=programs,
        directory=folder / "postgres",
        reach=folder / "postgres",
        password=secrets.token_hex(8),
        launch=launch,
        settings={"fsync": "off"},
    )
    cluster.initialize()
    server = subprocess.Popen(
        cluster.argv(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **cluster.options()
    )
    try:
        wait_until(cluster.answers, "PostgreSQL to answer")
        return Path(f"/proc/{server.pid}").stat().st_uid
    finally:
        server.send_signal(postgres.STOP[0][0])
        server.wait(20)


def test_a_cluster_works_for_whoever_runs_the_tests(closed, programs):
    works(closed, programs, privileges.choose(programs / "postgres"))
    assert (closed / "postgres").stat().st_uid == os.geteuid()
    assert (closed / "postgres" / "pg_hba.conf").read_text() == postgres.HBA


def test_a_cluster_that_was_not_finished_is_made_again(closed, programs):
    unfinished = closed / "postgres.new"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n")
    works(closed, programs, privileges.choose(programs / "postgres"))
    assert not unfinished.exists()


@pytest.mark.root
def test_root_uses_a_namespace_and_its_files_stay_its_own(closed, programs):
    launch = privileges.choose(programs / "postgres")
    assert launch.mechanism is Mechanism.NAMESPACE
    assert works(closed, programs, launch) == 0
    assert {path.stat().st_uid for path in closed.rglob("*")} == {0}


@pytest.mark.root
def test_root_can_fall_back_to_nobody_below_a_closed_folder(closed, programs):
    nobody = pwd.getpwnam("nobody").pw_uid
    launch = privileges.choose(programs / "postgres", forced=Mechanism.NOBODY)
    assert works(closed, programs, launch) == nobody
    assert {path.stat().st_uid for path in closed.rglob("*")} == {nobody}
    assert (closed.stat().st_uid, stat.S_IMODE(closed.stat().st_mode)) == (0, 0o700)


@pytest.mark.root
def test_a_cluster_changes_hands_between_the_mechanisms(closed, programs):
    by_nobody = privileges.choose(programs / "postgres", forced=Mechanism.NOBODY)
    works(closed, programs, by_nobody)
    by_root = privileges.choose(programs / "postgres", forced=Mechanism.NAMESPACE)
    by_root.own(closed / "postgres")
    assert {path.stat().st_uid for path in (closed / "postgres").rglob("*")} == {0}


@pytest.mark.root
def test_when_nothing_can_start_the_program_the_message_says_what_to_do(tmp_path):
    with pytest.raises(Refused, match="Run `liftlock up` as an ordinary user") as caught:
        privileges.choose(tmp_path / "postgres")
    assert "LIFTLOCK_DATABASE_URL" in str(caught.value)


def test_an_ordinary_user_needs_no_mechanism():
    launch = Launch(Mechanism.ORDINARY, 1000, 1000)
    assert (launch.argv(["postgres"]), launch.options()) == (("postgres",), {})
