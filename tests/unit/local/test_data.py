"""The data directory: taken, refused, kept."""

import json
import os
import stat

import pytest

from local.data import open_data
from local.errors import Refused
from local.processes import Process


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "data"


def refusal(path):
    with pytest.raises(Refused) as caught:
        open_data(path)
    return str(caught.value)


def test_it_is_made_closed_to_others(directory):
    open_data(directory).close()
    assert mode(directory) == 0o700
    assert mode(directory / "state.json") == 0o600


def test_an_empty_folder_is_taken_and_closed(directory):
    directory.mkdir(mode=0o755)
    open_data(directory).close()
    assert mode(directory) == 0o700


def test_passwords_and_the_master_key_are_made_once_and_closed(directory):
    data = open_data(directory)
    made = (data.password("redis"), data.master_key.read_text())
    data.close()
    data = open_data(directory)
    assert (data.password("redis"), data.master_key.read_text()) == made
    assert (mode(data.master_key), mode(directory / "redis.password")) == (0o600, 0o600)
    data.close()


def test_processes_are_remembered_for_the_next_start(directory):
    data = open_data(directory)
    data.remember("redis", Process(pid=42, started="99"))
    data.remember("api", Process(pid=43, started="100"))
    data.remember("api", None)
    data.close()
    data = open_data(directory)
    assert data.state.processes == {"redis": Process(pid=42, started="99")}
    data.remember("redis", None)
    data.close()


def test_the_environment_file_is_for_the_shell(directory):
    data = open_data(directory)
    path = data.write_environment({"URL": "unix://:p@/x?db=0", "PLAIN": "a b"})
    assert path.read_text() == "export URL='unix://:p@/x?db=0'\nexport PLAIN='a b'\n"
    data.close()


def test_a_file_is_refused(directory):
    directory.write_text("mine")
    assert f"{directory} is a file" in refusal(directory)
    assert directory.read_text() == "mine"


def test_a_folder_with_other_things_in_it_is_refused_and_not_touched(directory):
    directory.mkdir(mode=0o755)
    (directory / "thesis.txt").write_text("mine")
    assert "is not empty and not Liftlock's (it holds thesis.txt)" in refusal(directory)
    assert [path.name for path in directory.iterdir()] == ["thesis.txt"]
    assert mode(directory) == 0o755


def test_a_missing_parent_is_refused_with_the_command_that_makes_it(tmp_path):
    assert f"mkdir -p {tmp_path / 'a'}" in refusal(tmp_path / "a" / "data")


def test_another_layout_is_refused(directory):
    open_data(directory).close()
    (directory / "state.json").write_text(json.dumps({"layout": 7, "more": []}))
    assert "has layout 7; this Liftlock knows layout 1" in refusal(directory)


def test_a_state_that_cannot_be_read_is_refused(directory):
    open_data(directory).close()
    (directory / "state.json").write_text("{")
    assert "state.json cannot be read" in refusal(directory)


def test_a_second_holder_is_refused_by_the_process_id_of_the_first(directory):
    data = open_data(directory)
    assert f"already up on {directory} (process {os.getpid()})" in refusal(directory)
    data.close()
    open_data(directory).close()


@pytest.mark.parametrize("name", ["with space", "percent%20", "x" * 200])
def test_a_path_that_no_socket_takes_is_reached_through_a_private_link(tmp_path, name):
    data = open_data(tmp_path / name)
    short = data.reach.parent
    assert data.reach.resolve() == tmp_path / name
    assert (mode(short), len(str(data.reach)) < 60) == (0o700, True)
    data.close()
    assert not short.exists()


def test_the_link_stays_while_processes_may_use_it(tmp_path):
    data = open_data(tmp_path / "with space")
    data.remember("redis", Process(pid=42, started="99"))
    data.close()
    again = open_data(tmp_path / "with space")
    assert again.reach == data.reach
    again.remember("redis", None)
    again.close()
    assert not data.reach.exists()
