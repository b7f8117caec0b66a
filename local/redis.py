"""One Redis server with a password, on a unix socket only."""

import contextlib
import socket
from dataclasses import dataclass, field
from pathlib import Path

CONFIG = """\
# Written by Liftlock at every start; changes are lost.
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {directory}
appendonly yes
daemonize no
supervised no
"""


@dataclass(frozen=True)
class RedisServer:
    program: Path
    directory: Path
    socket: Path
    password: str = field(repr=False)

    @property
    def config(self) -> Path:
        return self.directory / "redis.conf"

    def write_config(self) -> None:
        """The password goes into a closed file, not into argv where every user can read it."""
        self.config.touch(mode=0o600)
        self.config.write_text(
            CONFIG.format(
                socket=_quoted(self.socket),
                password=self.password,
                directory=_quoted(self.directory),
            )
        )

    def argv(self) -> tuple[str, ...]:
        return (str(self.program), str(self.config))

    def url(self) -> str:
        return f"unix://:{self.password}@{self.socket}?db=0"

    def answers(self) -> bool:
        """Whether it answers PING (blocks for at most 1 s)."""
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(str(self.socket))
            client.sendall(f"AUTH {self.password}\r\nPING\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < len(("AUTH", "PING")):
                chunk = client.recv(256)
                if not chunk:
                    return False
                answer += chunk
            return answer.endswith(b"+PONG\r\n")
        return False


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
