"""How a command ends early, as a tree; each ending has an exit code that scripts may rely on.

CliError
├── UsageError 2      the command cannot be carried out as typed
├── ApiProblem 2      the API refused it (5 when a part behind the API does not answer, 1 when
│                     Liftlock made a mistake)
├── Unreachable 5     nobody answers at the URL
├── WaitTimedOut 4    the job goes on, the waiting does not
└── Interrupted 130   Ctrl-C
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Any

#: Answers of a proxy or of a part behind the API: trying again later can help.
AWAY = frozenset({502, 503, 504})


class Exit(IntEnum):
    OK = 0
    FAILED = 1
    REFUSED = 2
    CANCELED = 3
    TIMED_OUT = 4
    UNREACHABLE = 5
    INTERRUPTED = 130
    #: Nobody reads any more: 128 + SIGPIPE, as a shell says it of other programs.
    UNREAD = 141


class CliError(Exception):
    """Ends the command with a message on the error stream; never with a traceback."""

    exit_code = Exit.FAILED
    code = "failed"

    def __init__(self, title: str, *, detail: str = "", hint: str | None = None) -> None:
        super().__init__(title)
        self.title = title
        self.detail = detail
        self.hint = hint

    def document(self) -> Mapping[str, Any]:
        """What `--json` prints on the error stream."""
        return {"code": self.code, "title": self.title, "detail": self.detail, "hint": self.hint}


class UsageError(CliError):
    exit_code = Exit.REFUSED
    code = "usage"


class Unreachable(CliError):
    exit_code = Exit.UNREACHABLE
    code = "unreachable"


class WaitTimedOut(CliError):
    exit_code = Exit.TIMED_OUT
    code = "wait-timed-out"


class Interrupted(CliError):
    exit_code = Exit.INTERRUPTED
    code = "interrupted"


class ApiProblem(CliError):
    """A problem document (RFC 9457) that the API answered."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        super().__init__(
            str(document.get("title") or f"HTTP {status}"),
            detail=str(document.get("detail") or ""),
            hint=document.get("hint"),
        )
        self.status = status
        self.problem = document
        self.code = str(document.get("code") or f"http-{status}")
        self.exit_code = _exit_of(status)

    def document(self) -> Mapping[str, Any]:
        return self.problem


def _exit_of(status: int) -> Exit:
    if status in AWAY:
        return Exit.UNREACHABLE
    return Exit.FAILED if status >= 500 else Exit.REFUSED  # noqa: PLR2004  (RFC 9110)
