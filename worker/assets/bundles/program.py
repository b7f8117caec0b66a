"""Runs other programs: bounded in time and in what is kept of their words."""

import io
import os
import re
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Self

#: Seconds for one file.
LONGEST = 300.0
_KEPT = 16_384
#: A launcher may add the story of its own end to what the program said, so the first lines stay.
_FIRST, _LAST = 10, 20
_COLOR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True)
class Ended:
    """`exit_code` is None when the program could not start or was ended for taking too long."""

    exit_code: int | None
    #: In words, to stand behind the command.
    how: str
    #: The first and last lines of what it wrote, errors and output as they came.
    said: str


class Programs:
    """Those that run at the same time; at the end of the `with` statement they are all gone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._is_over = True
            for process in self._running:
                _kill(process)

    def run(self, words: Sequence[str], folder: Path, *, longest: float = LONGEST) -> Ended:
        """Run a command without a shell; it and its children are gone afterwards.

        It waits for children that hold on to the output, at most for `longest` in all.
        """
        try:
            process = self._started(words, folder)
        except OSError as error:
            return Ended(None, f"could not start: {error.strerror}", "")
        if process is None:
            return Ended(None, "was not started: the build was interrupted", "")
        late = threading.Event()
        timer = threading.Timer(longest, _end, (process, late))
        timer.start()
        try:
            with process:
                said = _words(process)
        finally:
            timer.cancel()
            self._forget(process)
        if late.is_set():
            return Ended(None, f"took longer than {longest:.0f} s and was ended", said)
        if process.returncode < 0:
            return Ended(process.returncode, f"was ended by signal {-process.returncode}", said)
        return Ended(process.returncode, f"ended with exit code {process.returncode}", said)

    def _started(self, words: Sequence[str], folder: Path) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._is_over:
                return None
            process = subprocess.Popen(  # noqa: S603 - the words are of whoever builds
                words,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running.add(process)
            return process

    def _forget(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(process)
            _kill(process)


def _end(process: subprocess.Popen[bytes], late: threading.Event) -> None:
    late.set()
    _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    # The group outlives its leader as long as a child is left; macOS has another error for none.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _words(process: subprocess.Popen[bytes]) -> str:
    """A program that writes without end fills neither memory nor disk."""
    first = last = b""
    if isinstance(process.stdout, io.BufferedReader):
        while chunk := process.stdout.read1(_KEPT):
            taken = chunk[: _KEPT - len(first)]
            first += taken
            last = (last + chunk[len(taken) :])[-_KEPT:]
    lines = _COLOR.sub("", (first + last).decode(errors="replace")).strip().splitlines()
    if len(lines) > _FIRST + _LAST + 1:
        lines[_FIRST:-_LAST] = ["..."]
    return "\n".join(lines)
