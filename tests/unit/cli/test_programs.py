"""`liftlock up`, `serve` and `worker` start the right program with the right settings."""

import os
import sys
from pathlib import Path

import pytest

import local.up
from app.cli import programs


@pytest.fixture
def became(monkeypatch):
    """What this process would have become: arguments and environment."""
    calls = []
    monkeypatch.setattr(os, "execve", lambda program, words, env: calls.append((words, env)))
    return calls


def test_the_worker_is_arq_with_our_settings(cli, became):
    assert cli("worker").exit_code == 0
    words, _ = became[0]
    assert words == [sys.executable, "-P", "-m", "arq", "worker.main.WorkerSettings"]


def test_the_api_listens_where_it_is_told(cli, became):
    assert cli("serve", "--port", "8800").exit_code == 0
    words, environment = became[0]
    assert words[-1] == "app.main"
    assert environment["LIFTLOCK_PORT"] == "8800"
    assert "LIFTLOCK_HOST" not in environment


def test_a_checkout_is_found_from_any_folder_and_an_installation_needs_no_path(became, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/elsewhere")
    programs.become(["app.main"], {})
    root = Path(programs.__file__).parents[2]
    assert became[0][1]["PYTHONPATH"].split(os.pathsep) == [str(root), "/elsewhere"]
    monkeypatch.setattr(programs.package, "__file__", "/venv/lib/site-packages/app/__init__.py")
    programs.become(["app.main"], {})
    assert became[1][1]["PYTHONPATH"] == "/elsewhere"


def test_up_gets_its_options_and_its_exit_code_is_kept(cli, monkeypatch):
    seen = []
    monkeypatch.setattr(local.up, "up", lambda options: seen.append(options) or 2)
    words = "up --demo --data /srv/lock --host 0.0.0.0 --port 0 --workers 3"
    assert cli(*words.split()).exit_code == 2
    assert seen == [
        local.up.Options(data=Path("/srv/lock"), host="0.0.0.0", port=0, demo=True, workers=3)
    ]


def test_up_has_the_defaults_of_the_embedded_stack(cli, monkeypatch):
    seen = []
    monkeypatch.setattr(local.up, "up", lambda options: seen.append(options) or 0)
    assert cli("up").exit_code == 0
    assert seen == [local.up.Options()]


def test_a_port_that_is_none_is_refused(cli):
    assert cli("up", "--port", "70000").exit_code == 2
