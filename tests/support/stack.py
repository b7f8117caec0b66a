"""A whole Liftlock for end-to-end tests: API and worker as processes, on the test servers."""

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from local import binaries
from local.caddy import AssetServer
from tests.support import demo_cloud
from tests.support.postgres import ROOT

T = TypeVar("T")
FINAL = {"succeeded", "failed", "canceled", "superseded"}


@dataclass
class Stack:
    """The address and token of a running Liftlock, and how to start more of it."""

    url: str
    token: str
    environment: dict[str, str]
    folder: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def api(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        # No TLS here: reading the certificates would cost each client a tenth of a second.
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=30, trust_env=False, verify=False
        )

    def start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        return self.run_program(name, [sys.executable, "-m", *argv])

    def serve_assets(self) -> None:
        """Start the Caddy of `liftlock up`; workers that start later publish to it."""
        folder = self.folder / "assets"
        server = AssetServer(binaries.caddy(), self.folder, folder, "127.0.0.1", free_port())
        folder.mkdir()
        server.write_config()
        self.run_program("caddy", server.argv())
        eventually(lambda: server.answers() or None, "Caddy", seconds=30, explain=self.logs)
        self.environment |= {
            "LIFTLOCK_ASSETS_STORE": folder.as_uri(),
            "LIFTLOCK_ASSETS_URL": server.url,
            "LIFTLOCK_ASSETS_CACHE": str(self.folder / "cache"),
        }

    def run_program(self, name: str, argv: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                env=self.environment,
                cwd=ROOT,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def logs(self) -> str:
        return "\n".join(f"== {p.name}\n{p.read_text()[-4000:]}" for p in self.folder.glob("*.log"))

    def finished(self, job: dict[str, Any], *, seconds: float = 120) -> dict[str, Any]:
        """The job once it has ended."""
        with self.api as api:

            def look() -> dict[str, Any] | None:
                found: dict[str, Any] = api.get(f"/v1/jobs/{job['id']}").raise_for_status().json()
                return found if found["status"] in FINAL else None

            return eventually(look, f"job {job['id']} to end", seconds=seconds, explain=self.logs)

    def run(self, seconds: float = 120, **body: Any) -> dict[str, Any]:
        """Request a job and wait for its end."""
        with self.api as api:
            answer = api.post("/v1/jobs", json={"kind": "provision", **body})
            assert answer.status_code == 202, answer.text
        return self.finished(answer.json(), seconds=seconds)

    def events(self, job: dict[str, Any]) -> list[dict[str, Any]]:
        """All of them; fails when their numbers have a gap."""
        found: list[dict[str, Any]] = []
        with self.api as api:
            while True:
                after = found[-1]["seq"] if found else 0
                query = {"after": after, "limit": 200}
                answer = api.get(f"/v1/jobs/{job['id']}/events", params=query).raise_for_status()
                page = answer.json()["items"]
                found += page
                if not page:
                    break
        assert [event["seq"] for event in found] == list(range(1, len(found) + 1))
        return found

    def output(self, job: dict[str, Any]) -> str:
        told = self.events(job)
        return "".join(event["data"]["text"] for event in told if event["type"] == "step.output")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(
    look: Callable[[], T | None],
    what: str,
    *,
    seconds: float,
    explain: Callable[[], str] = lambda: "",
) -> T:
    """The first answer that is there; fails after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if (found := look()) is not None:
            return found
        time.sleep(0.05)
    pytest.fail(f"Waited {seconds} s for {what}.\n{explain()}")


@pytest.fixture(scope="session")
def stack(
    postgres_server: Any, template_database: str, redis_server: str, tmp_path_factory: Any
) -> Iterator[Stack]:
    """One API and one worker for all end-to-end tests of this xdist worker."""
    database = f"{postgres_server.prefix}_{secrets.token_hex(6)}"
    port = free_port()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("LIFTLOCK_")},
        "LIFTLOCK_DATABASE_URL": postgres_server.create(database, template=template_database),
        # Not database 0: that one is emptied before every test that uses Redis itself.
        "LIFTLOCK_REDIS_URL": redis_server.replace("db=0", "db=1"),
        "LIFTLOCK_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "LIFTLOCK_PORT": str(port),
    }
    made = Stack(f"http://127.0.0.1:{port}", "", environment, tmp_path_factory.mktemp("stack"))
    environment["LIFTLOCK_PROVIDERS"] = json.dumps({"cloud": demo_cloud.settings(made.folder)})
    try:
        made.token = _token(environment)
        made.serve_assets()
        made.start("api", "app.main")
        made.start("worker", "arq", "worker.main.WorkerSettings")
        eventually(lambda: _ready(made.url), "the API", seconds=90, explain=made.logs)
        yield made
    finally:
        made.stop()
        postgres_server.drop(database)


def _token(environment: dict[str, str]) -> str:
    command = ["-m", "app.cli.main", "tokens", "create", "e2e", "--local", "--scope", "admin"]
    made = subprocess.run(
        [sys.executable, *command, "--quiet"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def _ready(url: str) -> bool | None:
    try:
        return httpx.get(f"{url}/readyz", trust_env=False).status_code == httpx.codes.OK or None
    except httpx.TransportError:
        return None
