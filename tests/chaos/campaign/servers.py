"""The campaign's own PostgreSQL and Redis, reached over TCP, to be broken and started again."""

import secrets
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from local import binaries, privileges
from local.postgres import USER, Cluster
from tests.chaos.campaign.network import free_port
from tests.chaos.campaign.processes import Program

_HBA = "local all all scram-sha-256\nhost all all {address}/24 scram-sha-256\n"
#: A commit must outlive `immediate`, not a power cut: written at once, never synced.
_SETTINGS = {"fsync": "off", "full_page_writes": "off", "max_connections": "200"}
_REDIS = """\
bind {address}
port {port}
requirepass {password}
dir {data}
appendonly yes
save ""
daemonize no
"""


@dataclass
class Postgres(Program):
    folder: Path
    address: str
    port: int = field(init=False)
    cluster: Cluster = field(init=False)

    def __post_init__(self) -> None:
        self.port = free_port(self.address)
        programs = binaries.postgres_programs()
        self.cluster = Cluster(
            programs=programs,
            directory=self.folder,
            reach=self.folder,
            password=secrets.token_hex(16),
            launch=privileges.choose(programs / "postgres"),
            settings=_SETTINGS | {"listen_addresses": self.address, "port": str(self.port)},
        )

    def initialize(self) -> None:
        self.cluster.initialize()
        (self.folder / "pg_hba.conf").write_text(_HBA.format(address=self.address))

    def argv(self) -> tuple[str, ...]:
        return self.cluster.argv()

    def options(self) -> dict[str, Any]:
        return self.cluster.options()

    @property
    def url(self) -> str:
        at = f"{USER}:{self.cluster.password}@{self.address}:{self.port}"
        return f"postgresql+asyncpg://{at}/postgres"

    def answers(self) -> bool:
        """Whether it lets us in, over TCP."""
        done = subprocess.run(
            [
                *(str(self.cluster.programs / "psql"), "-XAtw", "-h", self.address),
                *("-p", str(self.port), "-U", USER, "-d", "postgres", "-c", "SELECT 1"),
            ],
            env={"PGPASSWORD": self.cluster.password, "PGCONNECT_TIMEOUT": "5"},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.stdout.strip() == "1"

    async def ask(self, question: str, *values: object) -> list[Any] | None:
        """The rows; None while it is away."""
        try:
            connection = await asyncpg.connect(self.url.replace("+asyncpg", ""), timeout=5)
            try:
                found: list[Any] = await connection.fetch(question, *values, timeout=5)
                return found
            finally:
                await connection.close(timeout=5)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return None


@dataclass
class Redis(Program):
    folder: Path
    address: str
    port: int = field(init=False)
    password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    _generation: int = 0

    def __post_init__(self) -> None:
        self.port = free_port(self.address)
        self.forget()

    def forget(self) -> None:
        """The next start finds nothing of what was there."""
        self._generation += 1
        data = self.folder / f"data-{self._generation}"
        data.mkdir(parents=True)
        text = _REDIS.format(
            address=self.address, port=self.port, password=self.password, data=data
        )
        self._config.write_text(text)

    @property
    def _config(self) -> Path:
        return self.folder / "redis.conf"

    def argv(self) -> tuple[str, ...]:
        return (str(binaries.redis_program()), str(self._config))

    @property
    def url(self) -> str:
        return f"redis://:{self.password}@{self.address}:{self.port}/0"

    def answers(self) -> bool:
        try:
            return self.ask("PING").endswith("+PONG\r\n")
        except OSError:
            return False

    def ask(self, command: str) -> str:
        """Its answers to AUTH and to one command; raises OSError when it is away."""
        with socket.create_connection((self.address, self.port), timeout=2) as client:
            client.sendall(f"AUTH {self.password}\r\n{command}\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < len(("AUTH", command)):
                chunk = client.recv(256)
                if not chunk:
                    raise ConnectionResetError(answer.decode())
                answer += chunk
            return answer.decode()
