"""The rooms: each says what it is for, and imports go down only."""

import ast
import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest

from tests.architecture import source

DRAWERS = {"utils", "util", "common", "helpers", "helper", "manager", "managers", "base", "misc"}
ALLOWED = {"app/models/base.py"}


def rooms():
    return sorted({str(PurePosixPath(name).parent) for name in source.modules()})


@pytest.mark.parametrize("room", rooms())
def test_a_room_says_what_it_is_for(room):
    plaque = source.ROOT / room / "__init__.py"
    assert plaque.exists(), f"{room} has no __init__.py"
    assert ast.get_docstring(source.tree(f"{room}/__init__.py")), f"{plaque} has no docstring"


def test_every_module_begins_with_its_sentence():
    silent = [name for name in source.modules() if not ast.get_docstring(source.tree(name))]
    assert not silent


def test_imports_go_down_only():
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo"],
        cwd=source.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_no_module_is_a_drawer_for_odds_and_ends():
    named = {
        name
        for name in source.modules()
        if DRAWERS & {*PurePosixPath(name).with_suffix("").parts} and name not in ALLOWED
    }
    assert not named


def test_only_the_database_commits():
    called = [
        name
        for name in source.modules()
        for node in ast.walk(source.tree(name))
        if isinstance(node, ast.Attribute)
        and node.attr == "commit"
        and name != "app/store/database.py"
        if isinstance(node.value, ast.Name) and node.value.id in {"session", "connection", "db"}
    ]
    assert not called
