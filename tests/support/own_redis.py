"""A Redis that a test stops, starts and lets hang."""

import os
import secrets
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from redis import Redis

from local import binaries
from local.redis import RedisServer
from tests.support import servers


@dataclass
class OwnRedis:
    """A Redis that a test may stop and start."""

    server: RedisServer
    run: Path

    def start(self) -> None:
        log = self.run / f"{self.server.directory.name}.log"
        # The data goes with the folder, so the server need not save it: KILL is the quickest end.
        servers.start(
            self.run,
            self.server.argv(),
            folder=self.server.directory,
            stop=signal.SIGKILL,
            log=log,
            options={},
        )
        servers.wait_until(self.server.answers, "Redis to answer", log=log)

    def stop(self) -> None:
        with self.client() as client:
            client.shutdown(nosave=True)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes everything and answers nothing; what it has taken it carries out afterwards."""
        with self.client() as client:
            process = client.info()["process_id"]
        os.kill(process, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(process, signal.SIGCONT)

    def client(self) -> Redis:
        return Redis.from_url(self.server.url())


def new_redis(name: str | None = None) -> OwnRedis:
    """Started; with a folder and a log of that name."""
    run = servers.run_folder()
    folder = run / (name or f"own-redis-{secrets.token_hex(3)}")
    # A crashed test worker is replaced by one with a new name, so it cannot exist yet.
    folder.mkdir(mode=0o700)
    server = RedisServer(
        program=binaries.redis_program(),
        directory=folder,
        socket=folder / "redis.sock",
        password=secrets.token_hex(16),
    )
    server.write_config()
    own = OwnRedis(server, run)
    own.start()
    return own
