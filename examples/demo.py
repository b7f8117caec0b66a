"""`make demo`: a whole Liftlock from nothing, a site, and a switch that no visitor notices.

Everything is kept below one folder; a second run finds it there and goes on with it.
"""

import argparse
import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from types import FrameType

import httpx

from examples.make_repository import make_repository
from examples.visitors import Visitors

ROOT = Path(__file__).resolve().parents[1]
LIFTLOCK = (sys.executable, "-m", "app.cli.main")
ADDRESS, PORT = "127.0.0.1", 8700
INSTANCE, REVISION, NEXT_REVISION, HOST = "guestbook", "v1", "v2", "demo-1"
ROUTER, DOMAIN = "demo-router", "guestbook.localhost"
#: Seconds: for requests under way at the old app server; for a look at the site after the switch.
BRIEFLY = ("--drain", "10", "--watch", "3", "--wait")
SETTINGS = (
    "DJANGO_SETTINGS_MODULE=guestbook.settings",
    "CHECK_PATH=/healthz",
    "ASSET_RELEASES=true",
)
UP = "Liftlock is up."
#: Seconds until the stack must be up; the first start makes a database cluster.
PATIENCE = 180.0
STOP_PATIENCE = 60.0
LOG_LINES = 30
SECRET_MODE = 0o600
TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.DOTALL | re.IGNORECASE)


class DemoFailed(Exception):
    """The sentence to print; the log of what failed follows it."""

    def __init__(self, sentence: str, *, log: Path | None = None) -> None:
        super().__init__(sentence)
        self.log = log


@dataclass(frozen=True)
class Folder:
    """Where the demo keeps everything."""

    path: Path

    @property
    def stack(self) -> Path:
        return self.path / "stack"

    @property
    def log(self) -> Path:
        return self.path / "up.log"

    @property
    def token(self) -> Path:
        return self.path / "token"

    @property
    def repository(self) -> Path:
        return self.path / INSTANCE


@dataclass(frozen=True)
class Client:
    """Liftlock as the demo uses it: its own command line, and HTTP for what it reads."""

    url: str
    token: str

    def get(self, path: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.get(f"{self.url}{path}", headers=headers, timeout=30, trust_env=False)

    def run(self, *words: str) -> None:
        """A command of `liftlock` that a person could type, with its output on this terminal."""
        say(f"$ liftlock {shlex.join(words)}")
        done = subprocess.run([*LIFTLOCK, *words], cwd=ROOT, env=self._environment(), check=False)
        if done.returncode != 0:
            raise DemoFailed(f"`liftlock {words[0]}` ended with exit code {done.returncode}.")

    def _environment(self) -> dict[str, str]:
        return os.environ | {"LIFTLOCK_URL": self.url, "LIFTLOCK_TOKEN": self.token}


def main(arguments: Sequence[str]) -> int:
    options = _parser().parse_args(arguments)
    folder = Folder(options.data.absolute())
    stays = sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("CI") != "true"
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    try:
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        with running_stack(folder, options.port) as url:
            show(url, folder)
            if stays:
                say("Ctrl-C stops everything; the data is kept.")
                threading.Event().wait()
    except KeyboardInterrupt:
        return 0 if stays else 130
    except DemoFailed as failure:
        _complain(failure)
        return 1
    return 0


def show(url: str, folder: Folder) -> None:
    """Provision the site, put it into service, replace it under load, and say what to try next."""
    client = Client(url, token_for(url, folder))
    commits = make_repository(folder.repository)
    say(f"Repository {folder.repository} with {', '.join(commits)}")
    describe(client, folder)
    first = provision(client)
    client.run("assets", "list", INSTANCE)
    port = int(client.get(f"/v1/routers/{ROUTER}").json()["options"]["http_port"])
    client.run("app-servers", "activate", first, *BRIEFLY)
    status, title = page_of(port)
    say(f"\nGET http://{DOMAIN}:{port}/  {status}  {title}\n")
    second = provision(client)
    switch(client, port, first, second)
    say(_next(client, folder, f"http://{DOMAIN}:{port}", second))


def describe(client: Client, folder: Folder) -> None:
    """The site, if it is not known yet; with its router, if it was made without."""
    known = client.get(f"/v1/instances/{INSTANCE}")
    routed = ("--domain", DOMAIN, "--router", ROUTER)
    if known.status_code == httpx.codes.NOT_FOUND:
        where = ("--repository", str(folder.repository), "--revision", REVISION, "--host", HOST)
        settings = [word for pair in SETTINGS for word in ("--set", pair)]
        words = ("--recipe", "django", *where, *routed, *settings)
        client.run("instances", "create", INSTANCE, *words)
    elif known.json().get("router") != ROUTER:
        client.run("instances", "set", INSTANCE, *routed)


def provision(client: Client) -> str:
    """A new app server, beside what serves; its name for commands."""
    client.run("provision", INSTANCE, "--revision", REVISION, "--host", HOST, "--wait")
    newest = client.get("/v1/jobs?kind=provision&limit=1").json()["items"][0]
    return f"{INSTANCE}:{newest['app_server']['number']}"


def switch(client: Client, port: int, first: str, second: str) -> None:
    """There and back while visitors ask for pages; raises DemoFailed when one got none."""
    with Visitors(port, DOMAIN) as visitors:
        client.run("app-servers", "activate", second, *BRIEFLY)
        client.run("app-servers", "activate", first, *BRIEFLY)
    say(f"\nFrom {first} to {second} and back: {visitors}\n")
    if visitors.failed or not visitors.answered:
        raise DemoFailed(f"{visitors.failed.total()} requests failed during the switches.")


@contextlib.contextmanager
def running_stack(folder: Folder, port: int | None) -> Iterator[str]:
    """`liftlock up --demo` while inside; gives its URL. Raises DemoFailed with its log."""
    chosen = port if port is not None else PORT if _is_free(PORT) else 0
    words = ("up", "--demo", "--data", str(folder.stack), "--port", str(chosen))
    say(f"$ liftlock {shlex.join(words)} > {folder.log} &")
    with folder.log.open("wb") as log:
        folder.log.chmod(SECRET_MODE)
        # A session of its own: Ctrl-C reaches the demo alone, which then stops the stack once.
        up = subprocess.Popen(
            [*LIFTLOCK, *words], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        yield _wait_until_up(up, folder)
    finally:
        _stop(up)


def token_for(url: str, folder: Folder) -> str:
    """The demo's own admin token: kept from the last run, or made in the database."""
    if folder.token.exists():
        kept = folder.token.read_text().strip()
        if Client(url, kept).get("/v1/hosts").is_success:
            return kept
    script = '. "$1" && shift && exec "$@"'
    words = ("tokens", "create", "--local", "--scope", "admin", "--quiet", "demo")
    command = ["sh", "-c", script, "sh", str(folder.stack / "env"), *LIFTLOCK, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise DemoFailed(f"No token could be made: {done.stderr.strip()}")
    folder.token.touch(mode=SECRET_MODE)
    folder.token.write_text(done.stdout)
    return done.stdout.strip()


def page_of(port: int) -> tuple[int, str]:
    """Status and title of the page, by way of the router; raises DemoFailed when it is no page."""
    site, name = f"http://127.0.0.1:{port}/", {"Host": f"{DOMAIN}:{port}"}
    try:
        response = httpx.get(site, headers=name, timeout=30, trust_env=False)
    except httpx.HTTPError as error:
        raise DemoFailed(f"The router does not answer at {site}: {error}") from error
    title = TITLE.search(response.text)
    if not response.is_success or title is None:
        raise DemoFailed(f"{site} answered {response.status_code} and not a page with a title.")
    return response.status_code, unescape(" ".join(title.group(1).split()))


def say(text: str) -> None:
    print(text, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.demo", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path(".liftlock-demo"))
    parser.add_argument("--port", type=int, help=f"of the API; by default {PORT}, or any if taken")
    return parser


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ADDRESS, port))
        except OSError:
            return False
    return True


def _wait_until_up(up: "subprocess.Popen[bytes]", folder: Folder) -> str:
    def address() -> str | None:
        if up.poll() is not None:
            raise DemoFailed(f"`liftlock up` ended with {up.returncode}.", log=folder.log)
        _, banner, rest = folder.log.read_text(errors="replace").partition(UP)
        found = re.search(r"^  address +(\S+)$", rest, re.MULTILINE) if banner else None
        return found.group(1) if found else None

    url = _poll(address, PATIENCE)
    if url is None:
        raise DemoFailed(f"`liftlock up` was not up after {PATIENCE:.0f} s.", log=folder.log)
    say(f"Liftlock answers at {url}")
    return url


def _poll(condition: Callable[[], str | None], seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    while (found := condition()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def _stop(up: "subprocess.Popen[bytes]") -> None:
    if up.poll() is not None:
        return
    say("Stopping the stack.")
    up.terminate()
    try:
        up.wait(STOP_PATIENCE)
    except subprocess.TimeoutExpired:
        # Its children are noted in the data folder: the next `up` there ends them.
        up.kill()
        up.wait()


def _next(client: Client, folder: Folder, site: str, other: str) -> str:
    token = shlex.quote(str(folder.token))
    return "\n".join(
        (
            f"  site     {site}/",
            f"  API      {client.url}/v1",
            f"  its docs {client.url}/docs",
            f"  log      {folder.log}",
            "",
            "Try in another terminal, in this folder:",
            "  . .venv/bin/activate",
            f"  export LIFTLOCK_URL={client.url} LIFTLOCK_TOKEN=$(cat {token})",
            f"  liftlock instances show {INSTANCE}",
            "  liftlock jobs logs last",
            f"  liftlock app-servers activate {other} --wait",
            f"  liftlock provision {INSTANCE} --dry-run",
            "  # refused, since the running site's data is older than this revision needs:",
            f"  liftlock provision {INSTANCE} --revision {NEXT_REVISION} --wait",
            "",
        )
    )


def _complain(failure: DemoFailed) -> None:
    print(f"\nThe demo failed: {failure}", file=sys.stderr)
    if failure.log is not None:
        lines = failure.log.read_text(errors="replace").splitlines()[-LOG_LINES:]
        print(f"The end of {failure.log}:", *lines, sep="\n  ", file=sys.stderr)


def _end(number: int, _: FrameType | None) -> None:
    # An exception, so that the stack is stopped on the way out.
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
