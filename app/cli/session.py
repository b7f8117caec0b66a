"""What every command gets: the API, the output, and the outside world that tests replace."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

import httpx
import typer

from app.cli.client import Api
from app.cli.errors import UsageError
from app.cli.output import Output

DEFAULT_URL = "http://127.0.0.1:8700"


def _has_keyboard() -> bool:
    return sys.stdin.isatty()


@dataclass(frozen=True)
class Outside:
    """Network, clock and keyboard."""

    transport: httpx.BaseTransport | None = None
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    #: Whether a person can be asked.
    is_interactive: Callable[[], bool] = _has_keyboard


@dataclass(frozen=True)
class Session:
    url: str
    token: str | None
    output: Output
    outside: Outside = field(default_factory=Outside)

    @cached_property
    def api(self) -> Api:
        outside = self.outside
        return Api(self.url, self.token, transport=outside.transport, sleep=outside.sleep)

    def confirm(self, question: str, *, otherwise: str) -> bool:
        """Ask a person; raises UsageError saying what to type when there is nobody to ask."""
        if self.output.json_mode or not self.outside.is_interactive():
            raise UsageError("This needs a confirmation, and nobody can be asked.", hint=otherwise)
        return typer.confirm(question, err=True)


def of(ctx: typer.Context) -> Session:
    session = ctx.find_object(Session)
    if session is None:
        raise AssertionError
    return session
