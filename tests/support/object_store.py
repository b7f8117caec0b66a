"""A real S3 server for tests: one SeaweedFS per run, and for each test a prefix of its own."""

import json
import secrets
import signal
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from obstore.exceptions import BaseError
from obstore.store import S3Store

from tests.support import servers
from tests.support.stack import free_port
from worker.assets.publishing.store import Store, open_store

BUCKET = "releases"
OWNER, READER = "owner", "reader"
_ACTIONS = {OWNER: ["Admin", "Read", "Write", "List"], READER: ["Read", "List"]}
_PORTS = ("master", "volume", "filer", "s3")


@dataclass(frozen=True)
class ObjectStore:
    """An S3 server that answers on a loopback port."""

    endpoint: str
    secret: str

    def environment(self, who: str = OWNER, *, endpoint: str | None = None) -> Mapping[str, str]:
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_ACCESS_KEY_ID": who,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": "us-east-1",
        }

    def answers(self) -> bool:
        """Whether it takes an object; the first one makes the bucket."""
        inner = S3Store(
            BUCKET,
            endpoint=self.endpoint,
            access_key_id=OWNER,
            secret_access_key=self.secret,
            region="us-east-1",
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )
        try:
            inner.put("is-ready", b"yes")
        except (BaseError, OSError):
            return False
        return True


def pytest_configure(config: pytest.Config) -> None:
    servers.prepare(config)


@pytest.fixture(scope="session")
def object_store() -> ObjectStore:
    """The server of this test run."""
    run = servers.run_folder()
    with servers.one_at_a_time(run, "object-store"):
        return started(run)


@pytest.fixture
def s3_environment(object_store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The variables that lead this process to the server."""
    for name, value in object_store.environment().items():
        monkeypatch.setenv(name, value)
    return object_store


@pytest.fixture
def s3_store(s3_environment: ObjectStore) -> Store:
    """An empty place that only this test uses; it does not pause between tries."""
    return unhurried(open_store(f"s3://{BUCKET}/{secrets.token_hex(6)}"))


def unhurried(store: Store) -> Store:
    return replace(store, pause=0.0)


def started(run: Path) -> ObjectStore:
    """The run's own server; the first worker that needs it starts it."""
    told, log = run / "object-store.json", run / "object-store.log"
    if not told.exists():
        folder = run / "object-store"
        folder.mkdir(mode=0o700)
        server, program = prepared(folder)
        told.write_text(json.dumps([server.endpoint, server.secret]))
        servers.start(run, program, folder=folder, stop=signal.SIGKILL, log=log, options={})
    server = ObjectStore(*json.loads(told.read_text()))
    servers.wait_until(server.answers, "SeaweedFS to answer", log=log)
    return server


def prepared(folder: Path) -> tuple[ObjectStore, list[str]]:
    """A server that is still to be started, with its data in that folder; its command line."""
    ports = {name: free_port() for name in (*_PORTS, *(f"{name}.grpc" for name in _PORTS))}
    secret = secrets.token_hex(16)
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": _identities(secret)}))
    server = ObjectStore(f"http://127.0.0.1:{ports['s3']}", secret)
    return server, _argv(folder, ports, config)


def _argv(folder: Path, ports: Mapping[str, int], config: Path) -> list[str]:
    flags = {f"{part}.port{kind}": ports[part + kind] for part in _PORTS for kind in ("", ".grpc")}
    return [
        str(Path(sysconfig.get_path("scripts")) / "weed"),
        "server",
        "-s3",
        "-ip=127.0.0.1",
        "-ip.bind=127.0.0.1",
        f"-dir={folder}",
        *(f"-{name}={port}" for name, port in flags.items()),
        f"-s3.config={config}",
        f"-s3.localSocket={folder}/s3.sock",
        f"-filer.localSocket={folder}/filer.sock",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.iam=false",
        "-s3.cacheCapacityMB=0",
        "-volume.max=400",
        "-master.volumeSizeLimitMB=64",
        "-master.telemetry=false",
    ]


def _identities(secret: str) -> list[dict[str, object]]:
    return [
        {
            "name": who,
            "credentials": [{"accessKey": who, "secretKey": secret}],
            "actions": actions,
        }
        for who, actions in _ACTIONS.items()
    ]
