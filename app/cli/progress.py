"""A running job as a person watches it: a live line on a terminal, plain lines elsewhere."""

from collections import deque
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Group, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from app.cli.follow import Event
from app.cli.output import Output
from app.cli.text import cell, duration, one_line, plain

#: Lines of a failed step's output that are shown with it.
_LAST_LINES = 15
#: A started line longer than this is cut: a terminal shows one line of it anyway.
_LONGEST = 2_000


class Progress:
    """Feed it every event; it keeps the state of the job and writes what happens."""

    def __init__(
        self, output: Output, *, now: Callable[[], float], total: Callable[[], int | None]
    ) -> None:
        self._output = output
        self._now = now
        #: Asked once the plan exists, that is at the first step.
        self._ask_total = total
        self._total: int | None = None
        self._step: Mapping[str, Any] | None = None
        self._since = now()
        self._state = "Waiting for a worker"
        self._away = ""
        self._lines: deque[str] = deque(maxlen=_LAST_LINES)
        self._unfinished = ""
        self._live = (
            Live(get_renderable=self._drawn, console=output.out, transient=True)
            if output.is_live
            else None
        )

    def __enter__(self) -> Self:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def add(self, event: Event) -> None:
        data = event.get("data") or {}
        match event["type"]:
            case "step.started":
                self._start(data)
            case "step.output":
                self._take(str(data.get("text", "")))
            case "step.succeeded":
                self._finish("✓", "green", data)
            case "step.failed":
                self._fail(data)
            case "step.undone" | "step.undo_failed":
                self._say(f"  {_EVENT_WORDS[event['type']]} {_named(data)}")
            case "job.blocked":
                self._wait(data)
            case "job.started":
                self._state = "Starting"
            case "job.recovered":
                self._wait_again()

    def away(self, text: str) -> None:
        """The API does not answer."""
        if not self._away and not self._live:
            self._say(text)
        self._away = text

    def back(self) -> None:
        """The API answers."""
        self._away = ""

    def _start(self, data: Mapping[str, Any]) -> None:
        if self._total is None:
            self._total = self._ask_total()
        self._step, self._since = data, self._now()
        self._lines.clear()
        self._unfinished = ""
        if not self._live:
            self._say(self._headline())

    def _take(self, text: str) -> None:
        *finished, self._unfinished = plain(self._unfinished + text).split("\n")
        self._unfinished = self._unfinished[-_LONGEST:]
        self._lines.extend(line for line in finished if line.strip())

    def _finish(self, mark: str, style: str, data: Mapping[str, Any]) -> None:
        took = duration((data.get("duration_ms") or 0) / 1000)
        if self._live:
            self._say(f"{mark} {self._headline()}  {took}", style=style)
        else:
            self._say(f"        {'done' if mark == '✓' else 'failed'} in {took}")
        self._step, self._state, self._since = None, "Working", self._now()

    def _fail(self, data: Mapping[str, Any]) -> None:
        lines = [*self._lines, *filter(None, [self._unfinished.strip()])]
        self._finish("✗", "red", data)
        for line in lines:
            self._say(f"        | {line}")

    def _wait(self, data: Mapping[str, Any]) -> None:
        self._state = f"Waiting for {blockers(data.get('blocked_by') or [])}"
        self._since = self._now()
        if not self._live:
            self._say(self._state)

    def _wait_again(self) -> None:
        self._step, self._state = None, "Its worker went away; waiting for another"
        self._since = self._now()
        self._say(f"  {self._state}")

    def _headline(self) -> str:
        step = self._step or {}
        of = f"/{self._total}" if self._total else ""
        return f"[{step.get('number', '?')}{of}] {one_line(step.get('title') or _named(step))}"

    def _say(self, text: str, *, style: str = "") -> None:
        self._output.line(text, style=style)

    def _drawn(self) -> RenderableType:
        """The lines that stay at the bottom while something runs."""
        took = duration(self._now() - self._since)
        text = f"step {self._headline()}  {took}" if self._step else f"{self._state}  {took}"
        text = self._away or text
        lines: list[RenderableType] = [Spinner("line", Text(text, no_wrap=True))]
        last = self._unfinished.strip() or (self._lines[-1] if self._lines else "")
        if self._step and last:
            lines.append(Text(f"  {last}", style="dim", no_wrap=True, overflow="ellipsis"))
        return Group(*lines)


_EVENT_WORDS = {"step.undone": "undone:", "step.undo_failed": "could not be undone:"}


def blockers(blocked_by: list[Mapping[str, Any]]) -> str:
    """Who is in the way, in words."""
    return "; ".join(cell(dict(item)) for item in blocked_by) or "another job"


def _named(data: Mapping[str, Any]) -> str:
    return one_line(data.get("title") or data.get("step") or "?")
