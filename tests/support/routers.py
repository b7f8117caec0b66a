"""Real routers on free ports, told by the commands that a plan would give them."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from app.domain.router import RouterKind
from local import binaries
from tests.support.local_shell import LocalShell, Ran
from tests.support.servers import wait_until
from tests.support.stack import free_port
from worker.routers import router_of

_CADDY = """\
{{
	admin 127.0.0.1:{control}
	http_port {http}
	https_port {https}
	skip_install_trust
	storage file_system "{folder}/storage"
}}
import "{sites}/*.caddy"
"""
_NGINX = """\
daemon off;
pid "{folder}/nginx.pid";
error_log "{folder}/error.log";
worker_processes 1;
{user}
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path "{folder}/body";
  proxy_temp_path "{folder}/proxy";
  fastcgi_temp_path "{folder}/fastcgi";
  uwsgi_temp_path "{folder}/uwsgi";
  scgi_temp_path "{folder}/scgi";
  keepalive_requests 1000000;
  include "{sites}/*.conf";
}}
"""
_HAPROXY = """\
global
  stats socket "{folder}/admin.sock" mode 600 level admin expose-fd listeners
  maxconn 500
  hard-stop-after 30s
"""

#: Scripts of commands that run at the same time have a file each.
_NUMBERS = itertools.count(1)


#: Parameters for tests that concern every kind; Caddy comes with the project.
KINDS = [
    pytest.param(kind, marks=() if kind is RouterKind.CADDY else pytest.mark.routers)
    for kind in RouterKind
]


@dataclass
class RealRouter:
    """A program of one kind, with the commands that tell it something; `base` may have spaces."""

    kind: RouterKind
    folder: Path  # short: HAProxy's socket lies there
    base: Path
    http: int = field(default_factory=free_port)
    https: int = field(default_factory=free_port)
    control: int = field(default_factory=free_port)
    env: dict[str, str] = field(default_factory=dict)
    shell: str = "/bin/sh"
    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()  # what stands before its command
    process: subprocess.Popen | None = None

    def __post_init__(self):
        self.sites.mkdir(parents=True)
        self.config.write_text(
            {RouterKind.CADDY: _CADDY, RouterKind.NGINX: _NGINX, RouterKind.HAPROXY: _HAPROXY}[
                self.kind
            ].format(
                folder=self.folder,
                sites=self.sites,
                http=self.http,
                https=self.https,
                control=self.control,
                user="user root;" if os.geteuid() == 0 else "",
            )
        )
        self.router = router_of(self.kind, self.options, sudo=False)

    @property
    def sites(self):
        return self.base / "routers" / self.kind / "sites"

    @property
    def config(self):
        return self.folder / "main.conf"

    @property
    def log(self):
        return self.folder / "log"

    @property
    def program(self):
        if self.kind is RouterKind.CADDY:
            return str(binaries.caddy())
        return shutil.which(self.kind, path=f"{os.environ['PATH']}:/usr/sbin") or str(self.kind)

    @property
    def options(self):
        common = {
            "http_port": self.http,
            "https_port": self.https,
            "bind": self.address,
            "address": self.address,
            "program": self.program,
            "config": str(self.config),
        }
        if self.kind is RouterKind.CADDY:
            return {**common, "admin": f"127.0.0.1:{self.control}"}
        if self.kind is RouterKind.NGINX:
            return common
        reload = f"kill -USR2 $(cat '{self.folder}/pid')"
        return {**common, "socket": str(self.folder / "admin.sock"), "reload": reload}

    @property
    def argv(self):
        match self.kind:
            case RouterKind.CADDY:
                return ["run", "--config", self.config, "--adapter", "caddyfile"]
            case RouterKind.NGINX:
                return ["-c", self.config]
        return ["-W", "-p", self.folder / "pid", "-f", self.config, "-f", self.sites]

    def start(self):
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder / "xdg")}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, self.program, *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **home},
            )
        found = self.router.find()
        wait_until(lambda: self.run(found).exit_code == 0, f"{self.kind} to answer", log=self.log)

    def stop(self):
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    def restart(self):
        self.stop()
        self.start()

    def run(self, command) -> Ran:
        self.base.mkdir(exist_ok=True)
        script = self.folder / f"script.{next(_NUMBERS)}"
        script.write_text(command.script)
        again = replace(command, script=f'exec {self.shell} -eu "$SCRIPT"')
        return LocalShell(self.base, {**self.env, "SCRIPT": str(script)}).run(again)

    def done(self, command) -> Ran:
        """Run it, and it has to succeed."""
        ran = self.run(command)
        assert ran.exit_code == 0, f"{ran.exit_code}: {ran.output}\n{self.log.read_text()[-1500:]}"
        return ran

    def bring(self, route):
        """Configured, switched and read back."""
        for command in (self.router.configure, self.router.switch, self.router.read_back):
            self.done(command(route))

    def loads(self):
        """Something that differs after each load of a configuration."""
        if self.kind is RouterKind.CADDY:
            return self.log.read_text().count("load complete")
        return frozenset(self.children())

    def children(self):
        """Ids of the processes that it has made."""
        pid = self.process.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()

    def folder_of(self, instance):
        return self.base / "routers" / self.kind / "routes" / instance

    def site(self, instance):
        (path,) = self.sites.glob(f"site-{instance}.*")
        return path


@contextmanager
def running(kind: RouterKind, base: Path | None = None) -> Iterator[RealRouter]:
    """A router of the kind; its base is `base`, or a folder of its own with a space in its name."""
    # pytest's own folders are too long for a socket.
    folder = Path(tempfile.mkdtemp(prefix="llr-"))
    real = RealRouter(kind, folder, base or folder / "base folder")
    try:
        real.start()
        yield real
    finally:
        real.stop()
        shutil.rmtree(folder)
