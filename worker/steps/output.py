"""What a command said: the facts it reports, and the end of its output when it fails."""

import signal
from collections import deque

from app.domain.redaction import Redactor
from worker.steps.step import Command, Failure

TAIL_LINES = 5
_LINE = 2_000
_FACT = 1_000
_SIGNALED = 128
_DISK_FULL = ("No space left on device", "Disk quota exceeded")


class Output:
    """Listens to the chunks of one command; keeps little, however much it says."""

    def __init__(self, command: Command, redactor: Redactor) -> None:
        self.facts: dict[str, str] = {}
        self.disk_full = False
        self._wanted = command.reports
        self._redactor = redactor
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._partial = ""
        self._skipping = False

    def hear(self, text: str) -> None:
        if self._skipping:
            _, newline, text = text.partition("\n")
            self._skipping = not newline
        *lines, self._partial = (self._partial + text).split("\n")
        for line in lines:
            self._take(line)
        if len(self._partial) > 2 * _LINE + self._redactor.overlap:
            # The rest of the line is left out as well: it may begin inside a secret.
            self._take(f"(a line of more than {len(self._partial)} characters)")
            self._partial, self._skipping = "", True

    def tail(self) -> str:
        """The last lines, without secrets."""
        if self._partial:
            self._take(self._partial)
            self._partial = ""
        return "\n".join(self._lines)

    def _take(self, line: str) -> None:
        line = line.rstrip("\r")
        if not line.strip():
            return
        name, equals, value = line.partition("=")
        if equals and name in self._wanted:
            self.facts[name] = value.strip()[:_FACT]
        self.disk_full = self.disk_full or any(words in line for words in _DISK_FULL)
        self._lines.append(self._redactor.clean(line)[:_LINE])


def failure_of(command: Command, exit_code: int, output: Output, hint: str) -> Failure:
    """How to report a command that failed: by its own table, else by what can be seen."""
    if output.disk_full:
        return Failure(
            "disk-full",
            "The disk of the host is full",
            "Free some space on the host (df -h; du -xh --max-depth=2 / | sort -h | tail).",
        )
    if exit_code in command.failures:
        return command.failures[exit_code]
    return Failure("step-failed", f"A command ended with {ending(exit_code)}", hint)


def ending(exit_code: int) -> str:
    """An exit code in words; above 128 the shell names a signal."""
    try:
        name = signal.Signals(exit_code - _SIGNALED).name
    except ValueError:
        return f"exit code {exit_code}"
    out_of_memory = ", as the kernel sends it when memory runs out" if name == "SIGKILL" else ""
    return f"signal {name}{out_of_memory} (exit code {exit_code})"
