"""The page for operators shows what is really asked, answered, awaited and allowed."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from app.domain.machine import TRANSITIONS, MachineStatus, Waits
from worker.providers.answers import read_gone, read_listed, read_made
from worker.providers.executable import NO_SUCH_MACHINE, VERSION, Longest
from worker.providers.provider import Wish

PAGE = (Path(__file__).parents[3] / "docs" / "providers.md").read_text()
CREATE, CREATED, LIST, LISTED, DESTROY, DESTROYED = map(
    json.loads, re.findall(r"^```json\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)


def test_the_requests_are_those_that_are_made():
    assert set(CREATE) == {"version", "action", "tag", *asdict(Wish())}
    assert {CREATE["version"], LIST["version"], DESTROY["version"]} == {VERSION}
    assert (set(LIST), set(DESTROY)) == ({"version", "action"}, {"version", "action", "tag"})


def test_the_answers_are_those_that_are_taken():
    made = read_made(json.dumps(CREATED).encode(), CREATE["tag"])
    whole, half = read_listed(json.dumps(LISTED).encode())
    read_gone(json.dumps(DESTROYED).encode())
    assert (whole.made, half.made) == (made, None)


def test_the_bounds_are_those_that_hold():
    longest, waits = Longest(), Waits()
    rows = {
        f"| {longest.create:.0f}, {longest.destroy:.0f}, {longest.list:.0f} |",
        f"| {waits.state.longest:.0f}, looked at each second |",
        f"| {waits.reboot.longest:.0f} |",
        f"| {waits.shutdown.longest:.0f}, looked at every {waits.shutdown.every:.0f} |",
    }
    assert {row for row in rows if row not in PAGE} == set()


def test_the_exit_code_for_no_such_machine_is_the_one_that_is_read():
    assert f"\n| {NO_SUCH_MACHINE} | not made | failed | there is no such machine" in PAGE


@pytest.mark.parametrize("status", MachineStatus)
def test_a_state_may_become_what_the_page_says(status):
    row = re.search(rf"^\| `{status}` \|.*\|(.*)\|$", PAGE, re.MULTILINE)
    may = {wanted for current, wanted in TRANSITIONS if current is status}
    assert set(re.findall(r"`(\w+)`", row[1])) == may - {MachineStatus.TERMINATED}
