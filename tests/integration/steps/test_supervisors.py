"""The site under a real supervisord, and the systemd commands against a recording systemctl."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.recipe import Recipe
from tests.support.local_shell import LocalShell
from tests.support.stack import eventually
from worker.steps import service, supervisord, systemd
from worker.steps.recipe_step import Surroundings
from worker.steps.service import Service
from worker.steps.site import Site

SITE = Site("site", 3, "v1")
PROGRAMS = Path(sys.executable).parent
RECIPE = Recipe.from_document(
    {
        "name": "a",
        "start": {"run": 'echo $$ >"$RUN_DIR/number"\nexec sleep 1000', "env_file": True},
        "stop": {"timeout": 5},
        "check": {},
    }
)

SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >>"$HOME/asked"
case "$*" in *is-active*--quiet*) exit 3 ;; esac
"""
LOGINCTL = """\
#!/bin/sh
case $1 in show-user) cat "$HOME/linger" ;; esac
"""


@pytest.fixture
def config(shell: LocalShell) -> Iterator[Path]:
    """A supervisord of this user, as an operator would set it up."""
    # Sockets have short names only.
    with tempfile.TemporaryDirectory(prefix="ll-") as folder:
        path = shell.base / "supervisord.conf"
        (shell.base / "conf.d").mkdir()
        path.write_text(
            f"[unix_http_server]\nfile={folder}/socket\n"
            f"[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\n"
            f"pidfile={folder}/pid\nchildlogdir={folder}\nidentifier=test\n"
            "[rpcinterface:supervisor]\nsupervisor.rpcinterface_factory = "
            "supervisor.rpcinterface:make_main_rpcinterface\n"
            f"[supervisorctl]\nserverurl=unix://{folder}/socket\n"
            "[include]\nfiles = conf.d/*.conf\n"
        )
        command = [str(PROGRAMS / "supervisord"), "--configuration", str(path)]
        daemon = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        try:
            eventually(
                lambda: (Path(folder) / "socket").exists() or None, "supervisord", seconds=15
            )
            yield path
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(30)


def supervised(config: str, recipe: Recipe = RECIPE) -> Service:
    options = {"config": config, "conf_dir": "conf.d", "command": str(PROGRAMS / "supervisorctl")}
    return supervisord.service(SITE, recipe, options=options, sudo=False)


def prepare(shell: LocalShell, recipe: Recipe = RECIPE) -> None:
    (shell.base / SITE.release_dir).mkdir(parents=True, exist_ok=True)
    shell.run(service.run_directory(SITE, recipe))
    assert shell.run(service.save_env(Surroundings(SITE, {}, ()))).exit_code == 0


def number(shell: LocalShell) -> int:
    text = (shell.base / SITE.run_dir / "number").read_text()
    return int(text or 0)


def test_a_supervised_site_comes_back_when_it_is_killed_and_is_gone_when_stopped(
    shell: LocalShell, config: Path
) -> None:
    prepare(shell)
    running = supervised("supervisord.conf")
    started = shell.run(running.start)
    assert started.exit_code == 0, started.output
    assert shell.run(running.alive).exit_code == 0
    first = number(shell)
    os.kill(first, signal.SIGKILL)
    eventually(lambda: number(shell) not in {0, first} or None, "its return", seconds=15)
    assert shell.run(running.alive).exit_code != 0, "the process that was started is dead"
    second = number(shell)
    stopped = shell.run(running.stop)
    assert stopped.exit_code == 0, stopped.output
    assert list((shell.base / "conf.d").iterdir()) == []
    assert shell.run(running.alive).exit_code != 0
    assert not Path(f"/proc/{second}").exists()


def test_a_second_start_of_the_same_site_is_harmless(shell: LocalShell, config: Path) -> None:
    prepare(shell)
    running = supervised(str(config))
    assert shell.run(running.start).exit_code == 0
    assert shell.run(running.start).exit_code == 0
    assert shell.run(running.stop).exit_code == 0
    assert shell.run(running.stop).exit_code == 0


def test_a_site_that_dies_at_once_did_not_start(shell: LocalShell, config: Path) -> None:
    dying = Recipe.from_document(
        {
            "name": "a",
            "start": {"run": "echo no database >&2; exit 3", "env_file": True},
            "check": {},
        }
    )
    prepare(shell, dying)
    running = supervised(str(config), dying)
    ran = shell.run(running.start)
    assert running.start.failures[ran.exit_code].code == "start-failed"
    assert "supervisord says:" in ran.output
    assert "no database" in shell.run(running.log).output
    assert shell.run(running.stop).exit_code == 0


def test_a_supervisord_that_does_not_run_is_named(shell: LocalShell) -> None:
    prepare(shell)
    (shell.base / "supervisord.conf").write_text(
        "[supervisorctl]\nserverurl=unix:///nowhere/socket\n"
    )
    running = supervised("supervisord.conf")
    ran = shell.run(running.start)
    assert running.start.failures[ran.exit_code].title == "The host's supervisord does not answer"


def test_a_host_without_supervisorctl_is_named(shell: LocalShell) -> None:
    prepare(shell)
    running = supervisord.service(SITE, RECIPE, options={"command": "no-such-ctl"}, sudo=False)
    ran = shell.run(running.start)
    assert running.start.failures[ran.exit_code].code == "tool-missing"


@pytest.fixture
def with_systemd(shell: LocalShell) -> LocalShell:
    programs = shell.base / "programs"
    programs.mkdir()
    scripts = {"systemctl": SYSTEMCTL, "loginctl": LOGINCTL}
    for name, text in scripts.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    (shell.base / "linger").write_text("yes\n")
    return LocalShell(shell.base, {"PATH": f"{programs}:{os.environ['PATH']}"})


def test_a_user_unit_is_written_enabled_and_removed(with_systemd: LocalShell) -> None:
    shell = with_systemd
    prepare(shell)
    running = systemd.service(SITE, RECIPE, options={}, sudo=False)
    assert shell.run(running.start).exit_code == 0
    unit = shell.base / ".config/systemd/user/liftlock-site-3.service"
    text = unit.read_text()
    assert "Restart=always" in text
    assert f'serve "{shell.base}/{SITE.run_dir}"' in text
    assert "User=" not in text
    asked = (shell.base / "asked").read_text()
    assert "systemctl --user enable liftlock-site-3.service" in asked
    assert shell.run(running.stop).exit_code == 0
    assert not unit.exists()


def test_a_user_whose_units_stop_at_logout_is_told_what_to_type(with_systemd: LocalShell) -> None:
    shell = with_systemd
    (shell.base / "linger").write_text("no\n")
    prepare(shell)
    running = systemd.service(SITE, RECIPE, options={}, sudo=False)
    ran = shell.run(running.start)
    assert running.start.failures[ran.exit_code].code == "start-failed"
    assert "sudo loginctl enable-linger" in ran.output


def test_a_percent_sign_in_a_path_stays_one(tmp_path: Path) -> None:
    base = tmp_path / "100% $HOME"
    base.mkdir()
    (base / "linger").write_text("yes\n")
    programs = base / "programs"
    programs.mkdir()
    for name, text in {"systemctl": SYSTEMCTL, "loginctl": LOGINCTL}.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    shell = LocalShell(base, {"PATH": f"{programs}:{os.environ['PATH']}"})
    prepare(shell)
    assert shell.run(systemd.service(SITE, RECIPE, options={}, sudo=False).start).exit_code == 0
    text = (base / ".config/systemd/user/liftlock-site-3.service").read_text()
    assert f'serve "{tmp_path}/100%% $$HOME/{SITE.run_dir}"' in text
